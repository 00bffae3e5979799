//! The parts that the drivers of an instance share. Each part has its own state and its own lock.

use std::num::NonZeroUsize;
use std::time::Duration;

use domain::order::Limits;
use domain::trace::SampleRatio;

use super::drivers::Drivers;
use super::shutdown::Shutdown;
use crate::idle_orders::IdleOrders;
use crate::orders::Orders;
use crate::postponed::PostponedOrders;
use crate::workflows::Workflows;

/// The bounds of an instance.
#[derive(Debug, Clone)]
pub struct OrchestratorOptions {
    /// How many orders have a driver at once. Beyond it, the instance refuses new orders with "try
    /// later".
    pub max_active: usize,
    /// How many more drivers operators' commands may start, so that the load never keeps operators
    /// out.
    pub reserve: usize,
    /// How many orders without a driver stay in memory, which saves reading them again. Together
    /// they take about 32 MiB at most.
    pub max_idle: NonZeroUsize,
    /// How long a driver waits for work that will be due. The to-do list brings back later work.
    pub patience: Duration,
    /// The limits of one append.
    pub limits: Limits,
    /// Which traces are sampled, of orders whose shop did not decide it.
    pub sample_ratio: SampleRatio,
}

impl Default for OrchestratorOptions {
    fn default() -> Self {
        const MAX_IDLE: NonZeroUsize = NonZeroUsize::new(2_000).expect("not zero");
        Self {
            max_active: 2_000,
            reserve: 64,
            max_idle: MAX_IDLE,
            patience: Duration::from_secs(2),
            limits: Limits::LOG,
            sample_ratio: SampleRatio::ALL,
        }
    }
}

/// The parts that the drivers of an instance share.
#[derive(Debug)]
pub(crate) struct Shared<L, P, C> {
    pub orders: Orders<L, C>,
    pub workflows: Workflows<L, C>,
    pub participants: P,
    pub clock: C,
    pub options: OrchestratorOptions,
    pub drivers: Drivers,
    /// Orders without a driver. They may be behind the log: the next append detects that.
    pub idle: IdleOrders,
    pub postponed: PostponedOrders,
    pub shutdown: Shutdown,
}

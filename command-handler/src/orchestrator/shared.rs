//! What the drivers of an instance share.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::ids::OrderId;
use domain::order::Limits;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broken::Broken;
use crate::driver::message::Message;
use crate::orders::Orders;
use crate::resting::Resting;
use crate::workflows::Workflows;

/// Bounds.
#[derive(Debug, Clone)]
pub struct OrchestratorOptions {
    /// Orders that are driven at once; past it, new ones are refused with "try later".
    pub max_active: usize,
    /// Orders that are driven besides, because an operator asked for something: operators get through whatever else is going on.
    pub reserve: usize,
    /// Orders that wait for an answer and are kept in memory, to save reading them again. Together they take some 32 MiB at most.
    pub max_resting: NonZeroUsize,
    /// How long a driver stays for something that will be due; what is due later comes back by the to-do list.
    pub patience: Duration,
    /// How much one append may hold.
    pub limits: Limits,
}

impl Default for OrchestratorOptions {
    fn default() -> Self {
        const MAX_RESTING: NonZeroUsize = NonZeroUsize::new(2_000).expect("not zero");
        Self {
            max_active: 2_000,
            reserve: 64,
            max_resting: MAX_RESTING,
            patience: Duration::from_secs(2),
            limits: Limits::LOG,
        }
    }
}

/// What drivers share.
#[derive(Debug)]
pub(crate) struct Shared<L, P, C> {
    pub orders: Orders<L, C>,
    pub workflows: Workflows<L, C>,
    pub participants: P,
    pub clock: C,
    pub options: OrchestratorOptions,
    /// Nothing new is begun.
    pub shutdown: CancellationToken,
    /// Nothing is waited for any more.
    pub last_call: CancellationToken,
    /// Orders that were due and cannot be driven.
    pub broken: Mutex<Broken>,
    /// Who drives what.
    pub drivers: Mutex<HashMap<OrderId, mpsc::Sender<Message>>>,
    /// Orders without a driver, in their last known state. They may be behind the log: the next
    /// append detects that.
    pub resting: Mutex<Resting>,
    pub(super) permits: Arc<Semaphore>,
    /// Drivers that are kept for what operators ask, however many orders are being driven.
    pub(super) reserve: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
}

impl<L, P, C> Shared<L, P, C> {
    /// How many drivers a participant may hold while the instance is short of them: a quarter of those that are free, so that
    /// however many participants are silent, some are left for the orders that others serve. `None`: there are enough.
    pub fn share(&self) -> Option<usize> {
        let free = self.permits.available_permits();
        (free < self.options.max_active / 2).then_some(free / 4)
    }
}

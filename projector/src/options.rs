//! The settings of a projector.

use std::num::NonZeroUsize;
use std::time::Duration;

use leader_consumer::LogAlarm;

use crate::{Health, Observer};

/// Settings of [`run`](crate::run).
#[derive(Debug, Clone)]
pub struct ProjectorOptions {
    /// The most events in one transaction.
    pub batch_events: NonZeroUsize,
    /// The longest pause between two transactions. After each, the projector pauses for as long as
    /// the transaction took. So views are fresh while writing is quick, and batches grow under
    /// load: an order that changed ten times in a batch is written once. The first event after a
    /// quiet time does not wait.
    pub pace: Duration,
    /// How many open orders are kept folded in memory. Beyond that, the order that changed least
    /// recently is read from the log again when it changes.
    pub cached_orders: NonZeroUsize,
    /// How often a standby projector tries to take over.
    pub standby_poll: Duration,
    /// How long the active projector may be silent (paused, or cut off) before Postgres releases
    /// its leadership.
    pub silence: Duration,
    /// The longest pause after a failure.
    pub back_off_max: Duration,
    /// Where the projector reports its health.
    pub health: Health,
    /// Raised while the views are made from another log.
    pub alarm: LogAlarm,
    /// Receives the events that are in the views.
    pub observer: Observer,
}

impl Default for ProjectorOptions {
    fn default() -> Self {
        Self {
            batch_events: NonZeroUsize::new(5_000).unwrap_or(NonZeroUsize::MIN),
            pace: Duration::from_millis(10),
            cached_orders: NonZeroUsize::new(20_000).unwrap_or(NonZeroUsize::MIN),
            standby_poll: Duration::from_millis(250),
            silence: Duration::from_secs(5),
            back_off_max: Duration::from_secs(5),
            health: Health::default(),
            alarm: LogAlarm::default(),
            observer: Observer::default(),
        }
    }
}

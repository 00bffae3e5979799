//! What can be set about a projector.

use std::num::NonZeroUsize;
use std::time::Duration;

use leader_consumer::LogAlarm;

use crate::Health;

/// Settings of [`run`](crate::run).
#[derive(Debug, Clone)]
pub struct ProjectorOptions {
    /// The most events in one transaction.
    pub batch_events: NonZeroUsize,
    /// The longest rest between two transactions. Each is followed by a rest as long as it took itself, so that
    /// views are fresh while writing is quick; the more there is to write, the larger the batches, in which an order that moved
    /// ten times is written once. The first event after a quiet time does not wait.
    pub pace: Duration,
    /// How many unfinished orders are kept folded in memory. Past it, the least recently moved is read from the log again
    /// when it moves.
    pub cached_orders: NonZeroUsize,
    /// How often a projector that stands by tries to take over.
    pub standby_poll: Duration,
    /// How long the active projector may be silent (paused, or cut off) before Postgres gives its place to another.
    pub silence: Duration,
    /// The longest wait before trying again what failed.
    pub back_off_max: Duration,
    /// Where to report.
    pub health: Health,
    /// Raised while the views are of another log.
    pub alarm: LogAlarm,
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
        }
    }
}

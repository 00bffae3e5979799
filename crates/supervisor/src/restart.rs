//! A task that is restarted.

use std::future::Future;
use std::time::Duration;

use back_off::{BackOff, Limits};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::health::{LASTING, TaskHealth};
use crate::outcome::{Outcome, caught, reason};

/// The pause before a restart.
const PAUSES: Limits = Limits::new(Duration::from_secs(1), Duration::from_mins(1));
/// Runs a task until `stop`, and restarts it whenever it ends before.
pub async fn keep_running<F>(
    task: &'static str,
    start: impl Fn() -> F + Send + Sync + 'static,
    stop: CancellationToken,
    health: TaskHealth,
) where
    F: Future<Output: Outcome> + Send + 'static,
{
    let mut back_off = BackOff::new(PAUSES);
    loop {
        let begun = Instant::now();
        let ended = caught(start()).await;
        if stop.is_cancelled() {
            return;
        }
        if begun.elapsed() >= LASTING {
            back_off.reset();
        }
        let (reason, pause) = (reason(ended), back_off.next_pause());
        tracing::error!(task, reason, pause_ms = pause.as_millis(), "a task ended unexpectedly and will be restarted");
        health.ended(task, reason);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
        health.restarted(task);
    }
}

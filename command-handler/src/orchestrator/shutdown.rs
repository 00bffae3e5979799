//! The end of an instance: it starts nothing new, finishes what it can, and hands over the rest.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

/// The limit for the appends that hand over attempts.
const MAX_HAND_OVER: Duration = Duration::from_secs(3);

/// The stages of the end, and the tasks that it waits for.
#[derive(Debug, Default)]
pub(crate) struct Shutdown {
    /// Nothing new starts.
    leaving: CancellationToken,
    /// Nothing waits any longer.
    last_call: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Starts a task that the end waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Whether nothing new may start.
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_cancelled()
    }

    /// Returns once nothing new may start.
    pub async fn leaving(&self) {
        self.leaving.cancelled().await;
    }

    /// Returns once nothing may wait any longer.
    pub async fn last_call(&self) {
        self.last_call.cancelled().await;
    }

    /// Ends the instance. Attempts in flight get `patience` for their answers. The log and the
    /// to-do list hand over the rest.
    pub async fn run(&self, patience: Duration) {
        self.leaving.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.last_call.cancel();
        if tokio::time::timeout(MAX_HAND_OVER, self.tasks.wait()).await.is_err() {
            let orders = self.tasks.len();
            warn!(orders, "the instance ends without a hand-over: attempts in flight count as lost and are repeated");
        }
    }
}

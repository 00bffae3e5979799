//! The tasks of a role.

use std::future::Future;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::health::TaskHealth;
use crate::outcome::{Outcome, caught, reason};
use crate::restart::keep_running;

/// A task ended before it was stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{task} ended unexpectedly: {reason}")]
pub struct TaskEnded {
    task: &'static str,
    reason: String,
}

/// The tasks of a role, or of a part of it.
#[derive(Debug)]
pub struct Supervisor {
    health: TaskHealth,
    /// Stops all of them.
    stop: CancellationToken,
    /// The result of each task: an error if it ended unexpectedly.
    tasks: JoinSet<Result<(), TaskEnded>>,
}

impl Supervisor {
    /// A supervisor without tasks. Canceling `stop` stops its tasks; `health` records their
    /// restarts.
    pub fn new(stop: CancellationToken, health: TaskHealth) -> Self {
        Self { health, stop, tasks: JoinSet::new() }
    }

    /// Canceled when the tasks have to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task. If it ends unexpectedly, [`Supervisor::failed`] returns, and the process ends.
    pub fn run(&mut self, task: &'static str, future: impl Future<Output: Outcome> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            match caught(future).await {
                None if stop.is_cancelled() => Ok(()),
                error => Err(TaskEnded { task, reason: reason(error) }),
            }
        });
    }

    /// Runs a task, and restarts it whenever it ends unexpectedly.
    pub fn keep_running<F>(&mut self, task: &'static str, start: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let kept = keep_running(task, start, self.stop.clone(), self.health.clone());
        self.tasks.spawn(kept.map(Ok));
    }

    /// Waits for the first task that ends the process. Without such a task, this never returns.
    pub async fn failed(&mut self) -> TaskEnded {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Err(ended))) => return ended,
                Some(Ok(Ok(())) | Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Stops all tasks, and waits until they have ended. A task that fails while it stops is an
    /// error.
    pub async fn stop(mut self) -> Result<(), TaskEnded> {
        self.stop.cancel();
        let mut all = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(ended)) = ended {
                all = Err(ended);
            }
        }
        all
    }
}

//! The restarts of a process's tasks, for `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Collector, DescriptorEncoder, Metric};
use tokio::time::Instant;

metrics::metrics! {
    RESTARTS: 1 = Metric::counter(
        "tenuto_task_restarts",
        ["task"],
        "How often a task of this process ended unexpectedly and was restarted",
    );
}

/// A task that ran for this long had started: its next failure is the first in a row.
pub(crate) const LASTING: Duration = Duration::from_mins(5);

/// The restarts of the tasks that [`crate::keep_running`] runs. Clones share them.
#[derive(Clone, Default)]
pub struct TaskHealth(Arc<Mutex<BTreeMap<&'static str, Restarts>>>);

/// The restarts of one task.
#[derive(Debug)]
struct Restarts {
    count: u64,
    last_reason: String,
    last: Instant,
    /// Whether the task waits for its restart.
    waits: bool,
}

impl fmt::Debug for TaskHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskHealth").field(&*self.lock()).finish()
    }
}

impl TaskHealth {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Restarts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ended(&self, task: &'static str, reason: String) {
        let mut tasks = self.lock();
        let count = tasks.get(task).map_or(0, |restarts| restarts.count);
        tasks.insert(task, Restarts { count, last_reason: reason, last: Instant::now(), waits: true });
    }

    pub(crate) fn restarted(&self, task: &'static str) {
        if let Some(restarts) = self.lock().get_mut(task) {
            restarts.count += 1;
            restarts.waits = false;
        }
    }

    /// Why the process is not ready, a line for each task that waits for its restart.
    pub fn reason(&self) -> Option<String> {
        let tasks = self.lock();
        let waiting = tasks.iter().filter(|(_, restarts)| restarts.waits);
        let lines: Vec<String> = waiting
            .map(|(task, Restarts { last_reason, .. })| {
                format!("{task} ended unexpectedly and will be restarted: {last_reason}\n")
            })
            .collect();
        (!lines.is_empty()).then(|| lines.concat())
    }

    /// A line for each task that was restarted recently.
    pub fn warnings(&self) -> Vec<String> {
        let tasks = self.lock();
        let recent = tasks.iter().filter(|(_, restarts)| !restarts.waits && restarts.last.elapsed() < LASTING);
        let line = |(task, Restarts { count, last_reason, .. }): (&&str, &Restarts)| {
            format!("{task} ended unexpectedly and was restarted ({count} times so far): {last_reason}")
        };
        recent.map(line).collect()
    }
}

impl Collector for TaskHealth {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut samples = RESTARTS.samples(&mut encoder)?;
        self.lock().iter().try_for_each(|(task, restarts)| samples.add([task], restarts.count))
    }
}

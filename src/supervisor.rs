//! Watches the tasks of a role: a task that ends before it should is always noticed.
//!
//! Which of two things happens is chosen per task:
//! - It ends the process, with its reason. That is for what a role is nothing without, and for what
//!   ends only where waiting does not help: its HTTP server, and the projector.
//! - It is started again, after a pause that grows. That is for loops that keep nothing in memory
//!   from round to round: the to-do list, replies, deliveries, what is watched. A panic of such a
//!   loop at one order or one message does not end the HTTP server of the same process. Until the
//!   loop runs again the role is not ready, since a part of its work is not done.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::causes::causes;

/// The pause before a task is started again. It doubles with each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// A task that runs for this long counts as started: the next failure is the first in a row.
const LASTING: Duration = Duration::from_mins(5);

/// A task that ended before it was told to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{task} ended unexpectedly: {reason}")]
pub(crate) struct TaskEnded {
    task: &'static str,
    reason: String,
}

/// The tasks of a role, or of a part of it.
#[derive(Debug)]
pub(crate) struct Supervisor {
    health: TaskHealth,
    /// Tells all of them to stop.
    stop: CancellationToken,
    /// What each ended with, if it should not have.
    tasks: JoinSet<Result<(), TaskEnded>>,
}

impl Supervisor {
    /// Tasks that end once this token is canceled, and how they are doing.
    pub fn new(stop: CancellationToken, health: TaskHealth) -> Self {
        Self { health, stop, tasks: JoinSet::new() }
    }

    /// Canceled when the tasks are told to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task whose unexpected end is the end of the process, by [`Supervisor::failed`].
    pub fn run(&mut self, task: &'static str, future: impl Future<Output: Outcome> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            match caught(future).await {
                None if stop.is_cancelled() => Ok(()),
                error => Err(TaskEnded { task, reason: reason(error) }),
            }
        });
    }

    /// Runs a task that is started again whenever it ends unexpectedly.
    pub fn keep_running<F>(&mut self, task: &'static str, start: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let kept = keep_running(task, start, self.stop.clone(), self.health.clone());
        self.tasks.spawn(kept.map(Ok));
    }

    /// Waits for the first task that ends the process. There may be none: then this never ends.
    pub async fn failed(&mut self) -> TaskEnded {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Err(ended))) => return ended,
                Some(Ok(Ok(())) | Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Tells all tasks to stop, and waits until they have. One that fails as it stops is an error.
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

/// Runs a task until told to stop, and starts it again whenever it ends before.
pub(crate) async fn keep_running<F>(
    task: &'static str,
    start: impl Fn() -> F + Send + Sync + 'static,
    stop: CancellationToken,
    health: TaskHealth,
) where
    F: Future<Output: Outcome> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let ended = caught(start()).await;
        if stop.is_cancelled() {
            return;
        }
        if begun.elapsed() >= LASTING {
            pause = FIRST_PAUSE;
        }
        let reason = reason(ended);
        tracing::error!(task, reason, pause_ms = pause.as_millis(), "a task ended unexpectedly: it is started again");
        health.ended(task, reason);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
        health.started_again(task);
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// What a task ends with: nothing, or perhaps an error.
pub(crate) trait Outcome: Send {
    /// The error, with its causes.
    fn error(self) -> Option<String>;
}

impl Outcome for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>> + Send> Outcome for Result<(), E> {
    fn error(self) -> Option<String> {
        let error: Box<dyn Error + Send + Sync> = self.err()?.into();
        let causes = causes(error.as_ref());
        Some(causes.into_iter().fold(error.to_string(), |text, cause| format!("{text}: {cause}")))
    }
}

/// A task's error; where it panicked, the message of the panic.
async fn caught(future: impl Future<Output: Outcome>) -> Option<String> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(outcome) => outcome.error(),
        Err(panic) => Some(format!("it panicked: {}", message(panic.as_ref()))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

fn reason(error: Option<String>) -> String {
    error.unwrap_or_else(|| "it returned, and was not told to stop".to_owned())
}

/// How the tasks of a process are doing that are started again. Clones look at the same.
#[derive(Clone, Default)]
pub(crate) struct TaskHealth(Arc<Mutex<BTreeMap<&'static str, Restarts>>>);

/// How often a task was started again.
#[derive(Debug)]
struct Restarts {
    count: u64,
    last_reason: String,
    last: Instant,
    /// Whether it waits to be started again.
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

    fn ended(&self, task: &'static str, reason: String) {
        let mut tasks = self.lock();
        let count = tasks.get(task).map_or(0, |restarts| restarts.count);
        tasks.insert(task, Restarts { count, last_reason: reason, last: Instant::now(), waits: true });
    }

    fn started_again(&self, task: &'static str) {
        if let Some(restarts) = self.lock().get_mut(task) {
            restarts.count += 1;
            restarts.waits = false;
        }
    }

    /// Why the process is not ready, in lines: tasks wait to be started again.
    pub fn reason(&self) -> Option<String> {
        let tasks = self.lock();
        let waiting = tasks.iter().filter(|(_, restarts)| restarts.waits);
        let lines: Vec<String> = waiting
            .map(|(task, Restarts { last_reason, .. })| {
                format!("{task} ended unexpectedly, and is started again in a moment: {last_reason}\n")
            })
            .collect();
        (!lines.is_empty()).then(|| lines.concat())
    }

    /// The tasks that were started again not long ago.
    pub fn warnings(&self) -> Vec<String> {
        let tasks = self.lock();
        let recent = tasks.iter().filter(|(_, restarts)| !restarts.waits && restarts.last.elapsed() < LASTING);
        let line = |(task, Restarts { count, last_reason, .. }): (&&str, &Restarts)| {
            format!("{task} ended unexpectedly, and was started again ({count} times so far): {last_reason}")
        };
        recent.map(line).collect()
    }
}

impl Collector for TaskHealth {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "How often a task of this process ended unexpectedly and was started again";
        let mut family = encoder.encode_descriptor("task_restarts", help, None, MetricType::Counter)?;
        for (task, restarts) in &*self.lock() {
            ConstCounter::new(restarts.count).encode(family.encode_family(&[("task", *task)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn supervisor() -> (Supervisor, TaskHealth) {
        let health = TaskHealth::default();
        (Supervisor::new(CancellationToken::new(), health.clone()), health)
    }

    fn panic_at(row: u32) {
        panic!("row {row}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_panics_or_just_ends_ends_the_process_with_its_reason() {
        let (mut tasks, _) = supervisor();
        tasks.run("the first", async { Err("no schema") });
        assert_eq!(tasks.failed().await.to_string(), "the first ended unexpectedly: no schema");
        tasks.run("the second", async { panic_at(7) });
        assert_eq!(tasks.failed().await.to_string(), "the second ended unexpectedly: it panicked: row 7");
        tasks.run("the third", async {});
        let ended = tasks.failed().await.to_string();
        assert_eq!(ended, "the third ended unexpectedly: it returned, and was not told to stop");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_was_told_to_stop_ends_as_expected_and_one_that_fails_then_is_reported() {
        let (mut tasks, _) = supervisor();
        let stop = tasks.stop.clone();
        tasks.run("one", stop.clone().cancelled_owned());
        tasks.keep_running("two", move || stop.clone().cancelled_owned());
        assert_eq!(tasks.stop().await, Ok(()));
        let (mut tasks, _) = supervisor();
        let stop = tasks.stop.clone();
        tasks.run("one", async move {
            stop.cancelled().await;
            Err("the last batch was not written")
        });
        let ended = tasks.stop().await.map_err(|ended| ended.to_string());
        assert_eq!(ended, Err("one ended unexpectedly: the last batch was not written".to_owned()));
    }

    /// A loop that panics, fails, ends, and runs from then on.
    fn fails_three_times(runs: Arc<AtomicU32>) -> impl Fn() -> futures::future::BoxFuture<'static, Result<(), String>> {
        move || {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match run {
                    0 => panic!("a row that nobody expected"),
                    1 => Err("no connection".to_owned()),
                    2 => Ok(()),
                    _ => std::future::pending().await,
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_started_again_after_each_end_with_ever_longer_pauses_and_shows_that() {
        let ((mut tasks, health), runs) = (supervisor(), Arc::<AtomicU32>::default());
        tasks.keep_running("the loop", fails_three_times(runs.clone()));
        let mut seen = Vec::new();
        for pause in [1, 2, 4] {
            sleep(Duration::from_millis(1)).await;
            seen.push(health.reason().unwrap_or_default());
            assert_eq!(health.warnings(), Vec::<String>::new(), "it waits, and is not said to run");
            sleep(Duration::from_secs(pause)).await;
        }
        assert!(seen[0].contains("the loop") && seen[0].contains("a row that nobody expected"), "{seen:?}");
        assert!(seen[1].contains("no connection") && seen[2].contains("it returned"), "{seen:?}");
        assert_eq!((runs.load(Ordering::Relaxed), health.reason()), (4, None));
        let warnings = health.warnings().concat();
        assert!(warnings.contains("3 times") && warnings.contains("it returned"), "{warnings}");
        sleep(LASTING).await;
        assert_eq!(health.warnings(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_to_be_started_again_can_be_stopped() {
        let (mut tasks, health) = supervisor();
        tasks.keep_running("the loop", || async { Err("never") });
        sleep(LASTING).await;
        assert!(health.reason().is_some());
        let begun = Instant::now();
        assert_eq!(tasks.stop().await, Ok(()));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn restarts_are_counted_for_each_task() {
        let (mut tasks, health) = supervisor();
        tasks.keep_running("the loop", || async { Err("never") });
        sleep(Duration::from_secs(2)).await;
        let mut registry = prometheus_client::registry::Registry::with_prefix("tenuto");
        registry.register_collector(Box::new(health));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap_or_default();
        assert!(text.contains("tenuto_task_restarts_total{task=\"the loop\"} 1"), "{text}");
    }
}

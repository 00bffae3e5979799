//! Tasks that end, fail, panic, restart and stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::health::LASTING;
use crate::{Supervisor, TaskHealth};

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
    let stop = tasks.stop_token();
    tasks.run("one", stop.clone().cancelled_owned());
    tasks.keep_running("two", move || stop.clone().cancelled_owned());
    assert_eq!(tasks.stop().await, Ok(()));
    let (mut tasks, _) = supervisor();
    let stop = tasks.stop_token();
    tasks.run("one", async move {
        stop.cancelled().await;
        Err("the last batch was not written")
    });
    let ended = tasks.stop().await.map_err(|ended| ended.to_string());
    assert_eq!(ended, Err("one ended unexpectedly: the last batch was not written".to_owned()));
}

/// A loop whose first three runs panic, fail and return; the fourth runs for ever.
fn fails_three_times(runs: Arc<AtomicU32>) -> impl Fn() -> futures::future::BoxFuture<'static, Result<(), String>> {
    move || {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match run {
                0 => panic!("an unexpected row"),
                1 => Err("no connection".to_owned()),
                2 => Ok(()),
                _ => std::future::pending().await,
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_is_restarted_after_each_end_with_longer_and_longer_pauses_and_reports_it() {
    let ((mut tasks, health), runs) = (supervisor(), Arc::<AtomicU32>::default());
    tasks.keep_running("the loop", fails_three_times(runs.clone()));
    let mut seen = Vec::new();
    for pause in [1, 2, 4] {
        sleep(Duration::from_millis(1)).await;
        seen.push(health.reason().unwrap_or_default());
        assert_eq!(health.warnings(), Vec::<String>::new(), "it waits, and is not reported as running");
        sleep(Duration::from_secs(pause)).await;
    }
    assert!(seen[0].contains("the loop") && seen[0].contains("an unexpected row"), "{seen:?}");
    assert!(seen[1].contains("no connection") && seen[2].contains("it returned"), "{seen:?}");
    assert_eq!((runs.load(Ordering::Relaxed), health.reason()), (4, None));
    let warnings = health.warnings().concat();
    assert!(warnings.contains("3 times") && warnings.contains("it returned"), "{warnings}");
    sleep(LASTING).await;
    assert_eq!(health.warnings(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_waits_for_its_restart_can_be_stopped() {
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
    let text = metrics::Page::default().with(health).text().unwrap_or_default();
    assert!(text.contains("tenuto_task_restarts_total{task=\"the loop\"} 1"), "{text}");
}

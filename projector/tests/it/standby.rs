//! One projector writes; others take over.

use std::time::Duration;

use projector::{ProjectorOptions, Role};

use crate::histories::all_ways;
use crate::support::{Log, Running, Views, batches_of, until};

/// Ends the session that holds this database's advisory lock: those of other tests are in the same
/// cluster.
const TERMINATE_HOLDER: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
     WHERE locktype = 'advisory' AND datname = current_database()";

#[tokio::test]
async fn when_the_active_projector_goes_another_takes_over() {
    let (log, last) = Log::with(&all_ways()).await;
    let reference = Views::of(&log, last, batches_of(1_000)).await.rows().await;
    let views = Views::empty().await;
    let first = Running::start(&log, &views, batches_of(1));
    first.until(|now| now.role == Role::Active).await;
    let second = Running::start(&log, &views, batches_of(4));
    first.until(|now| now.position.is_some()).await;
    assert_eq!(second.health.now().role, Role::Standby);

    // As if it were killed: it cannot release its place.
    first.task.abort();
    second.until(|now| now.role == Role::Active).await;
    second.reach(last).await;
    second.stop().await;
    assert_eq!(views.rows().await, reference);
}

#[tokio::test]
async fn a_projector_that_falls_silent_loses_its_place_and_does_no_harm_when_it_wakes() {
    let (log, last) = Log::with(&all_ways()).await;
    let reference = Views::of(&log, last, batches_of(1_000)).await.rows().await;
    let views = Views::empty().await;
    let silence = Duration::from_millis(400);
    let sleepy = ProjectorOptions { silence, ..batches_of(1) };
    let health = sleepy.health.clone();
    let (store, pool) = (log.store.clone(), views.pool.clone());
    let (wake, slept) = std::sync::mpsc::channel::<()>();
    let (fall_silent, silent) = tokio::sync::oneshot::channel();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let ended = shutdown.clone();
    // It has its own thread, so that it can be stopped as a whole, as SIGSTOP does.
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let projector = tokio::spawn(projector::run(sleepy, store, pool, ended));
            health.wait_for(|now| now.position.is_some()).await;
            fall_silent.send(()).unwrap();
            slept.recv().unwrap();
            projector.await.unwrap().unwrap();
        });
    });

    silent.await.unwrap();
    let other = Running::start(&log, &views, batches_of(4));
    other.until(|now| now.role == Role::Active).await;
    wake.send(()).unwrap();
    other.reach(last).await;
    shutdown.cancel();
    other.stop().await;
    // Not on this thread: the log, which the other may be asking, runs on it.
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
    assert_eq!(views.rows().await, reference);
}

#[tokio::test]
async fn a_lost_connection_is_taken_up_again_without_losing_the_place() {
    let (log, last) = Log::with(&all_ways()).await;
    let reference = Views::of(&log, last, batches_of(1_000)).await.rows().await;
    let views = Views::empty().await;
    let projector = Running::start(&log, &views, ProjectorOptions { pace: Duration::from_millis(5), ..batches_of(1) });
    for _ in 0..5 {
        let before = projector.until(|now| now.role == Role::Active && now.position.is_some()).await.position;
        views.sql(TERMINATE_HOLDER).await;
        projector.until(|now| now.position > before || now.position == Some(last)).await;
    }
    projector.reach(last).await;
    projector.stop().await;
    assert_eq!(views.rows().await, reference);
}

#[tokio::test]
async fn a_projector_with_nothing_to_do_keeps_its_place() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::empty().await;
    let silence = Duration::from_secs(2);
    let projector = Running::start(&log, &views, ProjectorOptions { silence, ..batches_of(1_000) });
    projector.reach(last).await;
    let holder = "SELECT pid::text FROM pg_locks JOIN pg_database d ON d.oid = database
                  WHERE locktype = 'advisory' AND datname = current_database()";
    let before = views.texts(holder).await;
    assert_eq!(before.len(), 1);
    views.sql("CREATE TABLE idle_since AS SELECT clock_timestamp() AS moment").await;
    // The same session is used after Postgres would have ended it, had it been silent.
    let outlasted = "SELECT pid::text FROM pg_stat_activity CROSS JOIN idle_since
                     WHERE query_start > moment + interval '2 s' AND datname = current_database()
                       AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')";
    until("the session outlasts its silence", async || !views.texts(outlasted).await.is_empty()).await;
    assert_eq!(views.texts(holder).await, before);
    projector.stop().await;
    // Postgres ends a session a moment after its connection was closed.
    until("the place is free", async || views.texts(holder).await.is_empty()).await;
}

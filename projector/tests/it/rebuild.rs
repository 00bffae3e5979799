//! Rebuilt views replace the live ones, and are the same.

use std::sync::Mutex;

use event_store::Position;
use projector::rebuild::{RebuildError, RebuildOptions, Rebuilt, Stage, View, rebuild};
use tokio_util::sync::CancellationToken;

use crate::histories::{all_ways, just_placed};
use crate::support::{Log, Running, Views, batches_of};

pub fn all() -> RebuildOptions {
    RebuildOptions { views: View::ALL.to_vec(), only_check: false, restart: false, adopt: false }
}

pub async fn run(log: &Log, views: &Views, options: &RebuildOptions) -> Result<Rebuilt, RebuildError> {
    rebuild(options, &log.store, &views.pool, &CancellationToken::new(), |_| {}).await
}

/// The names of what a schema has, which a migration may refer to later.
const NAMES: &str = "SELECT relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
                     WHERE nspname = current_schema() AND relkind IN ('r', 'i') ORDER BY 1";

/// Another order comes just now.
async fn one_more(log: &Log, id: &str) -> Position {
    log.append(&format!("order-{id}"), just_placed(id).events).await
}

#[tokio::test]
async fn rebuilt_views_are_the_same_to_the_last_row_and_index() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(7)).await;
    let (rows, names) = (views.rows().await, views.texts(NAMES).await);
    let rebuilt = run(&log, &views, &all()).await.unwrap();
    assert_eq!((rebuilt.position, rebuilt.differences.len()), (Some(last), 0));
    assert_eq!(views.rows().await, rows);
    assert_eq!(views.texts(NAMES).await, names);
    let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'tenuto%'";
    assert!(views.texts(schemas).await.is_empty(), "the shadow is dropped");
}

#[tokio::test]
async fn a_check_lists_what_was_changed_and_a_rebuild_repairs_it() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(100)).await;
    let rows = views.rows().await;
    views.sql("UPDATE orders SET status = 'Free' WHERE id = 'shipped'").await;
    views.sql("DELETE FROM steps WHERE order_id = 'shipped' AND step = 'charge'").await;
    views.sql("INSERT INTO todo VALUES ('ghost', now(), 1, 1)").await;
    let spoilt = views.rows().await;

    let found = run(&log, &views, &RebuildOptions { only_check: true, ..all() }).await.unwrap();
    let named: Vec<String> = found
        .differences
        .iter()
        .map(|d| format!("{} {} {}", d.table, d.row, d.column.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(named, ["orders shipped status", "steps shipped charge -", "todo ghost -"]);
    assert_eq!(found.differences[0].view.as_deref(), Some("Free"));
    assert_eq!(views.rows().await, spoilt, "a check changes nothing");

    run(&log, &views, &RebuildOptions { views: vec![View::Steps], ..all() }).await.unwrap();
    let found = run(&log, &views, &RebuildOptions { only_check: true, ..all() }).await.unwrap();
    assert_eq!(found.differences.iter().map(|d| d.table).collect::<Vec<_>>(), ["orders", "todo"]);
    run(&log, &views, &all()).await.unwrap();
    assert_eq!(views.rows().await, rows);
}

#[tokio::test]
async fn a_rebuild_that_was_interrupted_goes_on_where_it_was() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(100)).await;
    let rows = views.rows().await;
    let stop = CancellationToken::new();
    // The first batch is written by then.
    let tell = |stage| {
        if matches!(stage, Stage::Filling { .. } | Stage::Indexing(_)) {
            stop.cancel();
        }
    };
    let stopped = rebuild(&all(), &log.store, &views.pool, &stop, tell).await;
    assert!(matches!(stopped, Err(RebuildError::Stopped)), "{stopped:?}");
    assert_eq!(views.rows().await, rows);
    let more = one_more(&log, "another").await;
    let projector = Running::start(&log, &views, batches_of(100));
    projector.reach(more).await;
    let rebuilt = run(&log, &views, &all()).await.unwrap();
    assert!(rebuilt.events < 40, "{} events were read, and not only those that came since", rebuilt.events);
    assert_eq!(rebuilt.position, Some(more));
    projector.stop().await;
}

#[tokio::test]
async fn orders_go_on_while_views_are_exchanged_under_them() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(100)).await;
    let projector = Running::start(&log, &views, batches_of(3));
    projector.reach(last).await;
    let newest = Mutex::new(last);
    let arriving = async {
        for n in 0..40 {
            let position = one_more(&log, &format!("more-{n}")).await;
            *newest.lock().unwrap() = position;
        }
    };
    let rebuilding = async {
        for _ in 0..4 {
            run(&log, &views, &all()).await.unwrap();
        }
    };
    tokio::join!(arriving, rebuilding);
    let newest = *newest.lock().unwrap();
    projector.reach(newest).await;
    projector.stop().await;
    assert_eq!(views.rows().await, Views::of(&log, newest, batches_of(1_000)).await.rows().await);
}

#[tokio::test]
async fn two_rebuilds_at_once_are_one_and_a_refusal() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(100)).await;
    let (options, never) = (all(), CancellationToken::new());
    let (first, second) = tokio::join!(
        rebuild(&options, &log.store, &views.pool, &never, |_| {}),
        rebuild(&options, &log.store, &views.pool, &never, |_| {}),
    );
    let refused = |outcome: &Result<Rebuilt, RebuildError>| matches!(outcome, Err(RebuildError::UnderWay));
    assert!(refused(&first) || refused(&second) || (first.is_ok() && second.is_ok()));
    assert!(first.is_ok() || second.is_ok());
}

//! Views are made from one log, and from no other, unless an operator says so.

use event_store::{LOG_STREAM, Position};
use leader_consumer::{LogAlarm, Mismatch, OriginError};
use projector::ProjectorOptions;
use projector::rebuild::{RebuildError, RebuildOptions, View, rebuild};
use tokio_util::sync::CancellationToken;
use views::{LogCheckError, compare_log, verify_log};

use crate::histories::{all_ways, just_placed};
use crate::support::{Log, Running, Views, batches_of, until};

const CHECKPOINT: &str = "SELECT to_jsonb(c)::text FROM checkpoints c";

/// A copy of a log, up to a position, as a restored backup is.
async fn copy(log: &Log, to: Position) -> Log {
    let copy = Log::empty().await;
    for event in log.store.read_all(None, 10_000).await.unwrap().into_iter().filter(|event| event.position <= to) {
        let same = event_store::NewEvent {
            id: event.id,
            event_type: event.event_type,
            data: event.data,
            metadata: event.metadata,
        };
        assert_eq!(copy.append(&event.stream, vec![same]).await, event.position);
    }
    copy
}

/// Runs a projector on the wrong log, until it refuses that. Returns the reason.
async fn refused(log: &Log, views: &Views) -> String {
    let (rows, checkpoint) = (views.rows().await, views.texts(CHECKPOINT).await);
    let alarm = LogAlarm::default();
    let head = log.store.head().await.unwrap();
    let projector = Running::start(log, views, ProjectorOptions { alarm: alarm.clone(), ..batches_of(10) });
    until("the projector refuses the log", async || alarm.is_raised()).await;
    projector.stop().await;
    assert_eq!(log.store.head().await.unwrap(), head, "nothing was written to the log");
    assert_eq!(views.rows().await, rows, "nothing was written to the views");
    assert_eq!(views.texts(CHECKPOINT).await, checkpoint);
    alarm.reason().unwrap()
}

fn mismatch<T: std::fmt::Debug>(checked: Result<T, LogCheckError>) -> Mismatch {
    match checked {
        Err(LogCheckError::Origin(OriginError::Mismatch(mismatch))) => mismatch,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn views_are_not_made_from_a_log_that_was_put_in_the_place_of_theirs() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(7)).await;
    let identity = log.store.identity().await.unwrap();
    assert!(identity.is_some(), "the projector gave the log an identity");

    let empty = Log::empty().await;
    assert!(refused(&empty, &views).await.contains("this one has no identity"));
    // It has even the same events, at the same places.
    let (other, _) = Log::with(&all_ways()).await;
    other.store.identity_or_new().await.unwrap();
    assert!(refused(&other, &views).await.contains("tenuto rebuild --yes"));
    assert!(matches!(
        mismatch(verify_log(&other.store, &views.pool).await),
        Mismatch::OtherLog { expected, found: Some(_) } if Some(expected) == identity
    ));
    assert_eq!(verify_log(&log.store, &views.pool).await.unwrap(), identity.unwrap());
}

#[tokio::test]
async fn a_log_from_an_older_backup_is_refused_and_also_once_it_has_grown_past_the_views() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(7)).await;
    let before = Position { commit: last.commit - 3, prepare: last.prepare - 3 };
    let older = copy(&log, before).await;
    // The identity came after the events here; a backup has it too.
    let identity = log.store.read_stream(LOG_STREAM, 0, 1).await.unwrap().remove(0);
    let (id, event_type, data, metadata) = (identity.id, identity.event_type, identity.data, identity.metadata);
    let begun = event_store::NewEvent { id, event_type, data, metadata };
    older.append(LOG_STREAM, vec![begun]).await;

    assert!(refused(&older, &views).await.contains("the checkpoint is ahead of the log"));
    for number in 0..5 {
        older.append(&format!("order-new-{number}"), just_placed(&format!("new-{number}")).events).await;
    }
    assert!(older.store.head().await.unwrap() > Some(last));
    assert!(refused(&older, &views).await.contains("it has another event at position"));
}

#[tokio::test]
async fn views_from_before_logs_had_an_identity_are_compared_by_their_newest_order_and_then_take_it() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(7)).await;
    views
        .sql("UPDATE checkpoints SET log_id = NULL, mark_position = NULL, mark_prepare = NULL, mark_event = NULL")
        .await;
    let (other, _) = Log::with(&all_ways()).await;
    other.append("unrelated-1", just_placed("more").events).await;
    assert!(matches!(mismatch(verify_log(&other.store, &views.pool).await), Mismatch::OtherEvent { .. }));

    let identity = verify_log(&log.store, &views.pool).await.unwrap();
    assert_eq!(views.texts("SELECT log_id::text FROM checkpoints").await, [identity.to_string()]);
}

#[tokio::test]
async fn a_rebuild_adopts_another_log_only_if_its_options_say_so_and_only_for_all_views() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(7)).await;
    let (other, end) = Log::with(&[just_placed("new")]).await;
    let never = CancellationToken::new();
    let options = RebuildOptions { views: View::ALL.to_vec(), only_check: false, restart: false, adopt: false };
    let run = async |options: &RebuildOptions| rebuild(options, &other.store, &views.pool, &never, |_| {}).await;

    assert!(matches!(run(&options).await, Err(RebuildError::OtherLog(_))));
    let check = RebuildOptions { only_check: true, adopt: true, ..options.clone() };
    assert!(matches!(run(&check).await, Err(RebuildError::OtherLog(_))));
    let some = RebuildOptions { views: vec![View::Orders], adopt: true, ..options.clone() };
    assert!(matches!(run(&some).await, Err(RebuildError::OnlyTogether(_))));

    let rebuilt = run(&RebuildOptions { adopt: true, ..options }).await.unwrap();
    assert_eq!((rebuilt.position, rebuilt.orders, rebuilt.adopted.is_some()), (Some(end), 1, true));
    assert_eq!(views.texts("SELECT id FROM orders").await, ["new"]);
    assert_eq!(compare_log(&other.store, &views.pool).await.unwrap(), None);
    // The projector goes on from the end of this log, which is before where the views were.
    let projector = Running::start(&other, &views, batches_of(7));
    let last = other.append("order-newer", just_placed("newer").events).await;
    projector.reach(last).await;
    projector.stop().await;
    assert_eq!(views.texts("SELECT id FROM orders ORDER BY id").await, ["new", "newer"]);
}

/// The table of keys as `pg_dump --table customer_keys` restores it.
const KEYS_ALONE: &str = "CREATE TABLE customer_keys (
    id uuid PRIMARY KEY, customer_id text NOT NULL, secret bytea CHECK (length(secret) = 32),
    created_at timestamptz NOT NULL DEFAULT now(), destroyed_at timestamptz,
    CHECK ((secret IS NULL) = (destroyed_at IS NOT NULL)));
    CREATE UNIQUE INDEX customer_keys_in_use ON customer_keys (customer_id) WHERE secret IS NOT NULL;
    CREATE INDEX customer_keys_of_customer ON customer_keys (customer_id);
    INSERT INTO customer_keys (id, customer_id, secret)
    VALUES ('00000000-0000-0000-0000-000000000001', 'VINET', decode(repeat('07', 32), 'hex'));
    INSERT INTO customer_keys (id, customer_id, destroyed_at)
    VALUES ('00000000-0000-0000-0000-000000000002', 'TOMSP', now())";

#[tokio::test]
async fn a_database_that_has_the_keys_alone_gets_the_schema_and_keeps_them() {
    let views = Views::without_schema().await;
    views.sql(KEYS_ALONE).await;
    let (one, other) = tokio::join!(views::migrate(&views.pool), views::migrate(&views.pool));
    one.unwrap();
    other.unwrap();
    let kept = "SELECT customer_id || ' ' || (secret IS NOT NULL)::text FROM all_customer_keys ORDER BY id";
    assert_eq!(views.texts(kept).await, ["VINET true", "TOMSP false"]);
    views::migrate(&views.pool).await.unwrap();
    assert_eq!(views.texts("SELECT (to_regclass('restored_customer_keys') IS NULL)::text").await, ["true"]);
}

//! One bad event stops nothing else.

use event_store::{NewEvent, Position};
use projector::{Retried, retry};
use serde_json::{Value, json};

use crate::histories::{all_ways, just_placed, raw};
use crate::support::{Log, Running, Views, batches_of};

/// What `OrderPlaced` says of an order, to be spoilt.
fn placed(id: &str) -> NewEvent {
    just_placed(id).events.remove(0)
}

fn with(mut event: NewEvent, field: &str, value: Value) -> NewEvent {
    let mut data: Value = serde_json::from_slice(&event.data).unwrap();
    data[field] = value;
    event.data = data.to_string().into();
    event
}

/// Good orders, and among them every kind of bad event.
pub async fn poisoned() -> (Log, Position) {
    let (log, _) = Log::with(&all_ways()).await;
    // The rest of its life is not to be had.
    log.append("order-waiting", vec![raw("OrderDanced", "{}", r#"{"$correlationId":"","schema":1,"hash":""}"#)]).await;
    log.append("order-placed", vec![raw("OrderCompleted", "[1]", "[1]")]).await;
    // Cannot follow: the order has ended.
    log.append("order-shipped", vec![placed("shipped")]).await;
    log.append("order-late", vec![placed("late"), raw("StepStarted", "{}", "{}"), placed("late")]).await;
    // Postgres takes no NUL, in JSON or in text, and no such index entry.
    log.append("order-nul", vec![with(placed("nul"), "attributes", json!({ "note": "a\0b" }))]).await;
    log.append("order-nul2", vec![with(placed("nul2"), "currency", json!("E\0R"))]).await;
    let unindexable: String =
        (0..9_000_u32).filter_map(|n| char::from_u32(0x4e00 + n.wrapping_mul(2_654_435_761) % 20_000)).collect();
    log.append("order-long", vec![with(placed("long"), "customerId", json!(unindexable))]).await;
    log.append("order-..", vec![placed("x")]).await;
    log.append(
        "workflow-bad",
        vec![raw("WorkflowRegistered", r#"{"name":"bad","version":1,"source":"{","at":"2026-01-01T00:00:00Z"}"#, "")],
    )
    .await;
    log.append("workflow-bad", vec![raw("Strange\0", "7", "")]).await;
    let last = log.append("order-good", vec![placed("good")]).await;
    (log, last)
}

const PARKED: &str = "SELECT stream || ' ' || revision || ' ' || type FROM parked ORDER BY position";

#[tokio::test]
async fn bad_events_are_set_aside_with_their_reasons_and_the_rest_goes_on() {
    let (log, last) = poisoned().await;
    let views = Views::empty().await;
    let projector = Running::start(&log, &views, batches_of(1_000));
    let snapshot = projector.reach(last).await;
    let parked = views.texts(PARKED).await;
    let streams: Vec<&str> = parked.iter().map(|text| text.split_once(' ').unwrap().0).collect();
    assert_eq!(
        streams,
        [
            "order-waiting",
            "order-placed",
            "order-shipped",
            "order-late",
            "order-late",
            "order-nul",
            "order-nul2",
            "order-long",
            "order-..",
            "workflow-bad",
            "workflow-bad",
        ]
    );
    assert_eq!(snapshot.parked, 11);
    assert_eq!(
        views.texts("SELECT id FROM orders WHERE parked ORDER BY id").await,
        ["late", "placed", "shipped", "waiting"]
    );
    assert_eq!(views.texts("SELECT id FROM orders WHERE id IN ('good', 'nul', 'long')").await, ["good"]);
    assert_eq!(views.texts("SELECT count(*)::text FROM timeline WHERE order_id = 'late'").await, ["1"]);
    assert_eq!(views.texts("SELECT stream FROM parked WHERE reason = ''").await, [""; 0]);
    assert_eq!(
        views.texts("SELECT reason FROM parked WHERE stream = 'order-waiting'").await,
        ["unknown event type \"OrderDanced\""]
    );
    assert_eq!(
        views.texts("SELECT reason FROM parked WHERE stream = 'order-late' AND revision = 2").await,
        ["an earlier event of this order is parked"]
    );

    // And so do the later events of its order, also for one that has just come.
    projector.stop().await;
    let last = log.append("order-late", vec![placed("late")]).await;
    let projector = Running::start(&log, &views, batches_of(1_000));
    assert_eq!(projector.reach(last).await.parked, 12);
    projector.stop().await;
    assert_eq!(
        views.texts("SELECT revision::text FROM parked WHERE stream = 'order-late' ORDER BY 1").await,
        ["1", "2", "3"]
    );
}

#[tokio::test]
async fn streams_of_other_applications_are_counted_once_each_and_not_set_aside() {
    let (log, _) = Log::with(&all_ways()).await;
    let foreign = |event_type| raw(event_type, r#"{"sku":1}"#, r#"{"$correlationId":"x"}"#);
    for number in 0..30 {
        log.append(&format!("order-foreign{number}"), vec![foreign("OrderPlaced"), foreign("Shipped")]).await;
    }
    // A name that no order has.
    log.append("order-a b", vec![foreign("OrderPlaced"), foreign("Shipped")]).await;
    let last = log.append("order-good", vec![placed("good")]).await;
    let mut expected = None;
    for batch in [1_000, 1, 7] {
        let views = Views::empty().await;
        let projector = Running::start(&log, &views, batches_of(batch));
        let snapshot = projector.reach(last).await;
        projector.stop().await;
        assert_eq!((snapshot.parked, snapshot.foreign_streams), (0, 31), "in batches of {batch}");
        assert_eq!(views.texts("SELECT id FROM orders WHERE id LIKE '%foreign%'").await, [""; 0]);
        assert_eq!(views.texts("SELECT id FROM orders WHERE id = 'good'").await, ["good"]);
        let rows = views.rows().await;
        assert_eq!(*expected.get_or_insert_with(|| rows.clone()), rows, "in batches of {batch}");

        // Their later events are known for what they are, also by a projector that has not seen the
        // first.
        let later = log.append("order-foreign0", vec![foreign("Shipped")]).await;
        let projector = Running::start(&log, &views, batches_of(batch));
        let snapshot = projector.reach(later).await;
        projector.stop().await;
        assert_eq!((snapshot.parked, snapshot.foreign_streams), (0, 0));
    }
}

#[tokio::test]
async fn an_order_of_which_an_operator_of_the_log_hides_events_is_marked_until_they_are_shown_again() {
    let (log, _) = Log::with(&all_ways()).await;
    let set = async |data: &str| log.append("$$order-waiting", vec![raw("$metadata", data, "{}")]).await;
    // What hides nothing marks nothing.
    log.append("$$order-placed", vec![raw("$metadata", r#"{"$acl":{"$r":"ann"}}"#, "{}")]).await;
    let hidden = set(r#"{"$tb":9223372036854775807}"#).await;
    let marked = "SELECT id FROM orders WHERE parked";
    let reasons = "SELECT stream || ': ' || reason FROM parked";
    let expected = ["$$order-waiting: the history of the order is incomplete: the stream was deleted"];
    let all = [Views::empty().await, Views::empty().await];
    for (views, batch) in all.iter().zip([1_000, 1]) {
        let projector = Running::start(&log, views, batches_of(batch));
        assert_eq!(projector.reach(hidden).await.parked, 1);
        projector.stop().await;
        assert_eq!(
            (views.texts(marked).await, views.texts(reasons).await),
            (vec!["waiting".into()], vec![expected[0].into()])
        );
        let retried = retry(&log.store, &views.pool, "$$order-waiting").await.unwrap();
        assert!(matches!(retried, Retried::StillParked(_)), "{retried:?}");
    }
    // Other limits of the same order are one row, and not two.
    let hidden = set(r#"{"$maxCount":1}"#).await;
    let running = [1_000, 1].map(batches_of);
    let running: Vec<_> =
        all.iter().zip(running).map(|(views, options)| Running::start(&log, views, options)).collect();
    for projector in &running {
        assert_eq!(projector.reach(hidden).await.parked, 1);
    }
    // Each projector has counted the row, and no longer counts it once it is deleted.
    let shown = set("{}").await;
    for (views, projector) in all.iter().zip(running) {
        assert_eq!(projector.reach(shown).await.parked, 0);
        projector.stop().await;
        assert_eq!((views.texts(marked).await, views.texts(reasons).await), (vec![], vec![]));
    }
    assert_eq!(all[0].rows().await, all[1].rows().await);
}

#[tokio::test]
async fn what_is_set_aside_does_not_depend_on_the_batches() {
    let (log, last) = poisoned().await;
    let reference = Views::of(&log, last, batches_of(1_000)).await;
    let expected = reference.texts(PARKED).await;
    let rows = reference.rows().await.into_iter().filter(|row| !row.starts_with("parked")).collect::<Vec<_>>();
    for batch in [1, 2, 7] {
        let views = Views::of(&log, last, batches_of(batch)).await;
        assert_eq!(views.texts(PARKED).await, expected, "in batches of {batch}");
        let same = views.rows().await.into_iter().filter(|row| !row.starts_with("parked")).collect::<Vec<_>>();
        assert_eq!(same, rows, "in batches of {batch}");
    }
}

#[tokio::test]
async fn what_a_later_version_understands_is_had_after_a_retry_while_the_projector_goes_on() {
    let (log, last) = Log::with(&all_ways()).await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    // As an earlier version left it, which did not understand what happened after the order was
    // placed.
    views
        .sql(
            "INSERT INTO parked SELECT position, revision, 'order-shipped', event_id, type, recorded_at, 'unknown', '', ''
             FROM timeline WHERE order_id = 'shipped' AND revision > 0;
             DELETE FROM timeline WHERE order_id = 'shipped' AND revision > 0;
             DELETE FROM steps WHERE order_id = 'shipped';
             UPDATE orders SET revision = 0, status = 'Placed', state = 'RUNNING', ended_at = NULL, result = NULL, parked = true
             WHERE id = 'shipped';
             DELETE FROM order_counts;
             INSERT INTO order_counts
             SELECT date_trunc('hour', placed_at, 'UTC'), state, status, count(*) FROM orders GROUP BY 1, 2, 3
             UNION ALL SELECT '-infinity', state, status, count(*) FROM orders GROUP BY 2, 3;
             DELETE FROM workflow_counts;
             INSERT INTO workflow_counts SELECT workflow, workflow_version, state, count(*) FROM orders GROUP BY 1, 2, 3",
        )
        .await;
    let projector = Running::start(&log, &views, batches_of(1_000));
    assert!(projector.until(|now| now.caught_up).await.parked > 0);
    assert_eq!(retry(&log.store, &views.pool, "order-shipped").await.unwrap(), Retried::Projected);
    assert_eq!(retry(&log.store, &views.pool, "order-shipped").await.unwrap(), Retried::NotParked);
    // The active projector notices this even when no event is appended.
    projector.until(|now| now.parked == 0 && now.caught_up).await;
    let last = log.append("order-new", just_placed("new").events).await;
    projector.reach(last).await;
    projector.stop().await;
    assert_eq!(views.rows().await, Views::of(&log, last, batches_of(1_000)).await.rows().await);
}

#[tokio::test]
async fn what_is_still_not_understood_stays_set_aside() {
    let (log, last) = poisoned().await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    let rows = views.rows().await;
    for stream in views::parked::streams(&views.pool).await.unwrap() {
        let retried = retry(&log.store, &views.pool, &stream).await.unwrap();
        assert!(matches!(retried, Retried::StillParked(_)), "{stream}: {retried:?}");
    }
    assert_eq!(views.rows().await, rows);
    let first = views::parked::page(&views.pool, None, 4).await.unwrap();
    let next =
        views::parked::page(&views.pool, first.last().map(|last| (last.position, last.revision)), 100).await.unwrap();
    assert_eq!((first.len(), next.len()), (4, 7));
}

//! When orders and steps are expected to end: a function of the log, like every other view.

use std::time::Duration;

use domain::Timestamp;
use domain::ids::OrderId;
use domain::order::{NewOrder, Operation, Reply};
use domain::testing::{Story, done, order};
use domain::workflow::Workflow;
use event_store::Position;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::histories::{WORKFLOW, history};
use crate::rebuild::{all, run};
use crate::support::{Log, Views, batches_of};
use projector::rebuild::RebuildOptions;

/// Thirty orders that are shipped, one every minute, and three that are not: one waits for
/// shipping, one is paused, and one has just been placed. The log has the events by their times.
async fn shop() -> (Log, Position) {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let (log, mut last) = Log::with(&[]).await;
    let mut events = Vec::new();
    for number in 0..33_u64 {
        let id = format!("s{number}");
        let mut story = Story::given(&workflow);
        story.pass(Duration::from_secs(60 * number));
        story.place(NewOrder { order_id: Some(OrderId::new(id.as_str()).unwrap()), ..order() }).whatever();
        for (step, takes) in [("create-order", 1), ("charge", 2 + number % 5)] {
            if number < 32 {
                story.pass(Duration::from_secs(takes));
                story.answer(step, done()).whatever();
            }
        }
        if number == 31 {
            story.operate(Operation::Pause).whatever();
        }
        if number < 30 {
            story.pass(Duration::from_secs(30 + 7 * (number % 4)));
            let shipped = Reply::Done { outcome: Some("shipped".to_owned()), data: json!({ "tracking": "T1" }) };
            story.answer("ship", shipped).whatever();
            story.pass(Duration::from_secs(1));
            story.answer("record-shipped", done()).whatever();
            story.pass(Duration::from_secs(1));
            story.answer("notify-shipped", done()).whatever();
            assert!(story.state().ended());
        }
        let times: Vec<Timestamp> = story.history().iter().map(domain::order::Event::at).collect();
        let written = history(&id, story.history(), story.state()).events;
        events.extend(times.into_iter().zip(written).map(|(at, event)| (at, id.clone(), event)));
    }
    events.sort_by_key(|(at, ..)| *at);
    for (_, id, event) in events {
        last = log.append(&format!("order-{id}"), vec![event]).await;
    }
    (log, last)
}

#[tokio::test]
async fn open_orders_and_their_steps_are_expected_by_what_others_took() {
    let (log, last) = shop().await;
    let views = Views::of(&log, last, batches_of(100)).await;
    let measured = "SELECT part || ' ' || step || ' ' || samples || ' ' || p50_ms || ' ' || p95_ms FROM estimates
                     WHERE workflow = 'order-fulfilment' AND version = 1 AND step IN ('', 'charge', 'ship') ORDER BY 1";
    let expected = [
        "REST  30 46079 60415",
        "REST charge 30 45055 59391",
        "REST ship 30 39423 53247",
        "STEP charge 32 4031 6015",
        "STEP ship 30 37375 51199",
    ];
    assert_eq!(views.texts(measured).await, expected);
    // One order a minute, so this is the time since the order was placed.
    let open = "SELECT order_id || ' ' || extract(epoch FROM expected_at)::integer - split_part(order_id, 's', 2)::integer * 60
                           || ' ' || (SELECT string_agg(key, ' ') FROM jsonb_each(steps)) FROM expectations ORDER BY 1";
    // `ship` began after 3 s, and its rest takes 53 s; from the beginning, an order takes 60 s. The
    // paused order and those that ended are not expected.
    assert_eq!(views.texts(open).await, ["s30 56 ship", "s32 60 create-order"]);
}

#[tokio::test]
async fn what_is_expected_does_not_depend_on_batches_on_restarts_or_on_a_rebuild() {
    let (log, last) = shop().await;
    let views = Views::of(&log, last, batches_of(1)).await;
    let rows = views.rows().await;
    assert_eq!(Views::of(&log, last, batches_of(1_000)).await.rows().await, rows);
    let check = run(&log, &views, &RebuildOptions { only_check: true, ..all() }).await.unwrap();
    assert_eq!(check.differences, []);
    for (spoilt, table) in [
        ("UPDATE estimates SET p95_ms = 1 WHERE step = 'ship' AND part = 'STEP'", "estimates"),
        ("UPDATE expectations SET expected_at = now() WHERE order_id = 's30'", "expectations"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(spoilt)).execute(&views.pool).await.unwrap();
        let check = run(&log, &views, &RebuildOptions { only_check: true, ..all() }).await.unwrap();
        assert_eq!(check.differences.iter().map(|d| d.table).collect::<Vec<_>>(), [table]);
        run(&log, &views, &all()).await.unwrap();
        assert_eq!(views.rows().await, rows);
    }
}

//! Orders with a problem, in `tenuto show` and GraphQL: held because of a mistake, with a result
//! that failed, or with events that could not be projected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use bytes::Bytes;
use event_store::{EventStore, Expected, NewEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::process::{binary, ends};
use crate::world::{World, order};

const FAILING: &str = "workflow: failing\nversion: 1\nparticipants: { payments: { url: '${PAYMENTS_URL}' } }\n\
                       steps: { charge: { call: payments.charge, with: { amount: order.total, currency: order.currency } } }\n\
                       result: \"{ 'tracking': steps.charge.data.tracking }\"";

impl World {
    /// The output of `tenuto show` for an order. Its exit code must be this one.
    #[track_caller]
    fn shows(&self, id: &str, code: i32, more: &[&str]) -> String {
        let mut command = binary();
        command.args(["show", id, "--server", &self.base]).args(more);
        ends(&command.output().unwrap(), code)
    }
}

/// An event of Tenuto with a type from a later version.
fn strange(metadata: &Bytes) -> NewEvent {
    NewEvent { id: Uuid::new_v4(), event_type: "OrderDanced".to_owned(), data: "{}".into(), metadata: metadata.clone() }
}

/// A participant that answers 401 until its key is renewed. Returns its URL and the switch that
/// renews the key.
async fn expired() -> (String, Arc<AtomicBool>) {
    let renewed = Arc::new(AtomicBool::new(false));
    let is_renewed = renewed.clone();
    let answer = move || async move {
        if is_renewed.load(Ordering::Relaxed) {
            Ok("{}")
        } else {
            Err((StatusCode::UNAUTHORIZED, "the key has expired"))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    (url, renewed)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_held_is_shown_with_the_mistake_until_an_operator_retries_it() {
    let world = World::new().await;
    let (url, renewed) = expired().await;
    world
        .register(&format!(
            "workflow: carried\nversion: 1\nparticipants: {{ carrier: {{ url: '{url}' }} }}\n\
             steps: {{ ship: {{ call: carrier.ship, retry: {{ attempts: 1 }}, sets-status: Shipped }} }}"
        ))
        .await;
    world.place(&order("held", "carried", "11", 1)).await;
    world.comes_to("held", "Placed", "STUCK").await;

    let fields = "stuckReason endedAt steps { id status lastError }";
    let held = world.order("held", fields).await;
    let reason = held["stuckReason"].as_str().unwrap();
    assert!(reason.contains("carrier.ship") && reason.contains("401"), "{held}");
    assert_eq!((&held["steps"][0]["status"], &held["endedAt"]), (&json!("STUCK"), &Value::Null), "{held}");
    let found = world.query("{ orders(where: { state: STUCK, stuckReason: \"401\" }) { nodes { id } } }").await;
    assert_eq!(found["orders"]["nodes"], json!([{ "id": "held" }]));
    let shown = world.shows("held", 0, &[]);
    assert!(
        shown.contains("Order held is Placed (STUCK)") && shown.contains(&format!("stuck     {reason}")),
        "{shown}"
    );
    let step = shown.lines().find(|line| line.starts_with("  ship") && line.contains("STUCK"));
    assert!(step.is_some_and(|step| step.contains("401")), "{shown}");

    renewed.store(true, Ordering::Relaxed);
    let (status, body) =
        world.post("/orders/held/retry", &json!({ "actor": "ann", "reason": "the key was renewed" })).await;
    assert_eq!(status, 202, "{body}");
    world.comes_to("held", "Shipped", "COMPLETED").await;
    assert!(!world.shows("held", 0, &[]).contains("stuck  "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_failed_is_shown_with_the_reason() {
    let world = World::new().await;
    world.register(FAILING).await;
    world.place(&order("failed", "failing", "11", 1)).await;
    world.comes_to("failed", "Placed", "COMPLETED").await;
    let order = world.order("failed", "result resultError").await;
    let reason = order["resultError"].as_str().unwrap();
    assert!(order["result"].is_null() && reason.contains("tracking"), "{order}");
    let shown = world.shows("failed", 0, &[]);
    assert!(shown.contains(&format!("result    has no value: {reason}")), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_could_not_be_projected_are_shown_with_the_reason() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("danced", "order-fulfilment", "11", 1)).await;
    world.comes_to("danced", "Shipped", "COMPLETED").await;
    let log = EventStore::connect(&world.log).unwrap();
    let ours = log.read_stream("order-danced", 0, 1).await.unwrap()[0].metadata.clone();
    log.append("order-danced", Expected::Any, vec![strange(&ours), strange(&ours)]).await.unwrap();
    log.append("order-unborn", Expected::Any, vec![strange(&ours)]).await.unwrap();
    world
        .until("they are set aside", async || world.query("{ overview { parked } }").await["overview"]["parked"] == 3)
        .await;

    let shown = world.shows("danced", 0, &[]);
    let line = shown.lines().find(|line| line.contains("parked")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("2 events of it are set aside") && line.contains("OrderDanced"), "{line}");
    assert!(line.contains("tenuto projector retry") && !shown.contains("the views are behind"), "{shown}");
    let json: Value = serde_json::from_str(&world.shows("danced", 0, &["--json"])).unwrap();
    assert_eq!(json["data"]["parkedEvents"][0]["type"], "OrderDanced", "{json}");
    let ready = world.get("/readyz").await.1;
    assert!(ready.as_str().is_some_and(|ready| ready.contains("3 events could not be projected")), "{ready}");

    let unborn = world.shows("unborn", 2, &[]);
    assert!(unborn.contains("1 event of it is set aside") && unborn.contains("tenuto replay unborn"), "{unborn}");
    assert!(world.shows("unknown", 1, &[]).contains("there is no order unknown"));
}

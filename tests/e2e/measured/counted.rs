//! After a run with faults, the counters are what the log says, to the last one.
//!
//! `TENUTO_METRICS_ORDERS` sets the number of orders.

use serde_json::{Value, json};

use super::expected::from_log;
use super::{Samples, samples};
use crate::ledger::ends;
use crate::process::{from_environment, until};
use crate::world::{World, order};

/// The metrics that are counted where a decision is appended.
const COUNTED: [&str; 15] = [
    "tenuto_order_events_total{",
    "tenuto_orders_placed_total{",
    "tenuto_orders_ended_total{",
    "tenuto_orders_stuck_total{",
    "tenuto_compensations_started_total{",
    "tenuto_compensations_completed_total{",
    "tenuto_order_duration_seconds_count{",
    "tenuto_order_duration_seconds_sum{",
    "tenuto_step_duration_seconds_count{",
    "tenuto_step_duration_seconds_sum{",
    "tenuto_steps_held_total{",
    "tenuto_attempts_total{",
    "tenuto_retries_total{",
    "tenuto_attempt_results_total{",
    "tenuto_call_duration_seconds_count{",
];

/// Every kind of fault, and some more than once.
fn faults() -> Value {
    let payments = |action: &str, fault: Value| fault_of("payments", action, fault);
    json!([
        payments("charge", json!({ "respond": { "status": 503, "detail": "down" }, "rate": 0.2 })),
        payments("charge", json!({ "respond": { "status": 402, "detail": "no money" }, "rate": 0.1 })),
        payments("refund", json!({ "respond": { "status": 400, "detail": "closed" }, "times": 2 })),
        payments("refund", json!({ "crash": "after", "rate": 0.2 })),
        fault_of("shipping", "ship", json!({ "loseAnswer": true, "rate": 0.1 })),
        fault_of("shipping", "ship", json!({ "crash": "before", "rate": 0.1 })),
        fault_of("orders", "create", json!({ "crash": "after", "rate": 0.1 })),
        fault_of("notifications", "send", json!({ "respond": { "status": 429, "detail": "slow" }, "rate": 0.1 })),
    ])
}

fn fault_of(participant: &str, action: &str, mut fault: Value) -> Value {
    fault["participant"] = participant.into();
    fault["action"] = action.into();
    fault
}

async fn served(world: &World) -> Samples {
    let text = world.http.get(format!("{}/metrics", world.base)).send().await.unwrap().text().await.unwrap();
    samples(&text)
}

/// Whether an order has come to rest.
fn rests((_, state): &(String, String)) -> bool {
    ["COMPLETED", "CANCELED", "STUCK", "WAITING"].contains(&state.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_run_with_faults_every_counter_is_what_the_log_says() {
    let count = from_environment("TENUTO_METRICS_ORDERS", 200);
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": count / 2 }])).await;
    let (status, body) = world.post("/participants/faults", &faults()).await;
    assert!(status < 300, "{body}");
    // The node is no participant: it answers 404 without a problem, which is a mistake of the
    // deployment, and not a refusal.
    let elsewhere = world.log.replace("esdb://", "http://").replace("?tls=false", "");
    let held = format!(
        "workflow: held\nversion: 3\nparticipants: {{ absent: {{ url: {elsewhere:?} }} }}\n\
         steps: {{ go: {{ call: absent.go, retry: {{ attempts: 1 }} }} }}"
    );
    world.register(&held).await;
    for id in ["H1", "H2"] {
        world.place(&order(id, "held", "11", 1)).await;
    }
    for number in 0..count {
        let workflow = if number % 2 == 0 { "order-fulfilment" } else { "order-fulfilment-without-backorder" };
        world.place(&order(&format!("M{number}"), workflow, "11", 1)).await;
        if number % 20 == 7 {
            // It may have ended by then, or be undone: either answer will do.
            let cancel = json!({ "reason": "the customer called" });
            let (status, body) = world.post(&format!("/orders/M{number}/cancel"), &cancel).await;
            assert!([202, 409].contains(&status), "{status} {body}");
        }
    }
    let queries = &world.base;
    until("every order has come to rest", async || {
        let ends = ends(&world.http, queries).await;
        ends.len() as u64 == count + 2 && ends.values().all(rests)
    })
    .await;

    let expected = from_log(&world.log).await;
    let served = served(&world).await;
    let is_counted = |name: &&String| COUNTED.iter().any(|counted| name.starts_with(counted));
    let mut wrong = Vec::new();
    for name in served.keys().filter(is_counted).chain(expected.keys()) {
        let of = |samples: &Samples| samples.get(name).copied().unwrap_or_default();
        let (counted, should_be) = (of(&served), of(&expected));
        // Sums of times differ in their last digits, since they are added in another order.
        if (counted - should_be).abs() > 1e-6 * should_be.max(1.0) {
            wrong.push(format!("{name}: {counted} counted, {should_be} in the log"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A run that has nothing to count proves nothing.
    for counted in COUNTED {
        assert!(expected.keys().any(|name| name.starts_with(counted)), "{counted}…}} was not tried");
    }
    for class in ["ok", "accepted", "transient", "permanent", "misconfigured"] {
        let class = format!("class=\"{class}\"");
        assert!(expected.keys().any(|name| name.contains(&class)), "{class} was not tried");
    }
    let ok = served["tenuto_appends_total{result=\"ok\"}"];
    assert!(
        (served["tenuto_append_duration_seconds_count"] - ok).abs() < 0.5
            && ok >= f64::from(u32::try_from(count).unwrap()),
        "{ok}"
    );
}

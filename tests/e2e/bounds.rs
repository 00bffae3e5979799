//! Bounds: a participant that hangs or fails does not harm orders that do not need it, and
//! admission of orders is bounded by the progress of views and due work.

use serde_json::{Value, json};

use crate::parts::Parts;
use crate::process::{LIMIT, from_environment, until};
use crate::slow::{Held, Manner};
use crate::world::{World, order};

/// The memory of a connection whose client does nothing, in bytes; and what a process takes for two
/// orders.
const MAX_HELD_BYTES: u64 = 24 * 1024;
const MAX_OWN_BYTES: u64 = 16 * 1024 * 1024;

/// A world with the tests' workflows.
async fn world() -> World {
    World::with(&["--workflows", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workflows")]).await
}

async fn circuit(world: &World, participant: &str) -> Value {
    let (status, circuits) = world.get("/circuits").await;
    assert_eq!(status, 200, "{circuits}");
    let mut circuits = circuits.as_array().unwrap().iter();
    circuits.find(|circuit| circuit["participants"] == json!([participant])).cloned().unwrap_or_default()
}

async fn script(world: &World, fault: Value) {
    let (status, body) = world.post("/participants/faults", &json!([fault])).await;
    assert_eq!(status, 200, "{body}");
}

async fn ended(world: &World, status: &str) -> u64 {
    let overview = world.query("{ overview { byStatus { status count } } }").await;
    let mut counts = overview["overview"]["byStatus"].as_array().unwrap().iter();
    counts.find(|count| count["status"] == status).map_or(0, |count| count["count"].as_u64().unwrap())
}

#[tokio::test]
async fn a_participant_that_hangs_does_not_delay_orders_that_do_not_need_it() {
    let world = world().await;
    // This many concurrent calls are made to one participant. Others wait for their turn.
    script(&world, json!({ "participant": "payments", "action": "charge", "delayMs": 600_000 })).await;
    for number in 0..60 {
        world.place(&order(&format!("H{number}"), "order-charged", "11", 1)).await;
    }
    until("the calls hang", async || circuit(&world, "payments").await["callsInFlight"] == 48).await;
    futures::future::join_all((0..200).map(async |number| {
        world.place(&order(&format!("Q{number}"), "order-recorded", "11", 1)).await;
    }))
    .await;
    until("all others are through", async || ended(&world, "Recorded").await == 200).await;
    assert_eq!(circuit(&world, "payments").await["callsInFlight"], 48, "they still hang");
    assert_eq!(ended(&world, "Charged").await, 0);
}

#[tokio::test]
async fn while_a_circuit_is_open_attempts_wait_and_are_not_counted() {
    let world = world().await;
    let down = json!({ "status": 503, "detail": "down for maintenance" });
    script(&world, json!({ "participant": "payments", "action": "charge", "respond": down })).await;
    for number in 0..10 {
        world.place(&order(&format!("B{number}"), "order-fulfilment", "11", 1)).await;
    }
    until("the circuit is open", async || circuit(&world, "payments").await["circuit"] == "open").await;
    let open = circuit(&world, "payments").await;
    assert!(open["lastError"].as_str().unwrap().contains("503"), "{open}");
    // An order that loses its only attempt is undone.
    for number in 0..5 {
        world.place(&order(&format!("O{number}"), "order-charged", "11", 1)).await;
    }
    until("they wait", async || circuit(&world, "payments").await["attemptsWaiting"].as_u64() >= Some(4)).await;
    world.http.delete(format!("{}/participants/faults", world.base)).send().await.unwrap();
    until("all that waited, but the ones that tried, are through", async || ended(&world, "Charged").await >= 1).await;
    until("the circuit is closed", async || circuit(&world, "payments").await["circuit"] == "closed").await;
    let closed = circuit(&world, "payments").await;
    assert_eq!((&closed["failuresInARow"], &closed["attemptsWaiting"]), (&json!(0), &json!(0)), "{closed}");
}

async fn answer(orders: &str, id: &str) -> (u16, bool) {
    let body = order(id, "order-parallel", "11", 1);
    let answer = reqwest::Client::new().post(orders).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
}

#[tokio::test]
async fn orders_are_refused_while_the_views_are_too_far_behind() {
    let parts = Parts::without_projector().await;
    let (_handler, orders) = parts.handler_with(&["--max-lag-seconds", "1"]);
    assert_eq!(answer(&orders, "L0").await.0, 202);
    until("no order is taken", async || answer(&orders, "L0").await == (503, true)).await;
    let _projector = parts.projector();
    until("orders are taken again", async || answer(&orders, "L1").await.0 == 202).await;
}

#[tokio::test]
async fn orders_are_refused_while_too_many_orders_are_overdue() {
    let parts = Parts::new().await;
    let (_handler, orders) = parts.handler_with(&["--max-overdue", "3"]);
    assert_eq!(answer(&orders, "D0").await.0, 202);
    // No driver can work on these orders: the log does not have them.
    let overdue = "INSERT INTO todo (order_id, due_at, revision, position)
         SELECT 'gone-' || n, now() - interval '1 hour', 0, 0 FROM generate_series(1, 4) n";
    sqlx::query(overdue).execute(&parts.pool).await.unwrap();
    until("no order is taken", async || answer(&orders, "D0").await == (503, true)).await;
    sqlx::query("DELETE FROM todo WHERE order_id LIKE 'gone-%'").execute(&parts.pool).await.unwrap();
    until("orders are taken again", async || answer(&orders, "D1").await.0 == 202).await;
}

const WITH_UNKNOWN_HOST: &str = r#"
workflow: order-lost
version: 1
participants: { lost: { url: "http://lost.invalid" } }
steps: { go: { call: lost.go, retry: { attempts: 1 } } }
"#;

const WITH_RESULT_THAT_FAILS: &str = r#"
workflow: order-counted
version: 1
participants: { orders: { url: "${ORDERS_URL}" } }
steps: { record: { call: orders.create, with: { lines: order.lines } } }
result: "{ 'number': int(order.attributes.number) }"
"#;

#[tokio::test]
async fn metrics_report_circuits_held_steps_and_results_that_failed() {
    let world = world().await;
    let metrics = async || {
        let response = world.http.get(format!("{}/metrics", world.base)).send().await.unwrap();
        response.text().await.unwrap()
    };
    let before = metrics().await;
    for line in ["tenuto_held_steps 0.0", "tenuto_failed_results_total 0"] {
        assert!(before.lines().any(|known| known == line), "{line}: {before}");
    }
    for workflow in [WITH_UNKNOWN_HOST, WITH_RESULT_THAT_FAILS] {
        world.register(workflow).await;
    }
    world.place(&order("M1", "order-lost", "11", 1)).await;
    until("the step is held", async || metrics().await.contains("tenuto_held_steps 1.0")).await;
    let reported = metrics().await;
    let circuit =
        |action: &str| format!(r#"tenuto_circuit_state{{participant="lost",action="{action}",state="closed"}}"#);
    assert!(
        reported.contains(&format!("{} 1", circuit(""))) && reported.contains(&format!("{} 0", circuit("go"))),
        "{reported}"
    );
    let held = world.order("M1", "state stuckReason").await;
    assert_eq!(held["state"], "STUCK", "{held}");
    assert!(held["stuckReason"].as_str().unwrap().contains("the host lost.invalid is not found"), "{held}");

    let mut counted = order("M2", "order-counted", "11", 1);
    counted["attributes"] = json!({ "number": "seven" });
    world.place(&counted).await;
    until("the result has failed", async || metrics().await.contains("tenuto_failed_results_total 1")).await;
}

/// `TENUTO_SLOW_CLIENTS` sets the number of each kind.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_nothing_or_hardly_anything_hold_little_and_not_for_long_while_others_are_served() {
    let clients = from_environment("TENUTO_SLOW_CLIENTS", 400);
    let world = world().await;
    world.place(&order("S0", "order-recorded", "11", 1)).await;
    world.comes_to("S0", "Recorded", "COMPLETED").await;
    let before = world.process.resident_bytes();
    let address = world.base.trim_start_matches("http://").parse().unwrap();
    let (mut slow, mut idle) = (Held::default(), Held::default());
    for _ in 0..clients {
        idle.open(address, Manner::Idle, None).await;
        slow.open(address, Manner::SlowHead, None).await;
        slow.open(address, Manner::SlowBody, None).await;
    }
    // A connection that was opened after the others is served after they were accepted.
    let answer = reqwest::get(format!("{}/livez", world.base)).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    world.place(&order("S1", "order-recorded", "11", 1)).await;
    world.comes_to("S1", "Recorded", "COMPLETED").await;
    let more = world.process.resident_bytes().saturating_sub(before);
    println!("{} connections hold {} KiB more", 3 * clients, more / 1024);
    assert!(more < 3 * clients * MAX_HELD_BYTES + MAX_OWN_BYTES, "{more} bytes");
    assert_eq!((slow.still_open() + idle.still_open()) as u64, 3 * clients, "while there is room, none is closed");
    tokio::time::timeout(LIMIT, slow.all_closed()).await.expect("a slow client is not given up");
    // The limit for these is two minutes: the tests of the listener have a shorter one.
    assert_eq!(idle.still_open() as u64, clients);
}

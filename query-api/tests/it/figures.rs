//! Figures: how orders ended, how participants answered, and how many orders there were.

use serde_json::{Value, json};

use crate::support::{Row, World};

/// Ten orders that took 1 to 10 seconds, one more of another workflow, and one that goes on.
async fn shop() -> World {
    let world = World::new().await;
    for took in 1..=10 {
        let state = if took == 3 { "CANCELED" } else { "COMPLETED" };
        let ended = Some(3_595 + took);
        world.insert(&Row { state, placed: 3_595, ended, ..Row::new(format!("a{took}")) }).await;
    }
    let other =
        Row { workflow: ("order-return", 2), state: "COMPLETED", placed: 0, ended: Some(7_200), ..Row::new("b") };
    world.insert(&other).await;
    world.insert(&Row::new("c")).await;
    world.sql("UPDATE orders SET placed_by = CASE WHEN id IN ('a1', 'b') THEN 'web' END").await;
    world
}

async fn ends(world: &World, from: &str, to: &str) -> Value {
    let query = "query ($from: DateTime!, $to: DateTime!) { ends(from: $from, to: $to) {
        byWorkflow { workflow count canceled p50Seconds p95Seconds } byHour { hour state count } truncated } }";
    world.try_ask(query, json!({ "from": from, "to": to })).await
}

#[tokio::test]
async fn ended_orders_are_counted_by_workflow_and_by_hour_with_the_time_that_they_took() {
    let world = shop().await;
    let workflow = |name: &str, count: u32, canceled: u32, p50: f64, p95: f64| json!({ "workflow": name, "count": count, "canceled": canceled, "p50Seconds": p50, "p95Seconds": p95 });
    let hour = |hour: &str, state: &str, count: u32| json!({ "hour": hour, "state": state, "count": count });
    assert_eq!(
        ends(&world, "2026-01-01T00:00:00Z", "2026-01-01T02:00:01Z").await["data"]["ends"],
        json!({
            "byWorkflow": [
                workflow("order-fulfilment", 10, 1, 5.0, 10.0),
                workflow("order-return", 1, 0, 7_200.0, 7_200.0),
            ],
            "byHour": [
                hour("2026-01-01T00:00:00+00:00", "CANCELED", 1),
                hour("2026-01-01T00:00:00+00:00", "COMPLETED", 3),
                hour("2026-01-01T01:00:00+00:00", "COMPLETED", 6),
                hour("2026-01-01T02:00:00+00:00", "COMPLETED", 1),
            ],
            "truncated": false,
        })
    );
    assert_eq!(
        ends(&world, "2026-01-01T01:00:00Z", "2026-01-01T01:00:05Z").await["data"]["ends"]["byWorkflow"],
        json!([workflow("order-fulfilment", 5, 0, 7.0, 9.0)]),
        "the range begins with its first moment, and ends before its last"
    );
    let nothing = json!({ "byWorkflow": [], "byHour": [], "truncated": false });
    assert_eq!(ends(&world, "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z").await["data"]["ends"], nothing);
    let answer = ends(&world, "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z").await;
    assert_eq!(answer["errors"][0]["message"], "between `from` and `to` there may be at most 31 days");
}

#[tokio::test]
async fn a_shop_sees_how_the_orders_ended_that_it_placed() {
    let world = shop().await;
    let query =
        r#"{ ends(from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z") { byWorkflow { workflow count } } }"#;
    let own = json!([{ "workflow": "order-fulfilment", "count": 1 }, { "workflow": "order-return", "count": 1 }]);
    assert_eq!(world.ask_as("web", "shop", query).await["ends"]["byWorkflow"], own);
}

/// Calls that took 1 to 100 ms, every tenth of which failed, and calls elsewhere.
async fn called() -> World {
    let world = World::new().await;
    world
        .sql(
            "INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, step, data, hash,
                                   participant, action, took_ms)
             SELECT 'a', n, gen_random_uuid(), n,
                    CASE WHEN n % 20 = 0 THEN 'StepFailed' WHEN n % 10 = 0 THEN 'StepAttemptFailed'
                         WHEN n % 2 = 0 THEN 'StepAccepted' ELSE 'StepCompleted' END,
                    timestamptz '2026-01-01' + n * interval '1 second', '', 'pay', '{}', '', 'payments', 'charge', n
             FROM generate_series(1, 100) AS n;
             INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, step, data, hash,
                                   participant, action, took_ms)
             VALUES ('b', 0, gen_random_uuid(), 0, 'OrderPlaced', '2026-01-01', '', NULL, '{}', '', NULL, NULL, NULL),
                    ('b', 1, gen_random_uuid(), 0, 'StepCompleted', '2026-01-01', '', 'pay', '{}', '', 'payments', 'refund', 7),
                    ('b', 2, gen_random_uuid(), 0, 'StepCompleted', '2026-01-01', '', 'ship', '{}', '', 'shipping', 'ship', 5)",
        )
        .await;
    world
}

#[tokio::test]
async fn calls_are_counted_by_participant_step_and_action_with_the_time_that_they_took() {
    let world = called().await;
    let calls = async |from: &str, to: &str| {
        let query = "query ($from: DateTime!, $to: DateTime!) { calls(from: $from, to: $to) {
            nodes { participant step action count failed p50Seconds p95Seconds p99Seconds } truncated } }";
        world.try_ask(query, json!({ "from": from, "to": to })).await
    };
    let row = |of: [&str; 3], count: u32, failed: u32, took: [f64; 3]| {
        json!({ "participant": of[0], "step": of[1], "action": of[2], "count": count, "failed": failed,
                "p50Seconds": took[0], "p95Seconds": took[1], "p99Seconds": took[2] })
    };
    assert_eq!(
        calls("2026-01-01T00:00:00Z", "2026-01-01T00:01:40.001Z").await["data"]["calls"],
        json!({
            "nodes": [
                row(["payments", "pay", "charge"], 100, 10, [0.05, 0.095, 0.099]),
                row(["payments", "pay", "refund"], 1, 0, [0.007, 0.007, 0.007]),
                row(["shipping", "ship", "ship"], 1, 0, [0.005, 0.005, 0.005]),
            ],
            "truncated": false,
        })
    );
    assert_eq!(
        calls("2026-01-01T00:00:01Z", "2026-01-01T00:00:11Z").await["data"]["calls"]["nodes"],
        json!([row(["payments", "pay", "charge"], 10, 1, [0.005, 0.01, 0.01])]),
    );
    let answer = calls("2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z").await;
    assert_eq!(answer["errors"][0]["message"], "between `from` and `to` there may be at most 31 days");
}

/// An open order with two events, one that has ended, and one from before the views had where an
/// order stood.
async fn past() -> World {
    let world = World::new().await;
    world.insert(&Row { state: "WAITING", status: "Paid", placed: 10, updated: 20, ..Row::new("on") }).await;
    let ended = Row { state: "COMPLETED", status: "Shipped", placed: 10, ended: Some(40), ..Row::new("ended") };
    world.insert(&ended).await;
    world.insert(&Row { placed: 0, ..Row::new("old") }).await;
    world
        .sql(
            "INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, data, hash, state, status)
             SELECT id, revision, gen_random_uuid(), 0, '', timestamptz '2026-01-01' + at * interval '1 second', '', '{}', '',
                    state, status
             FROM (VALUES ('on', 0, 10, 'RUNNING', 'Placed'), ('on', 1, 20, 'WAITING', 'Paid'),
                          ('ended', 0, 10, 'RUNNING', 'Placed'), ('ended', 1, 30, 'STUCK', 'Placed'),
                          ('ended', 2, 40, 'COMPLETED', 'Shipped'), ('old', 0, 0, NULL, NULL))
                  AS entry (id, revision, at, state, status);
             UPDATE orders SET placed_by = 'web' WHERE id = 'ended'",
        )
        .await;
    world
}

const COUNTS: &str = "query ($at: DateTime!) { counts(asOf: $at) {
    orders byState { state count } byStatus { status count } unknown } }";

#[tokio::test]
async fn orders_are_counted_as_they_stood_at_a_moment() {
    let world = past().await;
    let counted = async |at: &str| {
        let counts = world.ask(COUNTS, json!({ "at": format!("2026-01-01T00:00:{at}Z") })).await["counts"].take();
        let list = |of: &str, name: &str| {
            let rows = counts[of].as_array().unwrap().iter();
            rows.map(|row| format!("{} {}", row[name].as_str().unwrap(), row["count"])).collect::<Vec<_>>().join(", ")
        };
        let known = format!("{}; {}", list("byState", "state"), list("byStatus", "status"));
        format!("{} orders: {known}; {} unknown", counts["orders"], counts["unknown"])
    };
    assert_eq!(counted("09.999").await, "1 orders: ; ; 1 unknown");
    assert_eq!(counted("10").await, "3 orders: RUNNING 2; Placed 2; 1 unknown");
    assert_eq!(counted("25").await, "3 orders: RUNNING 1, WAITING 1; Paid 1, Placed 1; 1 unknown");
    assert_eq!(counted("39").await, "3 orders: STUCK 1, WAITING 1; Paid 1, Placed 1; 1 unknown");
    assert_eq!(counted("40").await, "3 orders: COMPLETED 1, WAITING 1; Paid 1, Shipped 1; 1 unknown");
}

#[tokio::test]
async fn a_shop_counts_the_past_of_its_own_orders() {
    let world = past().await;
    let query = r#"{ counts(asOf: "2026-01-01T00:00:30Z") { orders unknown byState { state count } } }"#;
    let own = json!({ "orders": 1, "unknown": 0, "byState": [{ "state": "STUCK", "count": 1 }] });
    assert_eq!(world.ask_as("web", "shop", query).await["counts"], own);
}

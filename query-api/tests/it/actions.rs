//! What people did to orders.

use serde_json::{Value, json};

use crate::support::{Row, World};

async fn world() -> World {
    let world = World::new().await;
    for id in ["a", "b"] {
        world.insert(&Row::new(id)).await;
    }
    world
        .sql(
            "INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, step, actor, reason,
                                   data, correlation_id, causation_id, hash)
             SELECT order_id, revision, gen_random_uuid(), revision, type, at::timestamptz, summary, step, actor, reason,
                    '{}', order_id, NULL, ''
             FROM (VALUES
               ('a', 0, 'OrderPlaced', '2026-01-01', 'placed', NULL, 'ann', NULL),
               ('a', 1, 'OrderPaused', '2026-01-02', 'The order is paused', NULL, 'ann', 'she called'),
               ('a', 2, 'OrderResumed', '2026-01-03', 'The order is resumed', NULL, 'bob, by desk', 'fine'),
               ('a', 3, 'StepStarted', '2026-01-03', 'ship starts', 'ship', NULL, NULL),
               ('b', 1, 'StepCompleted', '2026-01-04', 'approve: approved', 'approve', 'ann', NULL),
               ('b', 2, 'StepCompleted', '2026-01-05', 'check: fine', 'check', 'bob', 'looked'),
               ('b', 3, 'OrderPaused', '2026-01-06', 'The order is paused', NULL, 'annabel', 'so')
             ) AS e (order_id, revision, type, at, summary, step, actor, reason);
             UPDATE orders SET placed_by = 'web' WHERE id = 'b'",
        )
        .await;
    world
}

/// Order and revision of each action.
fn shown(actions: &Value) -> String {
    let nodes = actions["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| format!("{}{} ", node["order"]["id"].as_str().unwrap(), node["revision"]))
        .collect::<Vec<_>>()
        .concat()
}

async fn found(world: &World, arguments: &str) -> String {
    let query = format!("{{ actions{arguments} {{ nodes {{ order {{ id }} revision }} }} }}");
    shown(&world.ask(&query, Value::Null).await["actions"])
}

#[tokio::test]
async fn the_actions_of_a_person_are_listed_the_latest_first_with_order_and_reason() {
    let world = world().await;
    for (arguments, expected) in [
        ("", "b3 b2 b1 a2 a1 "),
        ("(actor: \"ann\")", "b1 a1 "),
        // A machine acted for Bob once.
        ("(actor: \"bob\")", "b2 a2 "),
        ("(actor: \"bob, by desk\")", "a2 "),
        ("(actor: \"desk\")", ""),
        ("(actor: \"ann\", from: \"2026-01-03T00:00:00Z\")", "b1 "),
        ("(from: \"2026-01-03T00:00:00Z\", to: \"2026-01-05T00:00:00Z\")", "b1 a2 "),
        ("(first: 2)", "b3 b2 "),
        ("(last: 2)", "a2 a1 "),
        ("(actor: \"a\\u0000\")", ""),
    ] {
        assert_eq!(found(&world, arguments).await, expected, "{arguments}");
    }
    let query = "{ actions(actor: \"ann\", last: 1) {
        nodes { order { id } revision type recordedAt actor reason step summary } pageInfo { hasPreviousPage startCursor } } }";
    let first = world.ask(query, Value::Null).await["actions"].take();
    assert_eq!(
        first["nodes"],
        json!([{ "order": { "id": "a" }, "revision": 1, "type": "OrderPaused", "actor": "ann", "reason": "she called",
                 "recordedAt": "2026-01-02T00:00:00+00:00", "step": null, "summary": "The order is paused" }])
    );
    assert_eq!(first["pageInfo"]["hasPreviousPage"], true);
    let earlier = format!("(actor: \"ann\", before: {})", first["pageInfo"]["startCursor"]);
    assert_eq!(found(&world, &earlier).await, "b1 ");
}

#[tokio::test]
async fn a_shop_sees_what_was_done_to_its_own_orders() {
    let world = world().await;
    let query = "{ actions { nodes { order { id } revision } } }";
    assert_eq!(shown(&world.ask_as("web", "shop", query).await["actions"]), "b3 b2 b1 ");
    assert_eq!(shown(&world.ask_as("web", "auditor", query).await["actions"]), "b3 b2 b1 a2 a1 ");
}

//! When orders are expected to end, which are late, and how long a workflow takes.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Row, World};

/// Two orders are late, one of them of the shop `web`; one is expected later, one is not expected,
/// and one has ended.
async fn world() -> World {
    let world = World::new().await;
    for id in ["a", "b", "c", "d"] {
        world.insert(&Row::new(id)).await;
    }
    world.insert(&Row { state: "COMPLETED", ended: Some(50), ..Row::new("e") }).await;
    world
        .sql(
            "UPDATE orders SET placed_by = 'web' WHERE id = 'b';
             INSERT INTO steps (order_id, step, participant, status, attempts, last_error, started_at, since)
             SELECT id, step, 'of-' || step, status, 1, '503 of 10248', '2026-01-01', '2026-01-01'
             FROM (VALUES ('a'), ('b'), ('c')) AS orders (id),
                  (VALUES ('charge', 'COMPLETED'), ('pack', 'RETRYING'), ('ship', 'WAITING')) AS step (step, status);
             INSERT INTO expectations (order_id, expected_at, steps) VALUES
               ('a', '2026-01-03', '{\"ship\": \"2026-01-02T00:00:00Z\", \"pack\": \"9999-01-01T00:00:00Z\"}'),
               ('b', '2026-01-04', '{}'),
               ('c', '9999-01-02', '{\"ship\": \"9999-01-01T00:00:00Z\"}');
             INSERT INTO workflows (name, version, source, outline, registered_at, position) VALUES
               ('order-fulfilment', 1, '', '[{\"id\": \"charge\", \"mode\": \"CALL\", \"after\": [], \"compensated\": false},
                                             {\"id\": \"ship\", \"mode\": \"REQUEST\", \"after\": [], \"compensated\": false}]',
                '2026-01-01', 1);
             INSERT INTO estimates (workflow, step, part, version, samples, p50_ms, p95_ms, histogram, position) VALUES
               ('order-fulfilment', '', 'REST', 1, 40, 90000, 120500, '', 1),
               ('order-fulfilment', 'ship', 'STEP', 1, 41, 60000, 70250, '', 1),
               ('order-fulfilment', 'ship', 'REST', 1, 40, 61000, 71000, '', 1),
               ('order-fulfilment', 'charge', 'STEP', 1, 3, NULL, NULL, '', 1)",
        )
        .await;
    world.count().await;
    world
}

#[tokio::test]
async fn an_order_and_its_open_steps_have_the_time_by_which_they_are_expected_to_end() {
    let world = world().await;
    let query = "{ orders(orderBy: PLACED_AT_ASC) { nodes { id expectedAt late steps { id expectedAt } } } }";
    let found = world.ask(query, Value::Null).await["orders"]["nodes"].take();
    let order = |id: &str| found.as_array().unwrap().iter().find(|node| node["id"] == id).unwrap().clone();
    assert_eq!((&order("a")["expectedAt"], &order("a")["late"]), (&json!("2026-01-03T00:00:00+00:00"), &json!(true)));
    let steps = json!([{ "id": "charge", "expectedAt": null }, { "id": "ship", "expectedAt": "2026-01-02T00:00:00+00:00" },
                       { "id": "pack", "expectedAt": "9999-01-01T00:00:00+00:00" }]);
    assert_eq!(order("a")["steps"], steps);
    assert_eq!((&order("c")["expectedAt"], &order("c")["late"]), (&json!("9999-01-02T00:00:00+00:00"), &json!(false)));
    for id in ["d", "e"] {
        assert_eq!((&order(id)["expectedAt"], &order(id)["late"]), (&Value::Null, &json!(false)));
    }
}

#[tokio::test]
async fn late_orders_are_found_and_counted() {
    let world = world().await;
    for (late, expected) in [("true", vec!["a", "b"]), ("false", vec!["c", "d", "e"])] {
        let query = format!("{{ orders(where: {{ late: {late} }}, orderBy: PLACED_AT_ASC) {{ nodes {{ id }} }} }}");
        let found = world.ask(&query, Value::Null).await["orders"]["nodes"].take();
        let ids: Vec<&str> = found.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected);
    }
    assert_eq!(
        world.ask("{ overview { orders late } }", Value::Null).await["overview"],
        json!({ "orders": 5, "late": 2 })
    );
    assert_eq!(
        world.ask_as("web", "shop", "{ overview { orders late } }").await["overview"],
        json!({ "orders": 1, "late": 1 })
    );
}

#[tokio::test]
async fn late_orders_are_grouped_by_the_step_that_should_have_ended_first() {
    let world = world().await;
    let query = "{ troubles { nodes { kind step participant stepStatus error count samples lastSeen filter } } }";
    let nodes = world.ask(query, Value::Null).await["troubles"]["nodes"].take();
    let group = |step: &str| nodes.as_array().unwrap().iter().find(|node| node["step"] == step).unwrap().clone();
    let shipping = json!({
        "kind": "LATE", "step": "ship", "participant": "of-ship", "stepStatus": "WAITING", "error": null, "count": 1,
        "samples": ["a"], "lastSeen": "2026-01-03T00:00:00+00:00",
        "filter": { "state": ["RUNNING", "WAITING", "COMPENSATING"], "late": true,
                    "workflow": { "name": "order-fulfilment", "version": 1 },
                    "step": { "name": "ship", "status": ["WAITING"], "participant": ["of-ship"] } },
    });
    assert_eq!(group("ship"), shipping);
    let packing = group("pack");
    assert_eq!(
        (&packing["error"], &packing["samples"]),
        (&json!("503 of #"), &json!(["b"])),
        "nothing is known of its steps"
    );
    assert_eq!(nodes.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_workflow_has_how_long_its_orders_and_steps_take_for_those_who_may_count_all() {
    let world = world().await;
    let query = "{ workflow(name: \"order-fulfilment\") { takes { p50Seconds p95Seconds samples }
                   steps { id takes { p50Seconds p95Seconds samples } } } }";
    let expected = json!({
        "takes": { "p50Seconds": 90.0, "p95Seconds": 120.5, "samples": 40 },
        "steps": [{ "id": "charge", "takes": null },
                  { "id": "ship", "takes": { "p50Seconds": 60.0, "p95Seconds": 70.25, "samples": 41 } }],
    });
    assert_eq!(world.ask(query, Value::Null).await["workflow"], expected);
    let shop = world.ask_as("web", "shop", query).await;
    let none = json!({ "takes": null, "steps": [{ "id": "charge", "takes": null }, { "id": "ship", "takes": null }] });
    assert_eq!(shop["workflow"], none);
}

#[tokio::test]
async fn the_short_form_has_the_expected_time_while_there_is_one() {
    let world = world().await;
    for (id, expected) in [("a", json!("2026-01-03T00:00:00Z")), ("d", Value::Null), ("e", Value::Null)] {
        let (_, _, body) = world.send(Request::get(format!("/orders/{id}")).body(Body::empty()).unwrap()).await;
        let status: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status["expectedAt"], expected);
    }
}

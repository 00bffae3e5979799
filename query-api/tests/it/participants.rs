//! The participants, and what waits for each.

use serde_json::{Value, json};

use crate::support::{Row, World};

async fn world() -> World {
    let world = World::new().await;
    for (id, state) in [("a", "RUNNING"), ("b", "WAITING"), ("p", "PAUSED"), ("s", "STUCK")] {
        world.insert(&Row { state, ..Row::new(id) }).await;
    }
    world
        .sql(
            "INSERT INTO workflows (name, version, source, outline, registered_at, position) VALUES
               ('fulfil', 1, '', '[{\"participant\": \"shipping\"}, {\"participant\": null}]', '2026-01-01', 1),
               ('fulfil', 2, '', '[{\"participant\": \"shipping\"}, {\"participant\": \"idle\"}]', '2026-01-01', 2),
               ('return', 1, '', '[{\"participant\": \"shipping\"}]', '2026-01-01', 3);
             INSERT INTO steps (order_id, step, participant, status, attempts, started_at, since, due_at) VALUES
               ('a', 'ship', 'shipping', 'RETRYING', 1, '2026-01-01', '2026-01-02', '2026-01-03'),
               ('b', 'ship', 'shipping', 'WAITING', 1, '2026-01-01', '2026-01-01', '9999-01-03'),
               ('b', 'charge', 'payments', 'COMPLETED', 1, '2026-01-01', '2026-01-01', NULL),
               ('p', 'ship', 'shipping', 'WAITING', 1, '2025-01-01', '2025-01-01', '2025-01-03'),
               ('s', 'charge', 'payments', 'STUCK', 1, '2026-01-01', '2026-01-01', NULL);
             UPDATE orders SET placed_by = 'web' WHERE id = 'b'",
        )
        .await;
    world
}

const QUERY: &str = "{ participants { truncated nodes { name workflows waiting overdue stuck waitingSince byStatus { status count } } } }";

#[tokio::test]
async fn participants_are_listed_with_what_waits_for_them_and_without_paused_orders() {
    let found = world().await.ask(QUERY, Value::Null).await;
    let expected = json!([
        { "name": "idle", "workflows": ["fulfil"], "waiting": 0, "overdue": 0, "stuck": 0, "waitingSince": null,
          "byStatus": [] },
        { "name": "payments", "workflows": [], "waiting": 0, "overdue": 0, "stuck": 1, "waitingSince": null,
          "byStatus": [{ "status": "STUCK", "count": 1 }] },
        { "name": "shipping", "workflows": ["fulfil", "return"], "waiting": 2, "overdue": 1, "stuck": 0,
          "waitingSince": "2026-01-01T00:00:00+00:00",
          "byStatus": [{ "status": "RETRYING", "count": 1 }, { "status": "WAITING", "count": 1 }] },
    ]);
    assert_eq!(found["participants"], json!({ "truncated": false, "nodes": expected }));
}

#[tokio::test]
async fn a_shop_counts_the_steps_of_its_own_orders() {
    let world = world().await;
    let found = world.ask_as("web", "shop", "{ participants { nodes { name waiting stuck } } }").await;
    let expected = json!([
        { "name": "idle", "waiting": 0, "stuck": 0 }, { "name": "shipping", "waiting": 1, "stuck": 0 },
    ]);
    assert_eq!(found["participants"]["nodes"], expected);
}

#[tokio::test]
async fn a_list_of_more_than_500_participants_reports_that_it_is_cut() {
    let world = World::new().await;
    world
        .sql(
            "INSERT INTO workflows (name, version, source, outline, registered_at, position)
             SELECT 'w', n, '', jsonb_build_array(jsonb_build_object('participant', 'p' || n)), '2026-01-01', n
             FROM generate_series(1, 501) AS n",
        )
        .await;
    let found = world.ask("{ participants { truncated nodes { name } } }", Value::Null).await;
    assert_eq!(found["participants"]["truncated"], true);
    assert_eq!(found["participants"]["nodes"].as_array().unwrap().len(), 500);
}

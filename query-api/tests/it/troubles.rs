//! The orders that are stuck or overdue, by their cause.

use domain::order::NewOrder;
use domain::testing::{Story, misconfigured, order};
use domain::workflow::Workflow;
use serde_json::{Value, json};

use crate::as_of::record;
use crate::support::{Row, World};

const QUERY: &str = "{ troubles { truncated nodes {
    kind workflow version step participant stepStatus error example count firstSeen lastSeen samples filter } } }";

/// Three orders are stuck for one cause, one for another; one is overdue, one is due later, and one
/// is paused.
async fn world() -> World {
    let world = World::new().await;
    for id in ["a", "b", "c", "d"] {
        world.insert(&Row { state: "STUCK", ..Row::new(id) }).await;
    }
    for (id, state) in [("l", "RUNNING"), ("n", "WAITING"), ("p", "PAUSED")] {
        world.insert(&Row { state, ..Row::new(id) }).await;
    }
    world
        .sql(
            "UPDATE orders SET stuck_reason = 'payments.charge is held for an operator: 401: key \"k' || id || '\" has expired'
             WHERE id IN ('a', 'b', 'c');
             UPDATE orders SET stuck_reason = 'payments.refund failed for good: no account' WHERE id = 'd';
             UPDATE orders SET placed_by = 'web' WHERE id IN ('a', 'l');
             INSERT INTO steps (order_id, step, participant, status, attempts, last_error, started_at, since, due_at)
             SELECT id, 'charge', 'payments', 'STUCK', 1, '401', '2026-01-01', '2026-01-01'::timestamptz + ascii(id) * interval '1 s', NULL
             FROM orders WHERE state = 'STUCK';
             INSERT INTO steps (order_id, step, participant, status, attempts, last_error, started_at, since, due_at) VALUES
               ('a', 'check', 'fraud', 'FAILED', 1, NULL, '2026-01-01', '2026-02-01', NULL),
               ('l', 'ship', 'shipping', 'RETRYING', 3, '503 of 10248', '2026-01-01', '2026-01-01', '2026-01-02'),
               ('l', 'pack', 'shipping', 'WAITING', 3, NULL, '2026-01-01', '2026-01-01', '9999-01-02');
             INSERT INTO todo (order_id, due_at, revision, position) VALUES
               ('l', '2026-01-02', 7, 7), ('n', now() + interval '1 h', 7, 7)",
        )
        .await;
    world
}

#[tokio::test]
async fn stuck_and_overdue_orders_are_grouped_by_their_cause() {
    let found = world().await.ask(QUERY, Value::Null).await["troubles"].take();
    let nodes = found["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &found["truncated"]), (3, &json!(false)), "{found:#}");
    let second = |number: u32| format!("2026-01-01T00:01:{:02}+00:00", number - 60);
    let first = &nodes[0];
    assert_eq!(first["error"], "payments.charge is held for an operator: 401: key \"…\" has expired");
    assert_eq!((&first["count"], &first["samples"]), (&json!(3), &json!(["c", "b", "a"])), "the latest change first");
    assert_eq!((&first["firstSeen"], &first["lastSeen"]), (&json!(second(97)), &json!(second(99))));
    assert_eq!(first["example"], "payments.charge is held for an operator: 401: key \"kc\" has expired");
    assert_eq!(
        first["filter"],
        json!({ "state": ["STUCK"], "workflow": { "name": "order-fulfilment", "version": 1 },
                "step": { "name": "charge", "status": ["STUCK"], "participant": ["payments"] },
                "stuckReason": "payments.charge is held for an operator: 401: key \"" })
    );
    let of = |kind: &str| nodes.iter().find(|node| node["kind"] == kind && node["count"] == 1).unwrap();
    assert_eq!(of("STUCK")["samples"], json!(["d"]));
    let overdue = of("OVERDUE");
    assert_eq!((&overdue["step"], &overdue["participant"]), (&json!("ship"), &json!("shipping")));
    assert_eq!((&overdue["error"], &overdue["stepStatus"]), (&json!("503 of #"), &json!("RETRYING")));
    assert_eq!((&overdue["samples"], &overdue["firstSeen"]), (&json!(["l"]), &json!("2026-01-02T00:00:00+00:00")));
}

#[tokio::test]
async fn a_group_has_the_latest_notes_on_its_orders_and_a_note_on_several_once() {
    let world = world().await;
    world
        .sql(
            "INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, actor, reason, data, hash)
             SELECT id, revision, gen_random_uuid(), 0, type, timestamptz '2026-01-01' + revision * interval '1 s', '', actor, reason,
                    '{}', ''
             FROM (VALUES ('a', 1, 'OrderNoted', 'ann', 'the bank knows'), ('a', 11, 'OrderNoted', 'ann', 'they call back'),
                          ('b', 12, 'OrderNoted', 'ann', 'they call back'), ('b', 13, 'OrderNoted', 'bob', 'they call back'),
                          ('b', 14, 'OrderPaused', 'ann', 'no note'), ('d', 2, 'OrderNoted', 'ann', 'another cause'))
                  AS entry (id, revision, type, actor, reason);
             INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, actor, reason, data, hash)
             SELECT 'd', n, gen_random_uuid(), 0, 'OrderNoted', timestamptz '2026-01-02' + n * interval '1 s', '', 'ann', n, '{}', ''
             FROM generate_series(10, 20) AS n",
        )
        .await;
    let query = "{ troubles { nodes { samples notes { text actor recordedAt count orderId } } } }";
    let found = world.ask(query, Value::Null).await;
    let groups = found["troubles"]["nodes"].as_array().unwrap();
    let notes = |sample: &str| {
        let of = |group: &&Value| group["samples"].as_array().unwrap().contains(&json!(sample));
        groups.iter().find(of).unwrap()["notes"].as_array().unwrap().clone()
    };
    let note = |second: u8, actor: &str, text: &str, count: u8, order: &str| {
        let at = format!("2026-01-01T00:00:{second:02}+00:00");
        json!({ "text": text, "actor": actor, "recordedAt": at, "count": count, "orderId": order })
    };
    let expected = [
        note(13, "bob", "they call back", 1, "b"),
        note(12, "ann", "they call back", 2, "b"),
        note(1, "ann", "the bank knows", 1, "a"),
    ];
    assert_eq!(notes("a"), expected);
    assert!(notes("l").is_empty());
    assert_eq!((notes("d").len(), &notes("d")[0]["text"]), (10, &json!("20")));
}

#[tokio::test]
async fn the_filter_of_a_group_selects_its_orders() {
    let world = world().await;
    let found = world.ask(QUERY, Value::Null).await["troubles"].take();
    for group in found["nodes"].as_array().unwrap() {
        let query = "query ($where: OrderFilter) { orders(where: $where) { nodes { id } } }";
        let orders = world.ask(query, json!({ "where": group["filter"] })).await["orders"].take();
        let mut ids: Vec<&str> =
            orders["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        let mut samples: Vec<&str> =
            group["samples"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        samples.sort_unstable();
        assert_eq!(ids, samples, "{group:#}");
    }
}

#[tokio::test]
async fn a_group_is_read_by_its_id_with_all_of_its_orders_and_no_others() {
    let world = world().await;
    // Another cause, whose errors have the same part: the filter would select it, too.
    world
        .sql(
            "UPDATE orders SET stuck_reason = 'payments.charge is held for an operator: 401: key \"kd\" is unknown'
             WHERE id = 'd'",
        )
        .await;
    let groups = world.ask("{ troubles { nodes { id count } } }", Value::Null).await["troubles"]["nodes"].take();
    let id = groups[0]["id"].clone();
    let ids: std::collections::HashSet<_> =
        groups.as_array().unwrap().iter().map(|group| group["id"].as_str()).collect();
    assert_eq!((ids.len(), &groups[0]["count"]), (3, &json!(3)), "{groups}");
    let query = "query ($id: ID) { troubles(id: $id) { nodes { id orderIds orders(first: 2) { id stuckReason } } } }";
    let found = world.ask(query, json!({ "id": id })).await["troubles"]["nodes"].take();
    let reason = |id: &str| format!("payments.charge is held for an operator: 401: key \"k{id}\" has expired");
    let orders = json!([{ "id": "c", "stuckReason": reason("c") }, { "id": "b", "stuckReason": reason("b") }]);
    assert_eq!(found, json!([{ "id": id, "orderIds": ["c", "b", "a"], "orders": orders }]));
    assert_eq!(world.ask(query, json!({ "id": "gone" })).await["troubles"]["nodes"], json!([]));
    let all = world
        .try_ask(
            "{ troubles { nodes { orders(first: 200) { id status state stuckReason updatedAt placedAt } } } }",
            Value::Null,
        )
        .await;
    assert_eq!(all["errors"][0]["message"], "Query is too complex.");
}

#[tokio::test]
async fn a_shop_sees_the_trouble_of_its_own_orders() {
    let found = world().await.ask_as("web", "shop", "{ troubles { nodes { kind samples } } }").await;
    let expected = json!([{ "kind": "OVERDUE", "samples": ["l"] }, { "kind": "STUCK", "samples": ["a"] }]);
    let mut nodes = found["troubles"]["nodes"].as_array().unwrap().clone();
    nodes.sort_by_key(|node| node["kind"].to_string());
    assert_eq!(json!(nodes), expected);
}

#[tokio::test]
async fn the_proposed_repair_is_what_the_decider_allows_on_the_first_sample() {
    const HELD: &str =
        "workflow: held\nversion: 1\nparticipants: { p: { url: 'http://p' } }\nsteps:\n  charge: { call: p.charge }\n";
    let (world, log) = World::with_log().await;
    let workflow = Workflow::parse(HELD).unwrap();
    let mut story = Story::given(&workflow);
    let id = domain::ids::OrderId::new("h").unwrap();
    story.place(NewOrder { order_id: Some(id), ..order() }).whatever();
    while story.state().stuck_reason().is_none() {
        story.answer("charge", misconfigured("401 Unauthorized")).whatever();
        story.tick_after(std::time::Duration::from_hours(1)).whatever();
    }
    record(&log, "h", story.history()).await;
    world.insert(&Row { workflow: ("held", 1), state: "STUCK", ..Row::new("h") }).await;
    sqlx::query(
        "INSERT INTO workflows (name, version, source, outline, registered_at, position)
         VALUES ('held', 1, $1, '[]', '2026-01-01', 1)",
    )
    .bind(HELD)
    .execute(&world.pool)
    .await
    .unwrap();
    world
        .sql(
            "INSERT INTO steps (order_id, step, participant, status, attempts, started_at)
             VALUES ('h', 'charge', 'p', 'STUCK', 1, '2026-01-01')",
        )
        .await;
    let query = "{ troubles { nodes { repair { operation step allowed } } } }";
    let repair = world.ask(query, Value::Null).await["troubles"]["nodes"][0]["repair"].take();
    assert_eq!(repair, json!({ "operation": "RETRY", "step": "charge", "allowed": true }));
    let viewer = world.ask_as("eve", "viewer", query).await;
    assert_eq!(viewer["troubles"]["nodes"][0]["repair"], Value::Null, "a viewer may do nothing");
}

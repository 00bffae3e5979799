//! An order with everything that hangs on it.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Row, World};

async fn world() -> World {
    let world = World::new().await;
    world.insert(&Row { state: "STUCK", ..Row::new("10248") }).await;
    world.insert(&Row { placed: 5, workflow: ("unregistered", 9), ..Row::new("10249") }).await;
    world
        .sql(
            r#"INSERT INTO workflows (name, version, source, outline, registered_at, position) VALUES
               ('order-fulfilment', 1, 'workflow: order-fulfilment', '[
                 {"id": "create-order", "participant": "orders", "action": "create", "mode": "CALL", "after": [], "compensated": false},
                 {"id": "charge", "participant": "payments", "action": "charge", "mode": "CALL", "after": ["create-order"],
                  "compensated": false},
                 {"id": "record-canceled", "participant": "orders", "action": "update_status", "mode": "CALL", "after": [],
                  "compensated": true}]', '2026-01-01T00:00:00Z', 1),
               ('order-fulfilment', 2, 'workflow: order-fulfilment', '[]', '2026-01-02T00:00:00Z', 2);
             INSERT INTO steps (order_id, step, participant, action, mode, status, outcome, data, attempts, last_error, started_at) VALUES
               ('10248', 'create-order', 'orders', 'create', 'CALL', 'COMPLETED', 'created', '{"number": 1}', 3, '503', '2026-01-01');
             INSERT INTO timeline SELECT '10248', n, gen_random_uuid(), n, 'StepStarted', '2026-01-01', 'step ' || n, 'charge', 'anna',
               'asked', '{"n": 1}', '10248', NULL, 'hash' || n FROM generate_series(0, 6) AS n;
             INSERT INTO timeline SELECT '10249', n, gen_random_uuid(), n, 'OrderPlaced', '2026-01-01', 'placed', NULL, NULL,
               NULL, '{}', '10249', NULL, 'hash' || n FROM generate_series(0, 0) AS n"#,
        )
        .await;
    world
}

#[tokio::test]
async fn an_order_has_everything_that_hangs_on_it() {
    let world = world().await;
    let query = "query ($id: ID!) { order(id: $id) {
        id status state workflow { name version source registeredAt steps { id participant action mode after compensated } }
        customer { id name email } currency total lines { sku name quantity unitPrice } shipTo { city country } attributes
        placedAt updatedAt endedAt revision position result stuckReason
        steps { id participant action mode status outcome data attempts lastError startedAt endedAt nextAttemptAt }
        timeline(first: 1) { nodes { revision type recordedAt summary step actor reason data correlationId causationId hash } }
    } }";
    let order = world.ask(query, json!({ "id": "10248" })).await["order"].take();
    let moment = "2026-01-01T00:00:00+00:00";
    assert_eq!(
        order,
        json!({
            "id": "10248", "status": "Placed", "state": "STUCK",
            "workflow": {
                "name": "order-fulfilment", "version": 1, "source": "workflow: order-fulfilment", "registeredAt": moment,
                "steps": [
                    { "id": "create-order", "participant": "orders", "action": "create", "mode": "CALL", "after": [],
                      "compensated": false },
                    { "id": "charge", "participant": "payments", "action": "charge", "mode": "CALL", "after": ["create-order"],
                      "compensated": false },
                    { "id": "record-canceled", "participant": "orders", "action": "update_status", "mode": "CALL", "after": [],
                      "compensated": true },
                ],
            },
            "customer": { "id": "VINET", "name": "Vins et alcools", "email": "orders@vinet.example" },
            "currency": "EUR", "total": "168.00",
            "lines": [{ "sku": "11", "name": "Queso", "quantity": 12, "unitPrice": "14.00" }],
            "shipTo": { "city": "Reims", "country": null }, "attributes": { "gift": true },
            "placedAt": moment, "updatedAt": moment, "endedAt": null, "revision": 7, "position": "9007199254740993",
            "result": null, "stuckReason": "refund: 500",
            "steps": [
                { "id": "create-order", "participant": "orders", "action": "create", "mode": "CALL", "status": "COMPLETED",
                  "outcome": "created", "data": { "number": 1 }, "attempts": 3, "lastError": "503", "startedAt": moment,
                  "endedAt": null, "nextAttemptAt": null },
                { "id": "charge", "participant": "payments", "action": "charge", "mode": "CALL", "status": "PENDING",
                  "outcome": null, "data": null, "attempts": 0, "lastError": null, "startedAt": null, "endedAt": null,
                  "nextAttemptAt": null },
            ],
            "timeline": { "nodes": [
                { "revision": 0, "type": "StepStarted", "recordedAt": moment, "summary": "step 0", "step": "charge", "actor": "anna",
                  "reason": "asked", "data": { "n": 1 }, "correlationId": "10248", "causationId": null, "hash": "hash0" },
            ] },
        })
    );
}

#[tokio::test]
async fn a_result_has_the_personal_data_that_can_be_read_and_no_placeholder() {
    let world = World::new().await;
    for id in ["foreign", "lost", "old", "read"] {
        world.insert(&Row { state: "COMPLETED", ended: Some(9), ..Row::new(id) }).await;
    }
    world
        .sql(
            r#"UPDATE orders SET result = '{"to": "for ⟦customer.email⟧", "note": "⟦customer.email⟧"}';
             UPDATE orders SET result_placeholders = '{"/to": [4]}' WHERE id IN ('lost', 'read');
             UPDATE orders SET result_placeholders = '{}' WHERE id = 'foreign';
             UPDATE orders SET customer_name = NULL, customer_email = NULL,
                    sealed = '{"key": "00000000-0000-7000-8000-000000000000", "text": ""}' WHERE id = 'lost'"#,
        )
        .await;
    let results = world.ask("{ orders(orderBy: PLACED_AT_ASC) { nodes { id result } } }", Value::Null).await;
    let email = "orders@vinet.example";
    assert_eq!(
        results["orders"]["nodes"],
        json!([
            { "id": "foreign", "result": { "to": "for ⟦customer.email⟧", "note": "⟦customer.email⟧" } },
            { "id": "lost", "result": { "to": null, "note": "⟦customer.email⟧" } },
            { "id": "old", "result": { "to": format!("for {email}"), "note": email } },
            { "id": "read", "result": { "to": format!("for {email}"), "note": "⟦customer.email⟧" } },
        ])
    );
}

#[tokio::test]
async fn a_result_that_failed_says_why_on_both_doors() {
    let world = World::new().await;
    world.insert(&Row { state: "COMPLETED", ended: Some(9), ..Row::new("1") }).await;
    world.sql("UPDATE orders SET result_error = 'no such key: tracking'").await;
    let order = world.ask("{ order(id: \"1\") { result resultError } }", Value::Null).await["order"].take();
    assert_eq!(order, json!({ "result": null, "resultError": "no such key: tracking" }));
    let (_, _, body) = world.send(Request::get("/orders/1").body(Body::empty()).unwrap()).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["resultError"], "no such key: tracking");
}

#[tokio::test]
async fn the_orders_of_a_list_each_get_their_own() {
    let world = world().await;
    let query = "{ orders(orderBy: PLACED_AT_ASC) { nodes {
        id workflow { version source } steps { id } start: timeline(first: 2) { nodes { revision } } end: timeline(last: 2) {
            nodes { revision } pageInfo { hasPreviousPage hasNextPage } } } } }";
    let revisions = |wanted: &[i64]| wanted.iter().map(|n| json!({ "revision": n })).collect::<Vec<_>>();
    assert_eq!(
        world.ask(query, Value::Null).await["orders"]["nodes"],
        json!([
            { "id": "10248", "workflow": { "version": 1, "source": "workflow: order-fulfilment" },
              "steps": [{ "id": "create-order" }, { "id": "charge" }],
              "start": { "nodes": revisions(&[0, 1]) },
              "end": { "nodes": revisions(&[5, 6]), "pageInfo": { "hasPreviousPage": true, "hasNextPage": false } } },
            { "id": "10249", "workflow": { "version": 9, "source": null }, "steps": [],
              "start": { "nodes": revisions(&[0]) },
              "end": { "nodes": revisions(&[0]), "pageInfo": { "hasPreviousPage": false, "hasNextPage": false } } },
        ])
    );
}

#[tokio::test]
async fn what_is_not_there_is_null() {
    let world = world().await;
    for id in ["unknown", "", "a\0b"] {
        assert_eq!(
            world.ask("query ($id: ID!) { order(id: $id) { id } }", json!({ "id": id })).await["order"],
            Value::Null
        );
    }
    let query = "{ a: workflow(name: \"nothing\") { name } b: workflow(name: \"order-fulfilment\", version: 3) { name }
                   latest: workflow(name: \"order-fulfilment\") { version } }";
    let data = world.ask(query, Value::Null).await;
    assert_eq!(data, json!({ "a": null, "b": null, "latest": { "version": 2 } }));
}

#[tokio::test]
async fn a_timeline_is_paged_both_ways() {
    let world = world().await;
    let query = "query ($first: Int, $after: String, $last: Int, $before: String) { order(id: \"10248\") {
        timeline(first: $first, after: $after, last: $last, before: $before) { edges { cursor node { revision } } } } }";
    for (size, cursor, which) in [("first", "after", -1_i64), ("last", "before", 0)] {
        let mut seen = Vec::new();
        let mut at = Value::Null;
        loop {
            let data = world.ask(query, json!({ size: 3, cursor: at })).await;
            let edges = data["order"]["timeline"]["edges"].as_array().unwrap().clone();
            let Some(edge) = (if which == 0 { edges.first() } else { edges.last() }) else { break };
            at = edge["cursor"].clone();
            let revisions = edges.iter().map(|edge| edge["node"]["revision"].as_i64().unwrap());
            if which == 0 {
                seen.splice(0..0, revisions);
            } else {
                seen.extend(revisions);
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6], "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_never_mixes_what_was_before_a_change_with_what_came_after() {
    let world = world().await;
    let pool = world.pool.clone();
    let writing = tokio::spawn(async move {
        for name in ["before", "after"].into_iter().cycle().take(400) {
            let mut transaction = pool.begin().await.unwrap();
            for change in ["UPDATE orders SET status = $1 WHERE id = '10248'", "UPDATE steps SET outcome = $1"] {
                sqlx::query(change).bind(name).execute(&mut *transaction).await.unwrap();
            }
            transaction.commit().await.unwrap();
        }
    });
    let mut answers = 0;
    while !writing.is_finished() {
        let order = world.ask("{ order(id: \"10248\") { status steps { outcome } } }", json!({})).await["order"].take();
        let (status, outcome) = (&order["status"], &order["steps"][0]["outcome"]);
        assert!(status == outcome || (status == "Placed" && outcome == "created"), "{order}");
        answers += 1;
    }
    writing.await.unwrap();
    assert!(answers > 10, "{answers} answers while it changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_given_up_leave_no_transaction_behind() {
    let world = world().await;
    let left = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()";
    // Separate connections, since a reused one would no longer be idle in a transaction.
    let watching = sqlx::PgPool::connect_with((*world.pool.connect_options()).clone()).await.unwrap();
    for microseconds in (0..300).map(|round| 10 * round) {
        let given_up = world.try_ask("{ order(id: \"10248\") { status steps { outcome } } }", json!({}));
        // Whether it was given up or answered: what counts is what it leaves behind.
        let _ = tokio::time::timeout(Duration::from_micros(microseconds), given_up).await;
        let began = Instant::now();
        while sqlx::query_scalar::<_, i64>(left).fetch_one(&watching).await.unwrap() > 0 {
            assert!(began.elapsed() < Duration::from_secs(10), "a transaction was left open");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

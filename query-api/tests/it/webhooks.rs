//! Webhooks, and the notifications of them that were given up.

use serde_json::{Value, json};

use crate::support::World;

const ID: &str = "019a6f2e-4d00-7000-8000-000000000001";

async fn world() -> World {
    let world = World::new().await;
    world
        .sql(
            "INSERT INTO webhooks (id, url, events, workflow, state, disabled_because, created_at, enabled_at, secret_at,
                                   revision, position) VALUES
               ('019a6f2e-4d00-7000-8000-000000000001', 'https://shop.example/hooks', '{order.ended,order.stuck}', 'fulfil', 'DISABLED', 'it is gone',
                '2026-01-01', '2026-01-02', '2026-01-03', 3, 9),
               ('019a6f2e-4d00-7000-8000-000000000002', 'https://gone.example', '{order.ended}', NULL, 'DELETED', NULL,
                '2026-01-01', '2026-01-01', '2026-01-01', 1, 2);
             INSERT INTO webhook_dead_letters (webhook_id, order_id, order_revision, type, attempts, error, given_up_at,
                                               replayed_at, position) VALUES
               ('019a6f2e-4d00-7000-8000-000000000001', 'a', 3, 'order.ended', 10, '500', '2026-01-05', NULL, 4),
               ('019a6f2e-4d00-7000-8000-000000000001', 'b', 4, 'order.ended', 9, '503', '2026-01-06', NULL, 5),
               ('019a6f2e-4d00-7000-8000-000000000001', 'c', 5, 'order.ended', 8, '504', '2026-01-07', '2026-01-08', 6)",
        )
        .await;
    world
}

#[tokio::test]
async fn webhooks_are_listed_without_secrets_and_with_what_was_given_up() {
    let world = world().await;
    let query = "{ webhooks { id url events workflow placedBy disabledBecause secretMadeAt
                              deadLetters { orderId revision type attempts error position } } }";
    let expected = json!([{
        "id": ID, "url": "https://shop.example/hooks", "events": ["order.ended", "order.stuck"], "workflow": "fulfil",
        "placedBy": null, "disabledBecause": "it is gone", "secretMadeAt": "2026-01-03T00:00:00+00:00",
        "deadLetters": [
            { "orderId": "a", "revision": 3, "type": "order.ended", "attempts": 10, "error": "500", "position": "4" },
            { "orderId": "b", "revision": 4, "type": "order.ended", "attempts": 9, "error": "503", "position": "5" },
        ],
    }]);
    assert_eq!(world.ask(query, Value::Null).await["webhooks"], expected);
}

#[tokio::test]
async fn dead_letters_are_read_in_pages() {
    let world = world().await;
    let mut orders = Vec::new();
    let mut after = Value::Null;
    loop {
        let query =
            "query ($after: Position) { webhooks { deadLetters(first: 1, after: $after) { orderId position } } }";
        let page = world.ask(query, json!({ "after": after })).await["webhooks"][0]["deadLetters"].take();
        let Some(letter) = page.as_array().unwrap().first() else { break };
        orders.push(letter["orderId"].as_str().unwrap().to_owned());
        after = letter["position"].clone();
    }
    assert_eq!(orders, ["a", "b"]);
    for wrong in [0, 501, -1] {
        let answer =
            world.try_ask(&format!("{{ webhooks {{ deadLetters(first: {wrong}) {{ error }} }} }}"), Value::Null).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    }
}

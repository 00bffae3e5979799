//! A request may come twice, late, or after its undo: its effect happens once, or never.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::world::World;

fn lines() -> Value {
    json!([{ "sku": "11", "quantity": 2 }])
}

async fn repeats(world: &World, action: &str) -> (i64, i64) {
    let audit = world.get("/audit/repeats").await.body;
    let tally = audit.as_array().unwrap().iter().find(|tally| tally["action"] == action).unwrap().clone();
    (tally["handled"].as_i64().unwrap(), tally["repeated"].as_i64().unwrap())
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_has_no_second_effect() {
    let world = World::start().await;
    world.post("/shipping/stock", json!([{ "sku": "11", "quantity": 10 }])).await;
    let asks = [
        world.ask("orders.create", "1", json!({ "total": "14.00" })),
        world.ask("orders.update_status", "1", json!({ "status": "Shipped" })),
        world.ask("payments.charge", "1", json!({ "amount": "14.00", "currency": "EUR" })),
        world.ask("shipping.ship", "1", json!({ "lines": lines() })),
        world.ask("notifications.send", "1", json!({ "template": "order-shipped", "to": "a@b.example" })),
        world.ask("payments.refund", "1", json!({})),
        world.ask("orders.cancel", "1", json!({})),
        world.ask("shipping.cancel_shipment", "1", json!({})),
    ];
    for ask in asks {
        let first = ask.send().await;
        assert_eq!(ask.send().await, first);
        assert_eq!(ask.send().await, first);
    }
    assert_eq!(world.stock("11").await, (8, 0));
    assert_eq!(world.count("SELECT count(*) FROM participant_notifications.mails").await, 1);
    assert_eq!(repeats(&world, "charge").await, (1, 2));
    assert_eq!(repeats(&world, "cancel_shipment").await, (1, 2));
}

#[tokio::test]
async fn a_key_may_be_unquoted_and_the_order_of_fields_does_not_matter() {
    let world = World::start().await;
    let ask = world.ask("payments.charge", "1", json!({ "amount": "14.00", "currency": "EUR" }));
    let first = ask.send().await;
    let same = r#"{ "input": {"currency":"EUR", "amount":"14.00"}, "action":"charge", "orderId":"1", "step":"s" }"#;
    let bare = world.request(reqwest::Method::POST, "/payments/charge").header("idempotency-key", "1/charge");
    let again = crate::world::Reply::to(bare.header("content-type", "application/json").body(same)).await;
    assert_eq!(again, first);
}

#[tokio::test]
async fn a_key_used_for_other_content_is_refused() {
    let world = World::start().await;
    let charge = |amount| world.ask("payments.charge", "1", json!({ "amount": amount, "currency": "EUR" }));
    assert_eq!(charge("14.00").outcome().await, "charged");
    let other = charge("15.00").send().await;
    assert_eq!((other.status, other.media_type.as_str()), (422, "application/problem+json"));
    assert_eq!(charge("14.00").outcome().await, "charged");
    let other_action = world.ask("payments.refund", "1", json!({})).key("1/charge").send().await;
    assert_eq!(other_action.status, 422);
    assert_eq!(world.get("/payments/1").await.body["state"], "charged");
}

#[tokio::test]
async fn thirty_concurrent_requests_with_one_key_have_one_effect() {
    let world = World::start().await;
    world.post("/shipping/stock", json!([{ "sku": "11", "quantity": 100 }])).await;
    let charge = world.ask("payments.charge", "1", json!({ "amount": "14.00", "currency": "EUR" }));
    let ship = world.ask("shipping.ship", "1", json!({ "lines": lines() }));
    let mail = world.ask("notifications.send", "1", json!({ "template": "order-placed", "to": "a@b.example" }));
    for ask in [charge, ship, mail] {
        let replies = join_all((0..30).map(|_| ask.send())).await;
        assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
        assert!(replies[0].status < 300, "{}", replies[0].text);
    }
    let totals = world.get("/payments/totals").await.body;
    assert_eq!(totals, json!([{ "currency": "EUR", "charged": "14.00", "refunded": "0", "charges": 1, "refunds": 0 }]));
    assert_eq!(world.stock("11").await, (98, 0));
    assert_eq!(world.count("SELECT count(*) FROM participant_notifications.mails").await, 1);
    assert_eq!(repeats(&world, "charge").await, (1, 29));
}

#[tokio::test]
async fn a_refusal_is_repeated_too() {
    let world = World::start().await;
    let create = world.ask("orders.create", "1", json!({}));
    assert_eq!(create.outcome().await, "created");
    let second = create.clone().key("another");
    let refused = second.send().await;
    assert_eq!((refused.status, refused.media_type.as_str()), (409, "application/problem+json"));
    assert_eq!(second.send().await, refused);
}

/// `(do, input, undo)` of each service that has one.
fn undoable() -> [(&'static str, Value, &'static str); 3] {
    [
        ("orders.create", json!({}), "orders.cancel"),
        ("payments.charge", json!({ "amount": "1", "currency": "EUR" }), "payments.refund"),
        ("shipping.ship", json!({ "lines": lines() }), "shipping.cancel_shipment"),
    ]
}

#[tokio::test]
async fn an_undo_that_comes_first_excludes_its_action_for_ever() {
    let world = World::start().await;
    for (action, input, undo) in undoable() {
        let undo = world.ask(undo, "1", json!({}));
        assert_eq!(undo.outcome().await, "nothing_to_undo");
        let late = world.ask(action, "1", input);
        for _ in 0..2 {
            let refused = late.send().await;
            assert_eq!(refused.status, 409, "{action}: {}", refused.text);
        }
        assert_eq!(undo.outcome().await, "nothing_to_undo");
        let participant = action.split_once('.').unwrap().0;
        assert_eq!(world.get(&format!("/{participant}/1")).await.status, 404, "{action} left something behind");
    }
    assert_eq!(world.get("/payments/totals").await.body, json!([]));
    assert_eq!(world.count("SELECT count(*) FROM participant_shipping.answers").await, 0);
}

#[tokio::test]
async fn an_undo_under_a_second_key_finds_nothing_left_to_undo() {
    let world = World::start().await;
    for (action, input, undo) in undoable() {
        assert!(world.ask(action, "1", input).send().await.status < 300);
        let undo = world.ask(undo, "1", json!({}));
        assert_ne!(undo.outcome().await, "nothing_to_undo");
        assert_eq!(undo.key("again").outcome().await, "nothing_to_undo");
    }
    assert_eq!(world.get("/payments/totals").await.body[0]["refunds"], 1);
}

#[tokio::test]
async fn an_action_racing_with_its_undo_is_undone_or_never_done() {
    let world = World::start().await;
    world.post("/shipping/stock", json!([{ "sku": "11", "quantity": 1 }])).await;
    for round in 0..20 {
        for (action, input, undo) in undoable() {
            let order_id = format!("race-{round}");
            let (act, undo) = (world.ask(action, &order_id, input), world.ask(undo, &order_id, json!({})));
            let (done, undone) = if round % 2 == 0 {
                tokio::join!(act.send(), undo.send())
            } else {
                let (undone, done) = tokio::join!(undo.send(), act.send());
                (done, undone)
            };
            let undone = undone.body["outcome"].as_str().unwrap_or_default().to_owned();
            match done.status {
                409 => assert_eq!(undone, "nothing_to_undo", "{action}"),
                200 | 202 => assert!(["canceled", "refunded"].contains(&undone.as_str()), "{action}: {undone}"),
                status => panic!("{action}: {status} {}", done.text),
            }
        }
    }
    let totals = &world.get("/payments/totals").await.body[0];
    assert_eq!(totals["charged"], totals["refunded"]);
}

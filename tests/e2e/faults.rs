//! Participants that fail: for a while, for good, and at the wrong moment.

use serde_json::{Value, json};

use crate::world::{World, order};

async fn script(world: &World, fault: Value) {
    let (status, body) = world.post("/participants/faults", &json!([fault])).await;
    assert!(status < 300, "{body}");
}

#[tokio::test]
async fn while_a_payment_service_is_down_orders_are_late() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 50 }])).await;
    let down = json!({ "status": 503, "detail": "down for maintenance" });
    script(&world, json!({ "participant": "payments", "action": "charge", "respond": down, "times": 6 })).await;
    for id in ["L1", "L2", "L3"] {
        world.place(&order(id, "order-fulfilment", "11", 1)).await;
    }
    let mut attempts = 0;
    for id in ["L1", "L2", "L3"] {
        world.comes_to(id, "Shipped", "COMPLETED").await;
        let order = world
            .order(id, "steps { id attempts lastError } timeline(first: 100) { edges { node { type step summary } } }")
            .await;
        let charge = order["steps"].as_array().unwrap().iter().find(|step| step["id"] == "charge").unwrap();
        let failed = order["timeline"]["edges"].as_array().unwrap().iter().filter(|edge| {
            edge["node"]["type"] == "StepAttemptFailed"
                && edge["node"]["summary"].as_str().unwrap().contains("down for maintenance")
        });
        let failed = u64::try_from(failed.count()).unwrap();
        assert_eq!(charge["attempts"].as_u64().unwrap(), failed + 1, "{order}");
        attempts += charge["attempts"].as_u64().unwrap();
    }
    assert_eq!(attempts, 9);
    let (_, totals) = world.get("/participants/payments/totals").await;
    assert_eq!((&totals[0]["charges"], &totals[0]["charged"]), (&json!(3), &json!("42.00")));
}

#[tokio::test]
async fn a_refused_payment_undoes_the_order() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    let refused = json!({ "status": 402, "detail": "the card has expired" });
    script(&world, json!({ "participant": "payments", "action": "charge", "respond": refused, "times": 1 })).await;
    world.place(&order("P", "order-fulfilment", "11", 1)).await;
    world.comes_to("P", "Canceled", "CANCELED").await;
    let order = world.order("P", "steps { id status lastError }").await;
    let charge = order["steps"].as_array().unwrap().iter().find(|step| step["id"] == "charge").unwrap();
    assert_eq!(charge["status"], "FAILED");
    assert!(charge["lastError"].as_str().unwrap().contains("the card has expired"), "{charge}");
    let (_, totals) = world.get("/participants/payments/totals").await;
    assert_eq!(totals, json!([]), "nothing was charged");
}

#[tokio::test]
async fn a_refund_that_fails_for_good_leaves_the_order_stuck_and_visible() {
    let world = World::new().await;
    let refused = json!({ "status": 400, "detail": "the account is closed" });
    script(&world, json!({ "participant": "payments", "action": "refund", "respond": refused })).await;
    world.place(&order("S", "order-fulfilment-without-backorder", "11", 1)).await;
    world.comes_to("S", "Placed", "STUCK").await;
    let stuck = world.query("{ orders(where: {state: STUCK}) { edges { node { id stuckReason } } } }").await;
    let edges = stuck["orders"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 1, "{stuck}");
    assert_eq!(edges[0]["node"]["id"], "S");
    let reason = edges[0]["node"]["stuckReason"].as_str().unwrap();
    assert!(reason.contains("payments.refund failed for good") && reason.contains("the account is closed"), "{reason}");
}

#[tokio::test]
async fn an_effect_whose_answer_is_lost_happens_once() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    for (participant, action) in [("payments", "charge"), ("shipping", "ship"), ("notifications", "send")] {
        let fault = json!({ "participant": participant, "action": action, "loseAnswer": true, "times": 2 });
        script(&world, fault).await;
    }
    world.place(&order("O", "order-fulfilment", "11", 2)).await;
    world.comes_to("O", "Shipped", "COMPLETED").await;
    let (_, totals) = world.get("/participants/payments/totals").await;
    assert_eq!((&totals[0]["charges"], &totals[0]["charged"]), (&json!(1), &json!("28.00")));
    let (_, stock) = world.get("/participants/shipping/stock").await;
    assert_eq!(stock[0]["onHand"], 3, "{stock}");
    let (_, mailbox) = world.get("/participants/notifications/mailbox").await;
    assert_eq!(mailbox["total"], 1);
}

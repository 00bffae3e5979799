//! What operators do to one order and to many, during other changes of the same orders.

mod batch;
mod commands;
mod races;
mod resumed;

use serde_json::{Value, json};

use crate::world::{World, order};

/// A charge, and then a person's approval, which is the last step.
const APPROVAL: &str = r#"workflow: approval
version: 1
participants:
  payments: { url: "${PAYMENTS_URL}" }
steps:
  charge: { call: payments.charge, with: { amount: order.total, currency: order.currency }, undo: payments.refund }
  approve:
    after: [charge]
    await: approval
    timeout: 2d
    outcomes: [approved, rejected]
    on-timeout: rejected
    compensate-on: [rejected]
"#;

/// A world with orders that wait for a person.
async fn world() -> World {
    let world = World::new().await;
    world.register(APPROVAL).await;
    world
}

/// Places an order, and waits until it waits for a person.
async fn waiting(world: &World, id: &str) {
    world.place(&order(id, "approval", "11", 1)).await;
    world.comes_to(id, "Placed", "WAITING").await;
}

/// Sends a command to an order.
async fn operate(world: &World, id: &str, what: &str, more: Value) -> (u16, Value) {
    let mut body = json!({ "reason": "the customer called", "actor": "ann" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post(&format!("/orders/{id}/{what}"), &body).await
}

/// The same. The command must be accepted.
async fn operated(world: &World, id: &str, what: &str, more: Value) -> Value {
    let (status, receipt) = operate(world, id, what, more).await;
    assert_eq!((status, &receipt["orderId"]), (202, &json!(id)), "{what}: {receipt}");
    assert!(receipt["revision"].is_u64() && receipt["position"].is_string(), "{receipt}");
    receipt
}

/// The same. The command must be refused because of the order's state.
async fn refused(world: &World, id: &str, what: &str, more: Value, state: &str) {
    let (status, problem) = operate(world, id, what, more).await;
    assert_eq!((status, &problem["state"]), (409, &json!(state)), "{what}: {problem}");
}

/// Sends a person's answer.
async fn answer(world: &World, id: &str, body: Value) -> (u16, Value) {
    world.post(&format!("/orders/{id}/steps/approve/outcome"), &body).await
}

/// The entry of an order's timeline with this type, once the views have it.
async fn entry(world: &World, id: &str, kind: &str) -> Value {
    let entries = "timeline(first: 100) { edges { node { type summary step actor reason } } }";
    let found = async || {
        let order = world.order(id, entries).await;
        let mut entries = order["timeline"]["edges"].as_array().unwrap().iter().map(|edge| &edge["node"]);
        entries.find(|node| node["type"] == kind).cloned()
    };
    world.until(&format!("{id} has {kind}"), async || found().await.is_some()).await;
    found().await.unwrap()
}

/// Scripts a fault, or removes all of them.
async fn fault(world: &World, fault: Option<Value>) {
    let url = format!("{}/participants/faults", world.base);
    let request = match fault {
        Some(fault) => world.http.post(url).json(&json!([fault])),
        None => world.http.delete(url),
    };
    request.send().await.unwrap().error_for_status().unwrap();
}

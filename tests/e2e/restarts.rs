//! Orders survive the process.

use serde_json::json;

use crate::process::Process;
use crate::world::{World, order};

#[tokio::test]
async fn an_order_continues_after_everything_was_killed() {
    let mut world = World::new().await;
    let slow = json!([{ "participant": "payments", "action": "charge", "delayMs": 60_000 }]);
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.post("/participants/faults", &slow).await;
    world.place(&order("K", "order-fulfilment", "11", 1)).await;
    world
        .until("the payment is under way", async || {
            let order = world.order("K", "steps { id status }").await;
            order["steps"]
                .as_array()
                .is_some_and(|steps| steps.iter().any(|s| s["id"] == "charge" && s["status"] == "RUNNING"))
        })
        .await;
    world.process.kill();
    // The scripted faults were in memory, so they are gone with the process.
    let data = world.data();
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--no-samples"];
    world.process = Process::start(&arguments, &[("TENUTO_POSTGRES", world.database.url())]);
    world.base = world.process.line_after("commands   POST ").trim_end_matches("/orders").to_owned();
    world.comes_to("K", "Shipped", "COMPLETED").await;
    let order = world.order("K", "timeline(first: 100) { edges { node { summary } } }").await.to_string();
    assert!(order.contains("made this attempt has gone"), "{order}");
}

#[tokio::test]
async fn an_answer_with_a_key_is_accepted_once() {
    let world = World::new().await;
    world.place(&order("W", "order-fulfilment", "11", 1)).await;
    world.comes_to("W", "BackOrdered", "WAITING").await;
    let answer = json!({ "outcome": "shipped", "data": { "tracking": "T-1" } });
    let send = async |key: &str, body: &serde_json::Value| {
        let request = world.http.post(format!("{}/orders/W/steps/ship/outcome", world.base));
        request.header("Idempotency-Key", key).json(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send("\"mine\"", &json!({ "outcome": "odd" })).await, 422);
    assert_eq!(send("\"mine\"", &answer).await, 202);
    world.comes_to("W", "Shipped", "COMPLETED").await;
    let revision = world.order("W", "revision").await;
    assert_eq!(send("\"mine\"", &answer).await, 202);
    assert_eq!(world.order("W", "revision").await, revision);
    assert_eq!(send("\"other\"", &json!({ "outcome": "backordered" })).await, 409);
}

#[tokio::test]
async fn a_cloud_event_is_an_answer_too() {
    let world = World::new().await;
    world.place(&order("E", "order-fulfilment", "11", 1)).await;
    world.comes_to("E", "BackOrdered", "WAITING").await;
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/shipping", "type": "example.shipped",
        "data": { "outcome": "shipped", "data": { "tracking": "T-2" } },
    });
    let request = world.http.post(format!("{}/orders/E/steps/ship/outcome", world.base));
    let response =
        request.header("content-type", "application/cloudevents+json").body(event.to_string()).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 202);
    world.comes_to("E", "Shipped", "COMPLETED").await;
}

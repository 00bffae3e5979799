//! What the log alone tells of the past: orders decided again.

use serde_json::{Value, json};

use crate::process::binary;
use crate::world::{World, order};

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_tells_an_order_from_the_log_as_far_as_it_is_asked_to() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("A", "order-fulfilment", "11", 2)).await;
    world.comes_to("A", "Shipped", "COMPLETED").await;
    let replay =
        |more: &[&str]| binary().args(["replay", "A", "--event-store", &world.log]).args(more).output().unwrap();
    let whole = replay(&["--json"]);
    let told: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!((whole.status.code(), &told["decidedOtherwise"]), (Some(0), &json!(0)), "{told}");
    let last = &told["decisions"].as_array().unwrap().last().unwrap()["events"];
    let last = last.as_array().unwrap().last().unwrap();
    assert_eq!((&last["type"], &last["state"]["status"]), (&json!("OrderCompleted"), &json!("Shipped")));

    let part = replay(&["--until", "1", "--diff"]);
    let told = String::from_utf8(part.stdout).unwrap();
    assert!(told.contains("steps.create-order.attempts: – → 1"), "{told}");
    assert!(!told.contains("OrderCompleted"), "{told}");

    let unknown = binary().args(["replay", "B", "--event-store", &world.log]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    let wrong = binary().args(["replay", "a/b", "--event-store", &world.log]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

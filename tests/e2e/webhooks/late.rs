//! A webhook is notified of orders that take longer than others did.

use std::collections::BTreeMap;

use event_store::EventStore;
use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::{Answers, Receiver};
use super::{manage, subscribe};
use crate::process::until;
use crate::world::{World, order};

/// Its orders take as long as a person does.
const WORKFLOW: &str = "
workflow: asked
version: 1
participants: {}
steps:
  ask: { await: answer }
";
/// As many as something is expected from.
const SAMPLES: usize = 12;

async fn answer(world: &World, id: &str) {
    let done = json!({ "outcome": "done" });
    let (status, body) = world.post(&format!("/orders/{id}/steps/ask/outcome"), &done).await;
    assert_eq!(status, 202, "{body}");
}

/// A world in which orders were answered at once, and these are not.
async fn world_with(open: &[&str]) -> (World, Receiver, String) {
    let world = World::with(&["--webhook-retry-seconds", "5", "--webhook-timeout-seconds", "2"]).await;
    let receiver = Receiver::start();
    world.register(WORKFLOW).await;
    for number in 0..SAMPLES {
        let id = format!("quick-{number}");
        world.place(&order(&id, "asked", "11", 1)).await;
        answer(&world, &id).await;
    }
    let id = subscribe(&world.base, &receiver, &json!({ "events": ["order.late", "order.ended"] })).await;
    for open in open {
        world.place(&order(open, "asked", "11", 1)).await;
    }
    (world, receiver, id)
}

/// How often each order was found late, by the log.
async fn found_late(log: &str, webhook: &str) -> BTreeMap<String, u32> {
    let mut history = EventStore::connect(log).unwrap().history(None);
    let mut found = BTreeMap::new();
    while let Some(record) = history.next().await.unwrap() {
        let event = record.event;
        if event.event_type == "OrderFoundLate" {
            assert_eq!(event.stream, format!("webhook-{webhook}"));
            let data: Value = serde_json::from_slice(&event.data).unwrap();
            *found.entry(data["orderId"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    found
}

/// The orders whose notifications of this type were accepted, in this order.
fn accepted(receiver: &Receiver, kind: &str) -> Vec<String> {
    receiver.seen(|seen| {
        let of_kind = seen.accepted.iter().filter(|(_, _, found)| found == kind);
        of_kind.map(|(order, ..)| order.clone()).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_becomes_late_is_reported_once_before_its_end() {
    let (world, receiver, id) = world_with(&["slow-1", "slow-2"]).await;
    until("both are late", async || accepted(&receiver, "order.late").len() == 2).await;
    let body = receiver.seen(|seen| seen.last.clone());
    let (timestamp, expected) = (body["timestamp"].as_str().unwrap(), body["data"]["expectedAt"].as_str().unwrap());
    assert!(expected < timestamp && body["data"]["state"] == "WAITING", "{body}");
    // Still late, and late for longer.
    for id in ["slow-1", "slow-2"] {
        answer(&world, id).await;
    }
    until("both ended", async || {
        accepted(&receiver, "order.ended").iter().filter(|order| order.starts_with("slow")).count() == 2
    })
    .await;
    assert_eq!(accepted(&receiver, "order.late").len(), 2);
    assert_eq!(receiver.out_of_order(), [] as [String; 0]);
    receiver.seen(|seen| assert_eq!(seen.wrong_signatures, 0));
    let once = ["slow-1", "slow-2"].map(|order| (order.to_owned(), 1));
    assert_eq!(found_late(&world.log, &id).await, BTreeMap::from(once));
    crate::many::views::equal_the_log(&world.log, world.database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_order_that_was_given_up_is_replayed_as_it_was() {
    let (world, receiver, id) = world_with(&["slow"]).await;
    receiver.answer(Answers::Status(500));
    let dead = async || manage(&world.base, Method::GET, &format!("/{id}/dead-letters"), None).await.1;
    until("it is given up", async || {
        dead().await["deadLetters"].as_array().unwrap().iter().any(|letter| letter["type"] == "order.late")
    })
    .await;
    let sent = receiver.seen(|seen| seen.last.clone());
    receiver.answer(Answers::Ok);
    let shown = async || manage(&world.base, Method::GET, &format!("/{id}"), None).await.1;
    until("it is disabled", async || shown().await["enabled"] == false).await;
    let change = json!({ "url": receiver.url(), "events": ["order.late", "order.ended"] });
    assert_eq!(manage(&world.base, Method::PUT, &format!("/{id}"), Some(&change)).await.0, 200);
    let (status, replayed) =
        manage(&world.base, Method::POST, &format!("/{id}/replay"), Some(&json!({ "all": true }))).await;
    assert_eq!(status, 202, "{replayed}");
    until("it arrives", async || accepted(&receiver, "order.late") == ["slow"]).await;
    assert_eq!(receiver.seen(|seen| seen.last.clone()), sent, "the same body");
}

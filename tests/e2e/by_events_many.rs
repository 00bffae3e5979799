//! Participants that are reached by events, with every role as a separate process: waiting
//! requests, the reader of replies, and events that are set aside.

use std::collections::HashSet;

use bytes::Bytes;
use event_store::{EventStore, Expected, NewEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::parts::Parts;
use crate::process::{Address, until};
use crate::world::order;

async fn place(orders: &str, id: &str) {
    let body = order(id, "order-parallel", "11", 1);
    let answer = reqwest::Client::new().post(orders).json(&body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 202, "{}", answer.text().await.unwrap());
}

const CONFIRMED: &str = "SELECT count(*) FROM orders WHERE state = 'COMPLETED' AND status = 'Confirmed'";

#[tokio::test]
async fn participants_that_were_down_find_their_requests_waiting() {
    let parts = Parts::new().await;
    let (_handler, orders) = parts.handler();
    for number in 0..50 {
        place(&orders, &format!("W{number}")).await;
    }
    until("all orders wait", async || parts.count("SELECT count(*) FROM orders WHERE state = 'WAITING'").await == 50)
        .await;
    let (mut participants, _) = parts.participants();
    until("some are through", async || parts.count(CONFIRMED).await > 0).await;
    participants.kill();
    let _participants = parts.participants();
    until("all are through", async || parts.count(CONFIRMED).await == 50).await;
    let effects = [
        "SELECT count(*) FROM participant_payments.charges WHERE state = 'charged'",
        "SELECT count(*) FROM participant_orders.orders WHERE status = 'Confirmed'",
        "SELECT count(*) FROM participant_notifications.mails",
    ];
    for effect in effects {
        assert_eq!(parts.count(effect).await, 50, "{effect}");
    }
    let log = EventStore::connect(&parts.log).unwrap();
    for (stream, each) in [("orders", 2), ("payments", 1), ("notifications", 1)] {
        for kind in ["requests", "replies"] {
            let events = log.read_stream(&format!("{kind}-{stream}"), 0, 1_000).await.unwrap();
            assert_eq!(events.len(), 50 * each, "{kind}-{stream}");
            assert_eq!(events.iter().map(|event| event.id).collect::<HashSet<_>>().len(), events.len());
        }
    }
    assert_eq!(log.read_stream("parked-replies", 0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn one_command_handler_reads_replies_and_another_one_takes_over_when_it_is_killed() {
    let parts = Parts::new().await;
    // Participants request personal data at the public URL, so it must outlive the first handler,
    // as a balancer's would.
    let address = Address::new();
    let url = address.url();
    let (mut first, orders) = parts.handler_with(&["--public-url", &url]);
    until("the first reads", async || parts.reader().await.is_some()).await;
    let reader = parts.reader().await;
    let (_second, orders_of_second) = parts.handler_at(address.as_str(), &[]);
    let (mut participants, _) = parts.participants();
    place(&orders, "T1").await;
    until("the first order is through", async || parts.count(CONFIRMED).await == 1).await;
    assert_eq!(parts.reader().await, reader);

    // Requests from before the death of the reader are answered after it.
    participants.kill();
    for number in 2..20 {
        place(&orders, &format!("T{number}")).await;
    }
    first.kill();
    let _participants = parts.participants();
    place(&orders_of_second, "T20").await;
    until("all are through", async || parts.count(CONFIRMED).await == 20).await;
    assert!(parts.reader().await.is_some_and(|pid| Some(pid) != reader));
}

#[tokio::test]
async fn a_reply_that_cannot_be_accepted_is_set_aside_and_others_are_processed() {
    let parts = Parts::new().await;
    let (_handler, orders) = parts.handler();
    let log = EventStore::connect(&parts.log).unwrap();
    let unknown = json!({ "orderId": "unknown", "step": "charge", "direction": "do", "outcome": "charged" });
    for (event_type, data) in
        [("ActionAnswered", json!([])), ("ActionAnswered", unknown), ("Whatever", json!({ "orderId": "X1" }))]
    {
        let event = NewEvent {
            id: Uuid::now_v7(),
            event_type: event_type.to_owned(),
            data: Bytes::from(data.to_string()),
            metadata: Bytes::new(),
        };
        log.append("replies-payments", Expected::Any, vec![event]).await.unwrap();
    }
    let _participants = parts.participants();
    place(&orders, "X1").await;
    until("the order is through", async || parts.count(CONFIRMED).await == 1).await;
    let parked = log.read_stream("parked-replies", 0, 10).await.unwrap();
    let mut places: Vec<(u64, String)> = parked
        .iter()
        .map(|event| {
            let data: Value = serde_json::from_slice(&event.data).unwrap();
            assert_eq!(data["stream"], "replies-payments");
            (data["revision"].as_u64().unwrap(), data["reason"].as_str().unwrap().to_owned())
        })
        .collect();
    places.sort();
    assert_eq!(places.iter().map(|(revision, _)| *revision).collect::<Vec<_>>(), [0, 1, 2], "{places:?}");
    assert!(places[1].1.contains("there is no order unknown"), "{places:?}");
    // They precede the order's own replies, so the checkpoint is past them.
    until("the checkpoint has moved", async || {
        parts.count("SELECT count(*) FROM reply_checkpoints WHERE position > 0").await == 1
    })
    .await;
}

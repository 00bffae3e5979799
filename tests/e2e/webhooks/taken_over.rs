//! Under load, the receiver fails in every way, and the instance that delivers is killed.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::receiver::{Answers, Receiver};
use super::{EACH, manage, place, register, subscribe, told_by};
use crate::parts::Parts;
use crate::process::{from_environment, until};

/// The session of the instance that delivers.
async fn deliverer(parts: &Parts) -> Option<i32> {
    parts.holder(0x7465_6e75_746f_0003).await
}

/// `TENUTO_WEBHOOK_OUTAGE_SECONDS=600` is the run of the book: down for ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_receiver_does_and_whichever_instance_is_killed_each_event_arrives_in_order() {
    let outage = Duration::from_secs(from_environment("TENUTO_WEBHOOK_OUTAGE_SECONDS", 4));
    let parts = Parts::new().await;
    let options =
        ["--webhook-hosts", "127.0.0.1", "--webhook-retry-seconds", "86400", "--webhook-timeout-seconds", "1"];
    let (mut first, orders) = parts.handler_with(&options);
    let base = orders.trim_end_matches("/orders").to_owned();
    until("the first delivers", async || deliverer(&parts).await.is_some()).await;
    let delivering = deliverer(&parts).await;
    let (_second, orders) = parts.handler_with(&options);
    let other = orders.trim_end_matches("/orders").to_owned();
    register(&other).await;
    let mut receiver = Receiver::start();
    let id = subscribe(&base, &receiver, &json!({})).await;

    let begun = Instant::now();
    let mut placed = 0;
    let mut load = async |until: Instant| {
        while Instant::now() < until {
            place(&other, (placed..placed + 5).map(|number| format!("T{number}"))).await;
            placed += 5;
            // A pace, and no wait for anything: the load has to last as long as the outage.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    load(begun + outage / 4).await;
    receiver.down();
    load(begun + outage).await;
    receiver.answer(Answers::Status(500));
    receiver.up();
    load(begun + outage + outage / 4).await;
    assert_eq!(deliverer(&parts).await, delivering);
    first.kill();
    until("the other takes over", async || deliverer(&parts).await.is_some_and(|pid| Some(pid) != delivering)).await;
    receiver.answer(Answers::Slow(Duration::from_millis(1_200)));
    load(begun + outage + outage / 2).await;
    receiver.down();
    receiver.answer(Answers::Ok);
    receiver.up();

    until("each order has ended", async || {
        parts.count("SELECT count(*) FROM orders WHERE state = 'COMPLETED'").await == placed
    })
    .await;
    let all = usize::try_from(placed).unwrap() * EACH;
    // A long outage leaves many behind: what counts is that they keep coming.
    let mut arrived = receiver.how_many();
    while arrived < all {
        until("more arrives", async || receiver.how_many() > arrived).await;
        arrived = receiver.how_many();
    }
    assert_eq!(receiver.accepted(), told_by(&parts.log).await);
    assert_eq!(receiver.out_of_order(), [] as [String; 0]);
    receiver.seen(|seen| {
        assert_eq!((seen.wrong_signatures, seen.ids.len()), (0, all));
        println!("{placed} orders, {all} notifications, {} arrivals", seen.attempts.values().sum::<u32>());
    });
    until("nothing is open", async || parts.count("SELECT count(*) FROM webhook_deliveries").await == 0).await;
    let (_, letters) = manage(&other, Method::GET, &format!("/{id}/dead-letters"), None).await;
    assert_eq!(letters["deadLetters"], json!([]));
}

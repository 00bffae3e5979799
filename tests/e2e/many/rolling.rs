//! One command handler after another receives SIGTERM and is started again while orders arrive. No
//! client notices.
//!
//! `TENUTO_ROLLING_ORDERS` sets the number of orders.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::history::History;
use super::instance::one_is_ready;
use super::windows::Windows;
use super::{Many, clients};
use crate::ledger::{Ledger, at_rest, ends, set_stock};
use crate::process::{from_environment, until};

/// No client gives up its order.
const CROWD: clients::Crowd = clients::Crowd { per_second: 20, impatient: 0, seed: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_request_and_hands_over_what_is_under_way() {
    let count = usize::try_from(from_environment("TENUTO_ROLLING_ORDERS", 200)).unwrap();
    let orders = clients::orders(count, 0);
    let many = Many::new().await;
    let stock = clients::stock_for(&orders);
    set_stock(&many.http, &many.participants.url(), &stock).await;
    // Longer than an instance takes to drain, so that each has an attempt in flight when it leaves.
    let slow = json!([{ "participant": "payments", "action": "charge", "delayMs": 1_500 }]);
    let faults = format!("{}/faults", many.participants.url());
    assert!(reqwest::Client::new().post(faults).json(&slow).send().await.unwrap().status().is_success());

    let all_placed = AtomicBool::new(false);
    let clients = async {
        let placed = clients::place(&many.http, &many.balancer.url, &orders, CROWD).await;
        all_placed.store(true, Ordering::Relaxed);
        placed
    };
    let roll = async {
        let mut restarts = 0;
        for handler in many.handlers.iter().cycle() {
            if restarts >= many.handlers.len() && all_placed.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let left = handler.leaves().await;
            assert!(left.success(), "{}: {left}", handler.name);
            handler.start().await;
            one_is_ready(std::slice::from_ref(handler)).await;
            restarts += 1;
        }
        restarts
    };
    let (placed, restarts) = tokio::join!(clients, roll);
    until("all orders are at rest", async || {
        let ends = ends(&many.http, &many.queries).await;
        ends.len() == count && ends.values().all(at_rest)
    })
    .await;

    // Nor is any of them asked to come later.
    assert_eq!((placed.acknowledged.len(), placed.asked_later, placed.unanswered), (count, 0, 0));
    let ends = ends(&many.http, &many.queries).await;
    Ledger::new(&orders, stock).adds_up(&many.http, &ends, &many.participants.url(), &many.database).await;
    let history = History::read(&many.log).await;
    let lost = history.lost();
    for (id, why) in &lost {
        assert!(why.starts_with("handed over"), "an attempt of order {id} had to run out: {why}");
    }
    assert!(!lost.is_empty(), "each instance had something under way when it left");
    let longest = history.longest_wait(&Windows::default()).unwrap();
    println!("{restarts} restarts");
    println!("{:?}", many.balancer.tally());
    let (wait, what) = (longest.lasted.num_milliseconds(), longest.what);
    println!("{} attempts handed over; longest wait {wait} ms: {what}", lost.len());
}

//! Everything is killed, stopped and restarted at random while orders arrive, and nothing is wrong
//! in the end.
//!
//! `TENUTO_CHAOS_ORDERS` sets the number of orders, `TENUTO_CHAOS_SECURED_ORDERS` the one of the
//! secured system, and `TENUTO_CHAOS_SEED` the sequence of faults.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::history::History;
use super::windows::Windows;
use super::{LEASE, Many, clients, script, views};
use crate::ledger::{Ledger, at_rest, ends, set_stock};
use crate::process::{LIMIT, from_environment};
use crate::security::Security;

/// Orders placed per second.
const RATE: u32 = 10;
/// The longest deadline of an attempt in the workflows of this test.
const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn despite_kills_and_stops_every_order_ends_right_and_every_effect_happens_once() {
    ends_right(Many::new().await, from_environment("TENUTO_CHAOS_ORDERS", 200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn despite_kills_and_stops_a_secured_system_comes_to_the_same() {
    let many = Many::secured_by(Some(Security::new())).await;
    ends_right(many, from_environment("TENUTO_CHAOS_SECURED_ORDERS", 60)).await;
}

async fn ends_right(many: Arc<Many>, count: u64) {
    let seed = from_environment("TENUTO_CHAOS_SEED", rand::random::<u32>().into());
    println!("TENUTO_CHAOS_ORDERS={count} TENUTO_CHAOS_SEED={seed}");
    let orders = clients::orders(usize::try_from(count).unwrap(), seed);
    let stock = clients::stock_for(&orders);
    set_stock(&many.http, &many.participants.url(), &stock).await;

    let begun = Instant::now();
    let crowd = clients::Crowd { per_second: RATE, impatient: 5, seed };
    let acts = script::draw(seed, Duration::from_secs(count) / RATE);
    let (placed, happened) =
        tokio::join!(clients::place(&many.http, &many.balancer.url, &orders, crowd), script::perform(&many, &acts));
    let history = all_come_to_rest(&many).await;
    let took = begun.elapsed();
    for instance in many.handlers.iter().chain(&many.projectors) {
        assert!(instance.runs().await, "{} has ended", instance.name);
    }

    for id in &placed.acknowledged {
        assert!(history.0.contains_key(id), "order {id} was acknowledged, and is lost");
    }
    // A client that gave up got a refusal or no answer. The order may have been accepted
    // nevertheless.
    let taken: Vec<_> =
        orders.iter().filter(|order| history.0.contains_key(order["orderId"].as_str().unwrap())).collect();
    assert_eq!(placed.acknowledged.len() + placed.given_up.len(), orders.len());
    let ends = ends(&many.http, &many.queries).await;
    Ledger::new(taken.iter().copied(), stock)
        .adds_up(&many.http, &ends, &many.participants.url(), &many.database)
        .await;
    views::equal_the_log(&many.log, &many.database).await;

    let longest = history.longest_wait(&happened.down).unwrap();
    let in_all = history.longest_wait(&Windows::default()).unwrap();
    println!("{} acknowledged, {} given up", placed.acknowledged.len(), placed.given_up.len());
    println!("clients: {} asked to come later, {} unanswered", placed.asked_later, placed.unanswered);
    println!("{:?}", many.balancer.tally());
    println!("{:?}; as a whole down for {} ms", happened.counts, happened.down.sum().num_milliseconds());
    println!("{} attempts lost", history.lost().len());
    println!(
        "longest wait: {} ms while up ({}), {} ms in all",
        longest.lasted.num_milliseconds(),
        longest.what,
        in_all.lasted.num_milliseconds()
    );
    println!("{:.1} s", took.as_secs_f64());
    let bound = TimeDelta::from_std(LEASE + DEADLINE).unwrap();
    let meanwhile = happened.meanwhile(longest.from, longest.to);
    assert!(longest.lasted <= bound, "an order waited too long; away meanwhile: {meanwhile:#?}");
}

/// Waits until no order in the log has work left.
async fn all_come_to_rest(many: &Many) -> History {
    let mut last = (0, Instant::now());
    loop {
        let ends = ends(&many.http, &many.queries).await;
        let open: Vec<_> = ends.iter().filter(|(_, end)| !at_rest(end)).collect();
        if open.is_empty() {
            let history = History::read(&many.log).await;
            // The views may still be behind.
            if history.0.len() == ends.len() {
                return history;
            }
        }
        if open.len() != last.0 {
            last = (open.len(), Instant::now());
        }
        assert!(last.1.elapsed() < LIMIT, "these are not at rest: {open:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

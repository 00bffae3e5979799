//! How many orders a second `tenuto backtest` tries, and its speed as a share of only reading the
//! same log.
//!
//! `cargo bench --bench backtest`. It fills an embedded log with orders that have ended
//! (`TENUTO_BENCH_ORDERS`, 100,000 by default). Then it runs the command on that log, from its
//! folder and over the network, with the orders' own definition and with one without back-orders.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../tests/e2e/process.rs"]
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
mod process;

mod orders;

use std::path::Path;
use std::time::Instant;

use event_store::{EventStore, Filter, SubscriptionItem};
use event_store_node::{Node, NodeOptions};
use serde_json::Value;

use process::{Process, binary, from_environment};

/// How often each speed is measured.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let orders = from_environment("TENUTO_BENCH_ORDERS", 100_000);
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let node = Node::start(NodeOptions::in_folder(folder.path().join("event-store"))).await.unwrap();
    let events = orders::fill(&EventStore::in_process(node.in_process()).unwrap(), 0..orders).await;
    node.shutdown().await;
    println!("{orders} orders, {events} events, filled in {:.1} s", began.elapsed().as_secs_f64());
    for _ in 0..ROUNDS {
        let read = read(folder.path(), orders).await;
        for (name, workflow) in
            [("its own definition", "order-fulfilment"), ("another", "order-fulfilment-without-backorder")]
        {
            let tried = backtest(workflow, &["--data", folder.path().to_str().unwrap()], orders);
            println!(
                "  {name:<20} {tried:>8.0} orders/s, {:>3.0} % of a plain read ({read:.0} orders/s)",
                tried / read * 100.0
            );
        }
    }
    let node =
        Process::start(&["event-store", "--data", folder.path().to_str().unwrap(), "--listen", "127.0.0.1:0"], &[]);
    let log = node.line_after("the log at ");
    for _ in 0..ROUNDS {
        let tried = backtest("order-fulfilment", &["--event-store", &log], orders);
        println!("  {:<20} {tried:>8.0} orders/s", "over the wire");
    }
}

/// Orders a second, from the command's output.
fn backtest(workflow: &str, log: &[&str], orders: u64) -> f64 {
    let file = format!("{}/workflows/{workflow}.yaml", env!("CARGO_MANIFEST_DIR"));
    let output = binary().args(["backtest", "--json", "--workflow", &file]).args(log).output().unwrap();
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["orders"], orders, "{summary}");
    assert_eq!(summary["unknown"], 0, "{summary}");
    per_second(orders, summary["seconds"].as_f64().unwrap())
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn per_second(orders: u64, seconds: f64) -> f64 {
    orders as f64 / seconds
}

/// Orders a second when all their events are only read, in this process.
async fn read(folder: &Path, orders: u64) -> f64 {
    let node = Node::start(NodeOptions::in_folder(folder.join("event-store"))).await.unwrap();
    let store = EventStore::in_process(node.in_process()).unwrap();
    let began = Instant::now();
    let mut subscription =
        store.subscribe_all(Filter::StreamPrefixes(vec![domain::stream_prefix::DEFAULT.to_owned()]), None);
    let mut bytes = 0;
    loop {
        match subscription.next().await {
            SubscriptionItem::Event(event) => bytes += event.data.len(),
            SubscriptionItem::Checkpoint(_) | SubscriptionItem::Resumed => {}
            SubscriptionItem::CaughtUp => break,
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    assert!(bytes > 0);
    drop(subscription);
    node.shutdown().await;
    per_second(orders, seconds)
}

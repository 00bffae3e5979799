//! How many orders a second `tenuto backtest` tries, and what share that is of reading the same log.
//!
//! `cargo bench --bench backtest`. It fills an embedded log with orders that have ended (`TENUTO_BENCH_ORDERS` of them, 100,000 unless
//! it says so), decided by the real decider under `order-fulfilment`, their events mixed as those of orders under way are: four in
//! five are shipped, the others back-ordered first, or canceled. Then it runs the command itself on that log, where it lies and over
//! the wire, with the definition that the orders ran under and with the one that has no back-orders.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../tests/e2e/process.rs"]
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
mod process;

use std::path::Path;
use std::time::Instant;

use domain::ids::OrderId;
use domain::order::{Event, NewOrder, Operation, Reply};
use domain::testing::{Story, answered, done};
use domain::wire::{self, CHAIN_START, Context};
use domain::workflow::Workflow;
use event_store::client::{EventStore, Expected, Filter, NewEvent, SubscriptionItem};
use event_store::node::{Node, NodeOptions};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use process::{Process, binary, from_environment};

/// Orders under way at once while the log is filled.
const WAVE: u64 = 512;
/// How often each is measured.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let orders = from_environment("TENUTO_BENCH_ORDERS", 100_000);
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let events = fill(folder.path(), orders).await;
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
    let log = node.told("the log at ");
    for _ in 0..ROUNDS {
        let tried = backtest("order-fulfilment", &["--event-store", &log], orders);
        println!("  {:<20} {tried:>8.0} orders/s", "over the wire");
    }
}

/// Orders a second, as the command says.
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

/// Orders a second of a plain read of all their events, in this process.
async fn read(folder: &Path, orders: u64) -> f64 {
    let node = Node::start(NodeOptions::in_folder(folder.join("event-store"))).await.unwrap();
    let store = EventStore::embedded(&node).unwrap();
    let began = Instant::now();
    let mut subscription = store.subscribe_all(Filter::StreamPrefixes(vec![OrderId::STREAM_PREFIX.to_owned()]), None);
    let mut bytes = 0;
    loop {
        match subscription.next().await {
            SubscriptionItem::Event(event) => bytes += event.data.len(),
            SubscriptionItem::Checkpoint(_) => {}
            SubscriptionItem::CaughtUp => break,
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    assert!(bytes > 0);
    drop(subscription);
    node.shutdown().await;
    per_second(orders, seconds)
}

/// Fills a log; says how many events it has then.
async fn fill(folder: &Path, orders: u64) -> usize {
    let node = Node::start(NodeOptions::in_folder(folder.join("event-store"))).await.unwrap();
    let store = EventStore::embedded(&node).unwrap();
    let workflow = Workflow::parse(include_str!("../workflows/order-fulfilment.yaml")).unwrap();
    let mut events = 0;
    for wave in 0..orders.div_ceil(WAVE) {
        let numbers = wave * WAVE..orders.min((wave + 1) * WAVE);
        let mut lives: Vec<Life> = numbers.map(|number| Life::lived(&workflow, number)).collect();
        loop {
            let next: Vec<_> = lives.iter_mut().filter_map(Life::next).collect();
            if next.is_empty() {
                break;
            }
            events += next.iter().map(|(_, _, events)| events.len()).sum::<usize>();
            let appends = next.into_iter().map(|(stream, expected, events)| {
                let store = store.clone();
                async move { store.append(&stream, expected, events).await.unwrap() }
            });
            join_all(appends).await;
        }
    }
    node.shutdown().await;
    events
}

/// A life, decision by decision.
struct Life {
    stream: String,
    decisions: std::vec::IntoIter<Vec<Event>>,
    written: u64,
    hash: String,
}

impl Life {
    fn lived(workflow: &Workflow, number: u64) -> Self {
        let decisions = decisions(workflow, number);
        Self {
            stream: OrderId::new(format!("B{number:07}")).unwrap().stream(),
            decisions: decisions.into_iter(),
            written: 0,
            hash: CHAIN_START.to_owned(),
        }
    }

    fn next(&mut self) -> Option<(String, Expected, Vec<NewEvent>)> {
        let decided = self.decisions.next()?;
        let expected = self.written.checked_sub(1).map_or(Expected::NoStream, Expected::Revision);
        let context = Context { correlation_id: self.stream.clone(), ..Context::default() };
        let mut events = Vec::new();
        for event in &decided {
            let id = Uuid::now_v7();
            let encoded = wire::encode(event, id, &self.hash, &context).unwrap();
            self.hash = encoded.hash;
            self.written += 1;
            events.push(NewEvent {
                id,
                event_type: encoded.event_type.to_owned(),
                data: encoded.data.into(),
                metadata: encoded.metadata.into(),
            });
        }
        Some((self.stream.clone(), expected, events))
    }
}

/// Seven in ten are shipped at once, two after a back-order; one is canceled.
fn decisions(workflow: &Workflow, number: u64) -> Vec<Vec<Event>> {
    let mut story = Story::given(workflow);
    let mut decisions = vec![story.place(order(number)).events()];
    for step in ["create-order", "charge"] {
        decisions.push(story.answer(step, done()).events());
    }
    decisions.push(story.answer("ship", Reply::Accepted).events());
    let kind = number % 10;
    if kind == 9 {
        decisions.push(story.operate(Operation::Cancel).events());
        for undo in ["ship", "charge", "create-order"] {
            decisions.push(story.answer(undo, done()).events());
        }
        for step in ["record-canceled", "notify-canceled"] {
            decisions.push(story.answer(step, done()).events());
        }
        return decisions;
    }
    if kind > 6 {
        decisions.push(story.signal("ship", "backordered").events());
        for step in ["record-backorder", "notify-backorder"] {
            decisions.push(story.answer(step, done()).events());
        }
    }
    let tracking = json!({ "tracking": format!("T{number}") });
    decisions.push(story.signal_with("ship", "shipped", tracking, None).events());
    for step in ["record-shipped", "notify-shipped"] {
        decisions.push(story.answer(step, answered("done")).events());
    }
    assert!(story.state().ended());
    decisions
}

fn order(number: u64) -> NewOrder {
    let lines: Vec<Value> = (0..=number % 4)
        .map(|line| json!({ "sku": format!("{}", 10 + line), "name": "Queso Cabrales", "quantity": 1 + number % 20, "unitPrice": "14.00" }))
        .collect();
    let order = json!({
        "orderId": format!("B{number:07}"),
        "workflow": "order-fulfilment",
        "customer": { "id": format!("C{}", number % 91), "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": lines,
        "shipTo": { "street": "59 rue de l'Abbaye", "city": "Reims", "postalCode": "51100", "country": "France" },
    });
    domain::order::request::check(&order).unwrap()
}

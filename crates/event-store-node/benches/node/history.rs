//! A long log: how fast it is read from its beginning, as a share of the engine's own speed, how
//! long opening it takes, and how much memory it needs.

use std::path::Path;
use std::time::{Duration, Instant};

use eventstore::{AppendToStreamOptions, StreamPosition, SubscribeToAllOptions, SubscriptionEvent};
use fjall::{Database, KeyspaceCreateOptions};
use futures::future::join_all;
use uuid::Uuid;

use crate::node_process::NodeProcess;
use crate::store::{client, event};

/// Events in one append: about half of the largest append.
const BATCH: usize = 1000;
const WRITERS: usize = 4;

pub async fn measure(base: &Path, events: usize) {
    let folder = tempfile::tempdir_in(base).unwrap();
    let log = folder.path().join("log");

    let node = NodeProcess::start(&log);
    let took = fill(&node, events).await;
    println!("{events} events written in {:.0} s, {:.0} a second", took.as_secs_f64(), rate(events, took));
    println!("memory after writing: {} MiB, at most {} MiB", node.memory(), node.peak_memory());
    node.stop();

    let node = NodeProcess::start(&log);
    println!("start-up with that log: {:.2} s", node.start_up.as_secs_f64());
    println!("memory after start-up: {} MiB", node.memory());
    let wire = read_over_the_wire(&node, events).await;
    println!("memory after reading: {} MiB, at most {} MiB", node.memory(), node.peak_memory());
    node.stop();

    let engine = tokio::task::spawn_blocking(move || read_with_the_engine(&log, events)).await.unwrap();
    println!("read over the wire: {:.0} events a second", rate(events, wire));
    println!("read with the engine alone: {:.0} events a second", rate(events, engine));
    println!("share: {:.2}", engine.as_secs_f64() / wire.as_secs_f64());
}

fn rate(events: usize, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64()
}

async fn fill(node: &NodeProcess, events: usize) -> Duration {
    let began = Instant::now();
    let writing = (0..WRITERS).map(|writer| {
        let client = client(node);
        let mut left = events / WRITERS + usize::from(writer < events % WRITERS);
        tokio::spawn(async move {
            let options = AppendToStreamOptions::default();
            while left > 0 {
                let count = left.min(BATCH);
                let stream = format!("measured-{}", Uuid::new_v4());
                let events: Vec<_> = (0..count).map(|_| event()).collect();
                client.append_to_stream(stream, &options, events).await.unwrap();
                left -= count;
            }
        })
    });
    for writer in join_all(writing).await {
        writer.unwrap();
    }
    began.elapsed()
}

async fn read_over_the_wire(node: &NodeProcess, events: usize) -> Duration {
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start);
    let began = Instant::now();
    let mut subscription = client(node).subscribe_to_all(&options).await;
    let mut read = 0;
    let (mut tenths, mut since) = (Vec::new(), began);
    while read < events {
        if let SubscriptionEvent::EventAppeared(event) = subscription.next_subscription_event().await.unwrap() {
            read += usize::from(event.get_original_event().event_type == "Measured");
            if read % (events / 10).max(1) == 0 {
                tenths.push(since.elapsed());
                since = Instant::now();
            }
        }
    }
    if let (Some(slowest), Some(fastest)) = (tenths.iter().max(), tenths.iter().min()) {
        println!(
            "the slowest tenth took {:.2} times as long as the fastest",
            slowest.as_secs_f64() / fastest.as_secs_f64()
        );
    }
    began.elapsed()
}

/// Reads everything in the keyspace of the events, in order, with the engine alone.
fn read_with_the_engine(log: &Path, events: usize) -> Duration {
    let database = Database::builder(log).cache_size(32 << 20).worker_threads(1).open().unwrap();
    let keyspace = database.keyspace("events", KeyspaceCreateOptions::default).unwrap();
    let began = Instant::now();
    let read = keyspace.iter().map(|row| row.into_inner().unwrap()).filter(|(_, value)| !value.is_empty()).count();
    assert_eq!(read, events);
    began.elapsed()
}

//! Whatever a client sends, the node does not panic, hang, or use more and more memory.
//!
//! `TENUTO_FUZZ_REQUESTS` sets how many requests each test makes. The default keeps the suite
//! short. `TENUTO_FUZZ_SEED` repeats the same requests. The node is a separate process, and any
//! panic ends it.

mod client;
mod message;
mod plan;
mod schema;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event_store::{EventStore, Expected};
use futures::future::join_all;
use rand::rngs::StdRng;
use tokio::time::timeout;

use super::child::NodeProcess;
use super::support::{LIMIT, events, ids, new_ids};
use client::{Hung, Statuses};
use plan::{Plan, random_of};
use schema::Schema;

const CONNECTIONS: u64 = 4;
/// How many requests are made between two checks that the node still works.
const CHECK_INTERVAL: u64 = 2_000;
/// How much memory may grow after the first tenth of the requests: caches fill, but nothing grows
/// further.
const GROWTH: u64 = 96 << 20;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}

type Make = fn(&Schema, &mut StdRng) -> Plan;

async fn withstands(make: Make) {
    let requests = from_environment("TENUTO_FUZZ_REQUESTS", 5_000);
    let seed = from_environment("TENUTO_FUZZ_SEED", rand::random());
    println!("{requests} requests, TENUTO_FUZZ_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut node = NodeProcess::start(folder.path(), "127.0.0.1:0").unwrap();
    let schema = Arc::new(Schema::load());
    let store = EventStore::connect(&node.connection_string()).unwrap();
    works(&store, "before").await;
    let idle = node.usage();

    let begin = Instant::now();
    let mut statuses = attack(&node, &schema, make, seed, 0..requests / 10).await;
    let warm = node.usage();
    let mut done = requests / 10;
    while done < requests {
        let next = (done + CHECK_INTERVAL * CONNECTIONS).min(requests);
        add(&mut statuses, attack(&node, &schema, make, seed, done..next).await);
        works(&store, &format!("after-{next}")).await;
        done = next;
    }
    let rate = u128::from(requests) * 1_000 / begin.elapsed().as_millis().max(1);

    // The node releases the resources of calls soon after their connections have closed.
    let calm = Instant::now() + LIMIT;
    let mut after = node.usage();
    while (after.tasks > idle.tasks + 8 || after.files > idle.files + 8) && Instant::now() < calm {
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = node.usage();
    }
    println!("{rate} requests a second, {statuses:?}\n{idle:?} idle\n{warm:?} warm\n{after:?} after");
    assert!(statuses.len() > 2, "the requests are all answered alike: {statuses:?}");
    assert!(after.tasks <= idle.tasks + 8, "tasks that do not end: {idle:?}, {after:?}");
    assert!(after.files <= idle.files + 8, "files that are not closed: {idle:?}, {after:?}");
    assert!(after.memory <= warm.memory + GROWTH, "memory grows: {warm:?}, {after:?}");
    node.kill();
}

/// Makes the requests of a range, each on one of a few connections.
async fn attack(node: &NodeProcess, schema: &Arc<Schema>, make: Make, seed: u64, range: Range<u64>) -> Statuses {
    let address = node.address().parse().unwrap();
    let next = Arc::new(AtomicU64::new(range.start));
    let connections = (0..CONNECTIONS).map(|_| {
        let (schema, next, end) = (schema.clone(), next.clone(), range.end);
        tokio::spawn(async move {
            let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|next| *next < end));
            client::run(address, numbers.map(|number| (number, make(&schema, &mut random_of(seed, number))))).await
        })
    });
    let mut statuses = Statuses::new();
    for connection in join_all(connections).await {
        match connection.unwrap() {
            Ok(counted) => add(&mut statuses, counted),
            Err(Hung(number)) => panic!("request {number} of TENUTO_FUZZ_SEED={seed} did not end"),
        }
    }
    statuses
}

fn add(statuses: &mut Statuses, more: Statuses) {
    for (status, count) in more {
        *statuses.entry(status).or_default() += count;
    }
}

/// Makes an append and reads it back.
async fn works(store: &EventStore, stream: &str) {
    let new = events(2);
    let append = store.append(stream, Expected::NoStream, new.clone());
    timeout(LIMIT, append).await.expect("an append hangs").expect("an append fails");
    let read = timeout(LIMIT, store.read_stream(stream, 0, 10)).await.expect("a read hangs").expect("a read fails");
    assert_eq!(ids(&read), new_ids(&new));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_protobuf_does_no_harm() {
    withstands(plan::protobuf).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_do_no_harm() {
    withstands(plan::bytes).await;
}

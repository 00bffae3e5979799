//! Appends: how many a second, as a multiple of the disk's syncs, and how long one takes while
//! clients subscribe.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventstore::{
    AppendToStreamOptions, EventData, StreamPosition, SubscribeToAllOptions, Subscription, SubscriptionEvent,
};
use futures::future::join_all;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::disk;
use crate::node_process::NodeProcess;
use crate::store::{client, event};

const TIME: Duration = Duration::from_secs(5);
const WRITERS: [usize; 3] = [1, 32, 256];
/// The writers share this many connections.
const CONNECTIONS: usize = 4;
const SUBSCRIPTIONS: usize = 2;
/// The type of the event that marks the end of all writing.
const LAST: &str = "Last";

pub async fn measure(base: &Path) {
    let folder = tempfile::tempdir_in(base).unwrap();
    let syncs = disk::syncs_per_second(folder.path());
    println!("the disk syncs {syncs:.0} times a second\n");
    println!(
        "{:>8} {:>14} {:>10} {:>10} {:>10} {:>10}",
        "writers", "subscriptions", "appends/s", "per sync", "p50", "p99"
    );
    let node = NodeProcess::start(&folder.path().join("log"));
    for (writers, subscriptions) in WRITERS.map(|writers| (writers, 0)).into_iter().chain([(32, SUBSCRIPTIONS)]) {
        let listeners = Listeners::start(&node, subscriptions).await;
        let mut times = append(&node, writers).await;
        listeners.stop(&node, times.len()).await;
        times.sort_unstable();
        let per_second = times.len() as f64 / TIME.as_secs_f64();
        let percentile = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
        println!(
            "{writers:>8} {subscriptions:>14} {per_second:>10.0} {:>10.1} {:>7.2} ms {:>7.2} ms",
            per_second / syncs,
            percentile(50),
            percentile(99),
        );
    }
    println!("\nthe node took at most {} MiB\n", node.peak_memory());
    node.stop();
}

/// How long each append took. Each writer appends one event after another to a separate stream.
async fn append(node: &NodeProcess, writers: usize) -> Vec<Duration> {
    let clients: Vec<_> = (0..CONNECTIONS.min(writers)).map(|_| client(node)).collect();
    let until = Instant::now() + TIME;
    let writing = (0..writers).map(|writer| {
        let client = clients[writer % clients.len()].clone();
        tokio::spawn(async move {
            let stream = format!("measured-{}", Uuid::new_v4());
            let options = AppendToStreamOptions::default();
            let mut times = Vec::new();
            while Instant::now() < until {
                let began = Instant::now();
                client.append_to_stream(stream.as_str(), &options, event()).await.unwrap();
                times.push(began.elapsed());
            }
            times
        })
    });
    join_all(writing).await.into_iter().flat_map(Result::unwrap).collect()
}

/// Live subscriptions to everything that is written from now on.
struct Listeners(Vec<JoinHandle<u64>>);

impl Listeners {
    async fn start(node: &NodeProcess, count: usize) -> Self {
        let options = SubscribeToAllOptions::default().position(StreamPosition::End);
        let mut listeners = Vec::new();
        for _ in 0..count {
            let mut subscription = client(node).subscribe_to_all(&options).await;
            assert!(matches!(next(&mut subscription).await, SubscriptionEvent::CaughtUp));
            listeners.push(tokio::spawn(async move {
                let mut received = 0;
                while let SubscriptionEvent::EventAppeared(event) = next(&mut subscription).await {
                    if event.get_original_event().event_type == LAST {
                        break;
                    }
                    received += 1;
                }
                received
            }));
        }
        Self(listeners)
    }

    /// Waits until each subscription has received everything.
    async fn stop(self, node: &NodeProcess, written: usize) {
        let last = EventData::binary(LAST, Bytes::new()).id(Uuid::new_v4());
        client(node).append_to_stream("measured", &AppendToStreamOptions::default(), last).await.unwrap();
        for listener in self.0 {
            assert_eq!(listener.await.unwrap(), written as u64);
        }
    }
}

/// The subscription's next message after its confirmation.
async fn next(subscription: &mut Subscription) -> SubscriptionEvent {
    loop {
        match subscription.next_subscription_event().await.unwrap() {
            SubscriptionEvent::Confirmed(_) | SubscriptionEvent::FellBehind => {}
            event => return event,
        }
    }
}

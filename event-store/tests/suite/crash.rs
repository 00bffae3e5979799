//! Killed at random moments under load, the node loses nothing that it acknowledged and repeats nothing.
//!
//! The node lives in a child process: this test binary, started again to run one test that serves until it is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use event_store::client::{AppendError, EventStore, Expected, Filter, Position};
use event_store::node::{Node, NodeOptions};
use uuid::Uuid;

use super::support::{events, ids, new_ids, next_event};

const FOLDER: &str = "TENUTO_TEST_CRASH_FOLDER";
const ADDRESS: &str = "TENUTO_TEST_CRASH_ADDRESS";
const SERVES: &str = "suite::crash::serves_until_killed";
const ROUNDS: usize = 10;
const WRITERS: usize = 8;

/// Not a test by itself: what the child process runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let address = std::env::var(ADDRESS).unwrap().parse().unwrap();
    let node = Node::start(NodeOptions { address, ..NodeOptions::in_folder(folder) }).await.unwrap();
    println!("\nserving {}", node.address());
    std::future::pending::<()>().await;
}

struct Killable {
    child: Child,
    address: String,
}

impl Killable {
    fn start(folder: &Path, address: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", SERVES, "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(ADDRESS, address)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("serving ").map(str::to_owned))
            .expect("the child ended before it served");
        Self { child, address }
    }

    /// SIGKILL: nothing in the process gets to say anything more.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What one writer was told.
struct Acknowledged {
    stream: String,
    ids: Vec<Uuid>,
    positions: Vec<Position>,
}

/// Appends one to four events at a time to a stream of its own, each append made again until it is acknowledged.
async fn write(store: EventStore, stream: String, stop: Arc<AtomicBool>, count: Arc<AtomicU64>) -> Acknowledged {
    let mut acknowledged = Acknowledged { stream, ids: Vec::new(), positions: Vec::new() };
    while !stop.load(Ordering::Relaxed) {
        let expected = match acknowledged.ids.len() as u64 {
            0 => Expected::NoStream,
            length => Expected::Revision(length - 1),
        };
        let new = events(1 + acknowledged.positions.len() % 4);
        let appended = loop {
            match store.append(&acknowledged.stream, expected, new.clone()).await {
                Ok(appended) => break appended,
                Err(AppendError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        };
        acknowledged.ids.extend(new_ids(&new));
        acknowledged.positions.push(appended.position);
        assert_eq!(appended.revision + 1, acknowledged.ids.len() as u64);
        count.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_event_is_there_in_order_and_once_however_often_the_node_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Killable::start(folder.path(), "127.0.0.1:0");
    let address = node.address.clone();
    let store = EventStore::connect(&format!("esdb://{address}?tls=false")).unwrap();
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), format!("order-{writer}"), stop.clone(), count.clone())))
        .collect();
    let mut subscription = store.subscribe_all(Filter::ExcludeSystem, None);

    for _ in 0..ROUNDS {
        // Killed only when it is at work again, and then at a moment that nobody chose.
        let before = count.load(Ordering::Relaxed);
        while count.load(Ordering::Relaxed) < before + 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(rand_micros())).await;
        node.kill();
        node = tokio::task::block_in_place(|| Killable::start(folder.path(), &address));
    }
    stop.store(true, Ordering::Relaxed);

    let mut total = 0;
    for writer in writers {
        let acknowledged = writer.await.unwrap();
        let read = store.read_stream(&acknowledged.stream, 0, usize::MAX).await.unwrap();
        assert_eq!(ids(&read), acknowledged.ids, "{}", acknowledged.stream);
        assert!(read.iter().enumerate().all(|(index, event)| event.revision == index as u64));
        let positions: Vec<_> = read.iter().map(|event| event.position).collect();
        assert!(acknowledged.positions.iter().all(|position| positions.contains(position)));
        total += read.len();
    }
    let mut seen = Vec::with_capacity(total);
    while seen.len() < total {
        seen.push(next_event(&mut subscription).await);
    }
    assert!(seen.is_sorted_by(|a, b| a.position < b.position), "the subscriber saw something twice or out of order");
    node.kill();
}

fn rand_micros() -> u64 {
    u64::from(Uuid::new_v4().as_fields().0) % 60_000
}

//! A node that is killed at random moments under load loses nothing that it acknowledged and
//! repeats nothing, even if the end of its journal is damaged meanwhile.
//!
//! `TENUTO_CRASH_ROUNDS` sets how often it is killed. The default keeps the suite short.

use std::collections::HashSet;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event_store::{AppendError, EventStore, Expected, Filter, Position};
use uuid::Uuid;

use super::child::NodeProcess;
use super::support::{LIMIT, events, ids, new_ids, next_event};

const WRITERS: usize = 32;

/// The appends that one writer had acknowledged.
struct Acknowledged {
    stream: String,
    ids: Vec<Uuid>,
    positions: Vec<Position>,
}

/// Appends one to four events at a time to a separate stream. Repeats each append until it is
/// acknowledged.
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

/// Kills the node repeatedly while writers append, and starts it again with `restart`. Then checks
/// that the log has everything that was acknowledged.
async fn survives(restart: impl Fn(&Path, &str) -> NodeProcess) {
    let folder = tempfile::tempdir().unwrap();
    let mut node = NodeProcess::start(folder.path(), "127.0.0.1:0").unwrap();
    let address = node.address().to_owned();
    let store = EventStore::connect(&format!("esdb://{address}?tls=false")).unwrap();
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), format!("order-{writer}"), stop.clone(), count.clone())))
        .collect();
    let mut subscription = store.subscribe_all(Filter::ExcludeSystem, None);

    let rounds = std::env::var("TENUTO_CRASH_ROUNDS").map_or(10, |rounds| rounds.parse().unwrap());
    for _ in 0..rounds {
        // The node is killed at a random moment after it has begun to append again.
        let before = count.load(Ordering::Relaxed);
        let begun = Instant::now();
        while count.load(Ordering::Relaxed) < before + 20 {
            assert!(begun.elapsed() < LIMIT, "the writers do not get on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(random(0..60_000))).await;
        node.kill();
        node = tokio::task::block_in_place(|| restart(folder.path(), &address));
    }
    stop.store(true, Ordering::Relaxed);

    let mut total = 0;
    for writer in writers {
        let acknowledged = writer.await.unwrap();
        let read = store.read_stream(&acknowledged.stream, 0, usize::MAX).await.unwrap();
        assert_eq!(ids(&read), acknowledged.ids, "{}", acknowledged.stream);
        assert!(read.iter().enumerate().all(|(index, event)| event.revision == index as u64));
        let positions: HashSet<_> = read.iter().map(|event| event.position).collect();
        assert!(acknowledged.positions.iter().all(|position| positions.contains(position)));
        total += read.len();
    }
    let mut seen = Vec::with_capacity(total);
    while seen.len() < total {
        seen.push(next_event(&mut subscription).await);
    }
    assert!(seen.is_sorted_by(|a, b| a.position < b.position), "the subscriber saw something twice or out of order");
    println!("{rounds} rounds, {total} events acknowledged and found");
    node.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_event_is_there_in_order_and_once_however_often_the_node_is_killed() {
    survives(|folder, address| NodeProcess::start(folder, address).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_journal_is_repaired_or_refused_with_the_place() {
    let (repaired, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    survives(|folder, address| {
        let (journal, before) = hurt(folder);
        match NodeProcess::start(folder, address) {
            Ok(node) => {
                repaired.fetch_add(1, Ordering::Relaxed);
                node
            }
            Err(refusal) => {
                refused.fetch_add(1, Ordering::Relaxed);
                assert!(refusal.contains(&format!("{}, byte ", journal.display())), "{refusal}");
                // The journal as from a backup. The refused start changed nothing else.
                std::fs::rename(before, journal).unwrap();
                NodeProcess::start(folder, address).unwrap()
            }
        }
    })
    .await;
    println!("{} times repaired, {} times refused", repaired.into_inner(), refused.into_inner());
}

/// Truncates the last journal or overwrites a piece of it, somewhere near its end or anywhere.
/// Returns its path and the path of an intact copy.
fn hurt(folder: &Path) -> (PathBuf, PathBuf) {
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let journals = files.filter(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    let journal = journals.max_by_key(number).unwrap();
    let before = folder.join("before-it-was-hurt");
    std::fs::copy(&journal, &before).unwrap();

    let bytes = std::fs::read(&journal).unwrap();
    let written =
        bytes.chunks(512).rposition(|block| *block != [0; 512][..block.len()]).map_or(0, |last| last + 1) * 512;
    let near_the_end = random(0..2) == 0;
    let from = if near_the_end { written.saturating_sub(1024) } else { 0 };
    let place = random(from as u64..written as u64 + 1024);
    let file = File::options().write(true).open(&journal).unwrap();
    if random(0..2) == 0 {
        file.set_len(place).unwrap();
    } else {
        let garbage: Vec<u8> = (0..random(1..64)).map(|_| Uuid::new_v4().as_bytes()[0]).collect();
        file.write_all_at(&garbage, place).unwrap();
    }
    (journal, before)
}

fn random(range: Range<u64>) -> u64 {
    let (number, _) = Uuid::new_v4().as_u64_pair();
    range.start + number % (range.end - range.start).max(1)
}

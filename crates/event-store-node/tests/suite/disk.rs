//! A full disk, and a disk that fails.

use std::fs::File;
use std::time::Instant;

use event_store::{AppendError, EventStore, Expected};
use event_store_node::{Node, NodeOptions};

use super::child::NodeProcess;
use super::support::{LIMIT, events, ids, new_ids};

/// Appends until the answer is the expected one, and returns the ids that the stream has then.
async fn append_until(
    store: &EventStore,
    stream: &str,
    is_so: impl Fn(&Result<u64, AppendError>) -> bool,
) -> Result<u64, AppendError> {
    let begun = Instant::now();
    loop {
        let appended = store.append(stream, Expected::Any, events(1)).await.map(|appended| appended.revision);
        if is_so(&appended) {
            return appended;
        }
        assert!(begun.elapsed() < LIMIT, "{appended:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nearly_full_disk_refuses_appends_and_not_reads_until_there_is_room() {
    // On a disk and not in memory, with a margin so large that writes by other programs do not
    // matter.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let disk = rustix::fs::statvfs(folder.path()).unwrap();
    let free = disk.f_bavail * disk.f_frsize;
    let margin = (free / 4).min(4 << 30);
    let kept_free = free - margin;
    let node = Node::start(NodeOptions { kept_free, ..NodeOptions::in_folder(folder.path()) }).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    let new = events(3);
    store.append("order-1", Expected::NoStream, new.clone()).await.unwrap();

    let filler = File::create(folder.path().join("filler")).unwrap();
    rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, 2 * margin).unwrap();
    let refused = append_until(&store, "order-1", Result::is_err).await.unwrap_err();
    let AppendError::Unavailable(reason) = &refused else { panic!("{refused}") };
    assert!(reason.contains("The log cannot grow: the disk has"), "{reason}");
    let read = store.read_stream("order-1", 0, 10).await.unwrap();
    assert_eq!(ids(&read)[..3], new_ids(&new));

    drop(filler);
    std::fs::remove_file(folder.path().join("filler")).unwrap();
    let revision = append_until(&store, "order-1", Result::is_ok).await.unwrap();
    assert_eq!(revision, read.len() as u64, "a refused append was made after all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_write_nothing_acknowledged_is_missing_and_the_node_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeProcess::start(folder.path(), "127.0.0.1:0").unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    let mut acknowledged = events(2);
    store.append("order-1", Expected::NoStream, acknowledged.clone()).await.unwrap();

    node.limit_files(Some(64 << 10));
    loop {
        let new = events(20);
        match store.append("order-1", Expected::Revision(acknowledged.len() as u64 - 1), new.clone()).await {
            Ok(_) => acknowledged.extend(new),
            Err(AppendError::Unavailable(reason)) => break println!("{reason}"),
            Err(other) => panic!("{other}"),
        }
        assert!(acknowledged.len() < 10_000, "the limit was not felt");
    }
    assert_eq!(ids(&store.read_stream("order-1", 0, 10_000).await.unwrap()), new_ids(&acknowledged));

    node.limit_files(None);
    let more = events(200);
    let expected = Expected::Revision(acknowledged.len() as u64 - 1);
    let begun = Instant::now();
    while let Err(error) = store.append("order-1", expected, more.clone()).await {
        assert!(matches!(error, AppendError::Unavailable(_)) && begun.elapsed() < LIMIT, "{error}");
    }
    acknowledged.extend(more);
    assert_eq!(ids(&store.read_stream("order-1", 0, 10_000).await.unwrap()), new_ids(&acknowledged));
    node.kill();

    let node = NodeProcess::start(folder.path(), "127.0.0.1:0").unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    assert_eq!(ids(&store.read_stream("order-1", 0, 10_000).await.unwrap()), new_ids(&acknowledged));
    node.kill();
}

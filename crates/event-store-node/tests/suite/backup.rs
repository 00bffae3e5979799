//! A copy of the log of a running node: what it has, how it can be used, and what happens when the
//! backup is interrupted.
//!
//! Each backup ends with a check, which shows that every row of the copy follows from its events.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event_store::{AppendError, EventStore, Expected, NewEvent, ReadError, Record};
use event_store_node::backup::{BackupError, BackupReport, backup};
use event_store_node::{CheckReport, Node, NodeHandle, NodeOptions, StorageError, check_log};
use eventstore::{
    AppendToStreamOptions, Client, DeleteStreamOptions, EventData, ListPersistentSubscriptionsOptions,
    PersistentSubscriptionOptions, StreamMetadataBuilder, StreamPosition, TombstoneStreamOptions,
};
use tempfile::TempDir;

use super::support::{LIMIT, events, ids, new_ids, raw};

/// A node, with its folder.
pub struct Source {
    pub node: NodeHandle,
    pub store: EventStore,
    pub raw: Client,
    pub folder: TempDir,
}

impl Source {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::open(folder).await
    }

    pub async fn open(folder: TempDir) -> Self {
        let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
        let connection_string = node.connection_string();
        let (store, raw) = (EventStore::connect(&connection_string).unwrap(), raw(&connection_string));
        Self { node, store, raw, folder }
    }

    pub async fn append(&self, stream: &str, count: usize) -> Vec<NewEvent> {
        let new = events(count);
        self.store.append(stream, Expected::Any, new.clone()).await.unwrap();
        new
    }

    pub async fn head(&self) -> u64 {
        self.store.head().await.unwrap().map_or(0, |position| position.commit)
    }

    /// Writes one example of everything that a log may have.
    async fn furnish(&self) {
        let raw = &self.raw;
        for stream in ["plain", "deleted", "revived", "buried", "truncated"] {
            self.append(stream, 5).await;
        }
        raw.delete_stream("deleted", &DeleteStreamOptions::default()).await.unwrap();
        raw.delete_stream("revived", &DeleteStreamOptions::default()).await.unwrap();
        self.append("revived", 2).await;
        raw.tombstone_stream("buried", &TombstoneStreamOptions::default()).await.unwrap();
        raw.tombstone_stream("never-was", &TombstoneStreamOptions::default()).await.unwrap();
        let metadata = StreamMetadataBuilder::new().truncate_before(1).max_count(3).build();
        raw.set_stream_metadata("truncated", &AppendToStreamOptions::default(), &metadata).await.unwrap();
        let no_json = EventData::binary("Scanned", vec![0, 159, 146, 150].into()).metadata(vec![255].into());
        raw.append_to_stream("plain", &AppendToStreamOptions::default(), no_json).await.unwrap();
        let settings = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start).max_retry_count(7);
        raw.create_persistent_subscription("plain", "shipping", &settings).await.unwrap();
    }
}

/// Everything up to a position.
async fn history(store: &EventStore, end: u64) -> Vec<Record> {
    let mut history = store.history(None);
    let mut records: Vec<Record> = Vec::new();
    while records.len() as u64 != end {
        records.push(history.next().await.unwrap().expect("the log is long enough"));
    }
    records
}

/// What readers see of the streams of [`Source::furnish`], and the settings of their group.
async fn shown(source: &Source) -> Vec<String> {
    let mut shown = Vec::new();
    for stream in ["plain", "deleted", "revived", "buried", "never-was", "truncated", "$$truncated"] {
        shown.push(format!("{stream}: {:?}", source.store.read_stream(stream, 0, 100).await));
    }
    let options = ListPersistentSubscriptionsOptions::default();
    for group in source.raw.list_all_persistent_subscriptions(&options).await.unwrap() {
        shown.push(format!("{} of {}: {:?}", group.group_name, group.event_source, group.settings));
    }
    shown
}

async fn backed_up(source: &Source, folder: &Path) -> BackupReport {
    let report = backup(&source.store, folder).await.unwrap();
    assert_eq!(report.check.problems, Vec::<String>::new());
    assert_eq!(report.check.events, report.position);
    report
}

/// Does some work while writers append.
async fn under_load<T>(source: &Source, work: impl Future<Output = T>) -> T {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (store, stop, count) = (source.store.clone(), stop.clone(), count.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    store.append(&format!("order-{writer}"), Expected::Any, events(1 + writer)).await.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let written = async |more| {
        let (begun, before) = (Instant::now(), count.load(Ordering::Relaxed));
        while count.load(Ordering::Relaxed) < before + more {
            assert!(begun.elapsed() < LIMIT, "the writers do not get on");
            tokio::task::yield_now().await;
        }
    };
    written(50).await;
    let done = work.await;
    written(50).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_an_earlier_state_of_the_log_and_can_be_updated_and_served() {
    let source = Source::new().await;
    source.furnish().await;
    let copy = tempfile::tempdir().unwrap();
    let first = under_load(&source, Box::pin(backed_up(&source, copy.path()))).await;
    assert_eq!(first.added, first.position);
    assert!(first.position < source.head().await, "no writer appended meanwhile");

    let restored = Source::open(copy).await;
    assert_eq!(restored.head().await, first.position);
    assert!(history(&restored.store, first.position).await == history(&source.store, first.position).await);
    assert_eq!(shown(&restored).await, shown(&source).await);
    let Source { node, folder: copy, .. } = restored;
    node.shutdown().await;

    let second = backed_up(&source, copy.path()).await;
    assert_eq!((second.position, second.added), (source.head().await, source.head().await - first.position));
    assert_eq!(backed_up(&source, copy.path()).await.added, 0);

    let restored = Source::open(copy).await;
    assert!(history(&restored.store, second.position).await == history(&source.store, second.position).await);
    let last = restored.store.read_stream_backwards("plain", 1).await.unwrap().remove(0).revision;
    let new = events(2);
    let appended = restored.store.append("plain", Expected::Revision(last), new.clone()).await.unwrap();
    assert_eq!((appended.revision, appended.position.commit), (last + 2, second.position + 2));
    assert_eq!(restored.store.append("plain", Expected::Any, new).await.unwrap(), appended);
    let buried = restored.store.append("buried", Expected::Any, events(1)).await;
    assert_eq!(buried, Err(AppendError::StreamDeleted("buried".into())));
    let Source { node, folder: copy, .. } = restored;
    node.shutdown().await;

    source.append("plain", 3).await;
    let refused = backup(&source.store, copy.path()).await;
    assert!(matches!(refused, Err(BackupError::OtherLog { position, .. }) if position == second.position + 2));
}

#[tokio::test]
async fn a_backup_of_another_log_is_refused_and_left_unchanged() {
    let (one, other) = (Source::new().await, Source::new().await);
    one.append("order-1", 3).await;
    other.append("order-1", 5).await;
    let copy = tempfile::tempdir().unwrap();
    let position = backed_up(&one, copy.path()).await.position;
    let refused = backup(&other.store, copy.path()).await;
    assert!(matches!(refused, Err(BackupError::OtherLog { position: 1, .. })), "{refused:?}");
    let shorter = backup(&Source::new().await.store, copy.path()).await;
    assert!(matches!(shorter, Err(BackupError::OtherLog { position: 3, .. })), "{shorter:?}");
    one.append("order-1", 1).await;
    assert_eq!(backed_up(&one, copy.path()).await.position, position + 1);
}

#[tokio::test]
async fn a_log_without_events_can_be_backed_up() {
    let source = Source::new().await;
    let copy = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&source, copy.path()).await.position, 0);
    let new = source.append("order-1", 2).await;
    assert_eq!(backed_up(&source, copy.path()).await.added, 2);
    let restored = Source::open(copy).await;
    assert_eq!(ids(&restored.store.read_stream("order-1", 0, 10).await.unwrap()), new_ids(&new));
}

#[tokio::test]
async fn a_folder_that_a_node_uses_is_refused() {
    let source = Source::new().await;
    source.append("order-1", 1).await;
    let refused = backup(&source.store, source.folder.path()).await;
    assert!(matches!(refused, Err(BackupError::Folder { source: StorageError::InUse, .. })), "{refused:?}");
}

#[tokio::test]
async fn without_a_node_the_folder_is_left_alone() {
    let source = Source::new().await;
    let Source { node, store, .. } = source;
    node.shutdown().await;
    let folder = tempfile::tempdir().unwrap();
    let refused = backup(&store, &folder.path().join("copy")).await;
    assert!(matches!(refused, Err(BackupError::Read(ReadError::Unavailable(_)))), "{refused:?}");
    assert!(!folder.path().join("copy").exists());
}

const LOG: &str = "TENUTO_TEST_BACKUP_LOG";
const FOLDER: &str = "TENUTO_TEST_BACKUP_FOLDER";
/// Events in one append. The number makes it unlikely that the backup's batches end between two
/// appends by chance.
const AT_ONCE: u64 = 7;

/// Not a test: the child process runs this.
#[tokio::test]
async fn is_backed_up_until_killed() {
    let Ok(log) = std::env::var(LOG) else { return };
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    backup(&EventStore::connect(&log).unwrap(), &folder).await.unwrap();
}

/// Kills a backup after some time. `false`: it was complete before.
fn interrupted(source: &Source, folder: &Path, after: Duration) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "suite::backup::is_backed_up_until_killed", "--test-threads=1"])
        .env(LOG, source.node.connection_string())
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < after {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_killed_at_any_moment_is_an_earlier_state_of_the_log_and_can_be_continued() {
    let source = Source::new().await;
    for append in 0..1000 {
        source.append(&format!("order-{}", append % 100), usize::try_from(AT_ONCE).unwrap()).await;
    }
    let head = source.head().await;
    let copy = tempfile::tempdir().unwrap();
    let (mut killed, mut reached) = (0, Vec::new());
    let mut after = Duration::from_millis(50);
    while tokio::task::block_in_place(|| interrupted(&source, copy.path(), after)) {
        killed += 1;
        // Longer each time, so that a backup completes on any machine.
        after += Duration::from_millis(30) + after / 10;
        let CheckReport { last_position, problems, .. } = match check_log(copy.path()) {
            Err(StorageError::Missing) => CheckReport::default(),
            checked => checked.unwrap(),
        };
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(last_position % AT_ONCE, 0, "a part of an append is in the backup");
        reached.push(last_position);
        if last_position == head {
            break;
        }
    }
    assert!(killed > 0 && reached.is_sorted(), "{reached:?}");
    println!("killed {killed} times, at positions {reached:?}");
    assert_eq!(backed_up(&source, copy.path()).await.added, 0);
    let restored = Source::open(copy).await;
    assert!(history(&restored.store, head).await == history(&source.store, head).await);
}

//! What a scavenge removes and keeps, what it records, and what happens when it is stopped or
//! killed.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use event_store::{AppendError, EventStore, Expected, Record};
use event_store_node::backup::{BackupError, backup};
use event_store_node::{CheckReport, NodeHandle, check_log};
use eventstore::operations::{Client, OperationalOptions, ScavengeStatus};
use eventstore::{
    AppendToStreamOptions, DeleteStreamOptions, StreamMetadata, StreamMetadataBuilder, TombstoneStreamOptions,
};
use serde_json::{Value, json};
use tonic::Code;

use super::backup::Source;
use super::child::NodeProcess;
use super::grpc;
use super::support::{LIMIT, event, events, ids};

/// The fields of the protocol's messages that the tests send.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct StartScavenge {
        #[prost(message, optional, tag = "1")]
        pub options: Option<Options>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Options {
        #[prost(int32, tag = "1")]
        pub thread_count: i32,
        #[prost(int32, tag = "2")]
        pub start_from_chunk: i32,
    }
}

fn operations(connection_string: &str) -> Client {
    Client::new(connection_string.parse().unwrap())
}

async fn start(connection_string: &str) -> String {
    let begun = operations(connection_string).start_scavenge(1, 0, &OperationalOptions::default()).await.unwrap();
    assert!(matches!(begun.status(), ScavengeStatus::Started));
    begun.id().into()
}

/// The event that the scavenge wrote at its end.
async fn ended(store: &EventStore, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < 3 * LIMIT, "the scavenge does not end");
        if let Some(end) = store.read_stream_backwards(&format!("$scavenges-{id}"), 1).await.unwrap().pop()
            && end.event_type == "$scavengeCompleted"
        {
            return serde_json::from_slice(&end.data).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn scavenge(node: &NodeHandle, store: &EventStore) -> Value {
    let id = start(&node.connection_string()).await;
    let end = ended(store, &id).await;
    assert_eq!(end["result"], "Success", "{end}");
    end
}

async fn describe(source: &Source, stream: &str, metadata: StreamMetadata) {
    source.raw.set_stream_metadata(stream, &AppendToStreamOptions::default(), &metadata).await.unwrap();
}

/// All events of `$all`.
async fn history(store: &EventStore) -> Vec<Record> {
    let mut history = store.history(None);
    let mut records = Vec::new();
    while let Some(record) = history.next().await.unwrap() {
        records.push(record);
    }
    records
}

/// The revisions of a stream that `$all` still has.
fn left(records: &[Record], stream: &str) -> Vec<u64> {
    records
        .iter()
        .map(|record| &record.event)
        .filter(|event| event.stream == stream)
        .map(|event| event.revision)
        .collect()
}

fn sound(folder: &Path) -> CheckReport {
    let report = check_log(folder).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.events + report.removed, report.last_position);
    report
}

/// Writes streams with something to remove, and two without.
async fn furnish(source: &Source) {
    for stream in ["plain", "deleted", "revived", "buried", "truncated", "counted", "expired"] {
        source.append(stream, 5).await;
    }
    source.raw.delete_stream("deleted", &DeleteStreamOptions::default()).await.unwrap();
    source.raw.delete_stream("revived", &DeleteStreamOptions::default()).await.unwrap();
    source.append("revived", 2).await;
    source.raw.tombstone_stream("buried", &TombstoneStreamOptions::default()).await.unwrap();
    describe(source, "truncated", StreamMetadataBuilder::new().truncate_before(3).build()).await;
    describe(source, "counted", StreamMetadataBuilder::new().max_count(9).build()).await;
    describe(source, "counted", StreamMetadataBuilder::new().max_count(2).build()).await;
    let mut expires = event("$metadata");
    expires.data = r#"{"$maxAge":1}"#.into();
    source.store.append("$$expired", Expected::NoStream, vec![expires]).await.unwrap();
    source.append("untouched", 3).await;
}

const STREAMS: [&str; 8] = ["plain", "deleted", "revived", "buried", "truncated", "counted", "untouched", "$$counted"];

async fn shown(store: &EventStore) -> Vec<String> {
    let mut shown = Vec::new();
    for stream in STREAMS {
        shown.push(format!("{stream}: {:?}", store.read_stream(stream, 0, 100).await));
    }
    shown
}

/// Waits until a stream whose events expire has none left.
async fn until_expired(store: &EventStore) {
    let begun = Instant::now();
    while !store.read_stream("expired", 0, 9).await.unwrap().is_empty() {
        assert!(begun.elapsed() < LIMIT, "nothing expires");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_scavenge_removes_only_invisible_events_and_moves_no_position() {
    let source = Source::new().await;
    furnish(&source).await;
    until_expired(&source.store).await;
    let (before, shown_before) = (history(&source.store).await, shown(&source.store).await);
    let end = scavenge(&source.node, &source.store).await;

    let after = history(&source.store).await;
    for (stream, revisions) in [
        ("plain", vec![0, 1, 2, 3, 4]),
        ("untouched", vec![0, 1, 2]),
        ("deleted", vec![4]),
        ("revived", vec![5, 6]),
        ("buried", vec![i64::MAX.unsigned_abs()]),
        ("truncated", vec![3, 4]),
        ("counted", vec![3, 4]),
        ("expired", vec![4]),
        ("$$counted", vec![1]),
        ("$$revived", vec![1]),
    ] {
        assert_eq!(left(&after, stream), revisions, "{stream}");
    }
    assert_eq!(shown(&source.store).await, shown_before);
    let kept: Vec<_> = after.iter().filter(|record| !record.event.stream.starts_with("$scavenges")).collect();
    assert!(kept.iter().all(|record| before.contains(record)), "something moved or changed");
    assert_eq!(end["eventsRemoved"], before.len() - kept.len());
    assert!(end["spaceSaved"].as_u64().unwrap() > 0);

    // And again after a restart.
    let Source { node, folder, .. } = source;
    node.shutdown().await;
    let report = sound(folder.path());
    assert_eq!(report.removed, end["eventsRemoved"].as_u64().unwrap());
    let source = Source::open(folder).await;
    assert!(history(&source.store).await == after);
    assert_eq!(shown(&source.store).await, shown_before);
    let again = scavenge(&source.node, &source.store).await;
    assert_eq!((&again["eventsRemoved"], &again["spaceSaved"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn scavenged_streams_are_written_as_before() {
    let source = Source::new().await;
    furnish(&source).await;
    scavenge(&source.node, &source.store).await;
    let store = &source.store;
    for (stream, expected, next) in [
        ("deleted", Expected::NoStream, 5),
        ("truncated", Expected::Revision(4), 5),
        ("counted", Expected::Any, 5),
        ("revived", Expected::Revision(6), 7),
    ] {
        let new = events(2);
        let appended = store.append(stream, expected, new.clone()).await.unwrap();
        assert_eq!(appended.revision, next + 1, "{stream}");
        let last = store.read_stream(stream, next, 9).await.unwrap();
        assert_eq!(ids(&last), new.iter().map(|event| event.id).collect::<Vec<_>>(), "{stream}");
    }
    let buried = store.append("buried", Expected::Any, events(1)).await;
    assert_eq!(buried, Err(AppendError::StreamDeleted("buried".into())));
    let wrong = store.append("truncated", Expected::Revision(0), events(1)).await;
    assert!(matches!(wrong, Err(AppendError::WrongExpectedRevision { .. })), "{wrong:?}");
    let Source { node, folder, .. } = source;
    node.shutdown().await;
    sound(folder.path());
}

#[tokio::test]
async fn a_scavenge_writes_the_streams_that_a_server_writes() {
    let source = Source::new().await;
    furnish(&source).await;
    let id = start(&source.node.connection_string()).await;
    ended(&source.store, &id).await;
    let own = source.store.read_stream(&format!("$scavenges-{id}"), 0, 100).await.unwrap();
    let types: Vec<_> = own.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["$scavengeStarted", "$scavengeEventsRemoved", "$scavengeCompleted"]);
    let said: Vec<Value> = own.iter().map(|event| serde_json::from_slice(&event.data).unwrap()).collect();
    let endpoint = source.node.address().to_string();
    for said in [&said[0], &said[2]] {
        assert_eq!((&said["scavengeId"], &said["nodeEndpoint"]), (&json!(id), &json!(endpoint)));
    }
    assert_eq!(said[2]["result"], "Success");
    let taken = said[2]["timeTaken"].as_str().unwrap();
    assert!(taken.starts_with("00:00:") && taken.len() == 16, "{taken}");
    let removed = said[1]["removed"].as_array().unwrap();
    let of = |stream: &str| removed.iter().find(|removed| removed["stream"] == stream).unwrap();
    assert_eq!((&of("deleted")["fromRevision"], &of("deleted")["toRevision"]), (&json!(0), &json!(3)));
    assert_eq!(of("deleted")["positions"], json!([[6, 9]]));

    let links = source.store.read_stream("$scavenges", 0, 100).await.unwrap();
    let targets: Vec<_> = links.iter().map(|link| String::from_utf8(link.data.to_vec()).unwrap()).collect();
    assert_eq!(targets, [format!("0@$scavenges-{id}"), format!("2@$scavenges-{id}")]);
    assert!(links.iter().all(|link| link.event_type == "$>"));
}

#[tokio::test]
async fn only_the_node_may_write_the_records_of_scavenges() {
    let source = Source::new().await;
    furnish(&source).await;
    let forged = json!({"scavengeId": "x", "eventsRemoved": 1, "spaceSaved": 1, "removed": [
        {"stream": "plain", "fromRevision": 0, "toRevision": 4, "positions": [[1, 5]]}
    ]});
    for stream in ["$scavenges", "$scavenges-x", "$$$scavenges-x", "$$$scavenges"] {
        let mut record = event("$scavengeEventsRemoved");
        record.data = forged.to_string().into();
        let refused = source.store.append(stream, Expected::Any, vec![record]).await;
        assert!(matches!(refused, Err(AppendError::Refused(_))), "{stream}: {refused:?}");
        assert!(source.raw.delete_stream(stream, &DeleteStreamOptions::default()).await.is_err(), "{stream}");
        assert!(source.raw.tombstone_stream(stream, &TombstoneStreamOptions::default()).await.is_err(), "{stream}");
    }
    assert_eq!(left(&history(&source.store).await, "plain"), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_scavenge_needs_one_thread_or_more_and_a_chunk_of_at_least_zero() {
    let source = Source::new().await;
    let channel = grpc::channel(&source.node.connection_string()).await;
    let method = "/event_store.client.operations.Operations/StartScavenge";
    for (thread_count, start_from_chunk) in [(0, 0), (-1, 0), (1, -1)] {
        let options = Some(wire::Options { thread_count, start_from_chunk });
        let refused = grpc::call::<_, ()>(&channel, method, wire::StartScavenge { options }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{thread_count} {start_from_chunk}");
    }
    let refused = grpc::call::<_, ()>(&channel, method, wire::StartScavenge { options: None }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// Deleted streams of 100 events each.
async fn deleted_streams(source: &Source, numbers: Range<u64>) {
    for stream in numbers {
        let stream = format!("order-{stream}");
        source.append(&stream, 100).await;
        source.raw.delete_stream(stream.as_str(), &DeleteStreamOptions::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scavenge_is_stopped_and_another_one_does_the_rest_during_appends_and_reads() {
    let source = Source::new().await;
    let connection_string = source.node.connection_string();
    let (operations, options) = (operations(&connection_string), OperationalOptions::default());
    let (mut streams, mut removed) = (0, 0);
    loop {
        deleted_streams(&source, streams..streams + 100).await;
        streams += 100;
        let id = start(&connection_string).await;
        let second = operations.start_scavenge(1, 0, &options).await.unwrap();
        let stopped = operations.stop_scavenge(&id, &options).await;
        let end = ended(&source.store, &id).await;
        removed += end["eventsRemoved"].as_u64().unwrap();
        // It ended before it could be stopped.
        let Ok(stopped) = stopped else {
            assert!(end["result"] == "Success" && streams < 2000, "{end}");
            continue;
        };
        assert!(matches!(stopped.status(), ScavengeStatus::Stopped));
        assert!(matches!(second.status(), ScavengeStatus::InProgress));
        assert_eq!((second.id(), &end["result"]), (id.as_str(), &json!("Stopped")), "{end}");
        // If it was stopped during compaction, the next one has nothing to remove.
        if removed < 99 * streams {
            break;
        }
        assert!(streams < 2000, "nothing was left");
    }

    let id = start(&connection_string).await;
    let mut appended = Vec::new();
    while appended.len() < 20 {
        appended.extend(source.append("plain", 1).await);
        assert_eq!(source.store.read_stream("plain", 0, 100).await.unwrap().len(), appended.len());
    }
    let end = ended(&source.store, &id).await;
    assert_eq!((&end["result"], end["eventsRemoved"].as_u64().unwrap()), (&json!("Success"), 99 * streams - removed));
    let Source { node, folder, .. } = source;
    node.shutdown().await;
    assert_eq!(sound(folder.path()).removed, 99 * streams);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scavenge_that_is_killed_repeatedly_resumes_under_its_id_and_loses_nothing() {
    let source = Source::new().await;
    source.append("plain", 5).await;
    deleted_streams(&source, 0..100).await;
    let before = history(&source.store).await;
    let Source { node, folder, .. } = source;
    node.shutdown().await;

    let mut node = NodeProcess::start(folder.path(), "127.0.0.1:0").unwrap();
    let id = start(&node.connection_string()).await;
    let mut kills = 0;
    for after in [3, 10, 20, 30, 40] {
        tokio::time::sleep(Duration::from_millis(after)).await;
        node.kill();
        kills += 1;
        node = tokio::task::block_in_place(|| NodeProcess::start(folder.path(), "127.0.0.1:0")).unwrap();
    }
    let store = EventStore::connect(&node.connection_string()).unwrap();
    let end = ended(&store, &id).await;
    assert_eq!((&end["result"], &end["eventsRemoved"]), (&json!("Success"), &json!(9900)), "after {kills} kills");
    let after = history(&store).await;
    let kept: Vec<_> = after.iter().filter(|record| !record.event.stream.starts_with("$scavenges")).collect();
    assert_eq!(kept.len(), before.len() - 9900);
    assert!(kept.iter().all(|record| before.contains(record)));
    node.kill();
    assert_eq!(sound(folder.path()).removed, 9900);
}

#[tokio::test]
async fn a_scavenged_log_is_backed_up_and_a_scavenge_reaches_the_backup() {
    let source = Source::new().await;
    furnish(&source).await;
    let early = tempfile::tempdir().unwrap();
    backup(&source.store, early.path()).await.unwrap();
    let end = scavenge(&source.node, &source.store).await;
    source.append("plain", 2).await;
    let late = tempfile::tempdir().unwrap();
    let original = history(&source.store).await;
    for copy in [early, late] {
        let report = backup(&source.store, copy.path()).await.unwrap();
        assert_eq!(report.check.problems, Vec::<String>::new());
        assert_eq!(report.check.removed, end["eventsRemoved"].as_u64().unwrap());
        assert_eq!(backup(&source.store, copy.path()).await.unwrap().added, 0);
        let restored = Source::open(copy).await;
        assert!(history(&restored.store).await == original);
        assert_eq!(shown(&restored.store).await, shown(&source.store).await);
        restored.append("truncated", 1).await;
        scavenge(&restored.node, &restored.store).await;
        let Source { node, folder, .. } = restored;
        node.shutdown().await;
        sound(folder.path());
    }
    let other = Source::new().await;
    other.append("plain", 50).await;
    let copy = tempfile::tempdir().unwrap();
    backup(&other.store, copy.path()).await.unwrap();
    let refused = backup(&source.store, copy.path()).await;
    assert!(matches!(refused, Err(BackupError::OtherLog { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_a_scavenge_runs_has_its_record() {
    let source = Source::new().await;
    deleted_streams(&source, 0..60).await;
    let id = start(&source.node.connection_string()).await;
    let copy = tempfile::tempdir().unwrap();
    // Several backups, so that the scavenge removes events during one of them.
    for _ in 0..5 {
        let other = tempfile::tempdir().unwrap();
        for folder in [copy.path(), other.path()] {
            let report = backup(&source.store, folder).await.unwrap();
            assert_eq!(report.check.problems, Vec::<String>::new());
        }
    }
    ended(&source.store, &id).await;
    let report = backup(&source.store, copy.path()).await.unwrap();
    assert_eq!(report.check.problems, Vec::<String>::new());
    assert_eq!(report.check.removed, 5940);
    let restored = Source::open(copy).await;
    assert!(history(&restored.store).await == history(&source.store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_closes_within_seconds_during_a_scavenge_and_the_next_one_finishes_it() {
    let mut source = Source::new().await;
    deleted_streams(&source, 0..60).await;
    let id = start(&source.node.connection_string()).await;
    // The node closes when the scavenge begins, while it removes events, and while it compacts.
    for removed in [0, 1, 5940] {
        let begun = Instant::now();
        let total = async || {
            let last = source.store.read_stream_backwards(&format!("$scavenges-{id}"), 1).await.unwrap().pop();
            let said: Value = serde_json::from_slice(&last.unwrap().data).unwrap();
            said["eventsRemoved"].as_u64().unwrap_or(0)
        };
        while total().await < removed {
            assert!(begun.elapsed() < 3 * LIMIT, "the scavenge does not go on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let Source { node, folder, .. } = source;
        let closing = Instant::now();
        node.shutdown().await;
        assert!(closing.elapsed() < LIMIT, "the node closed after {:?}", closing.elapsed());
        source = Source::open(folder).await;
    }
    let end = ended(&source.store, &id).await;
    assert_eq!((&end["result"], &end["eventsRemoved"]), (&json!("Success"), &json!(5940)), "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scavenge_frees_the_disk_space_of_removed_events() {
    let source = Source::new().await;
    for stream in 0..40 {
        let stream = format!("order-{stream}");
        for _ in 0..16 {
            let mut new = events(1);
            // Text that cannot be compressed.
            let text: String = (0..2048).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
            new[0].data = json!(text).to_string().into();
            source.store.append(&stream, Expected::Any, new).await.unwrap();
        }
        source.raw.tombstone_stream(stream.as_str(), &TombstoneStreamOptions::default()).await.unwrap();
    }
    scavenge(&source.node, &source.store).await;
    let Source { node, folder, .. } = source;
    node.shutdown().await;
    let bytes = check_log(folder.path()).unwrap().table_bytes;
    assert!(bytes < 2 << 20, "40 MiB were removed, and {bytes} bytes are left in tables");
}

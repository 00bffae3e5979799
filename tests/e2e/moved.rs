//! A log is copied to another server, and its orders continue there.

use std::fs;
use std::process::Output;

use bytes::Bytes;
use event_store::{EventStore, Expected, NewEvent, Position, Record, RecordedEvent};
use uuid::Uuid;

use crate::parts::Parts;
use crate::process::{Address, Process, binary, ends, tenuto, until};
use crate::world::order;

/// Orders that are open while their log moves.
const OPEN: usize = 20;
/// Events of other streams, each alone in its append: a copy takes long enough to be killed.
const OTHERS: usize = 2_000;
/// A copy with so many events has begun.
const BEGUN: u64 = 200;

/// An embedded node with its own log.
struct Node {
    process: Process,
    log: String,
    store: EventStore,
    _folder: tempfile::TempDir,
}

impl Node {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let process = Process::start(&["event-store", "--data", data, "--listen", "127.0.0.1:0"], &[]);
        let log = process.line_after("the log at ");
        Self { process, store: EventStore::connect(&log).unwrap(), log, _folder: folder }
    }

    async fn head(&self) -> u64 {
        self.store.head().await.unwrap().map_or(0, |head| head.commit)
    }

    async fn add(&self, stream: &str, count: usize) {
        let events = std::iter::repeat_with(|| event("{}")).take(count).collect();
        self.store.append(stream, Expected::Any, events).await.unwrap();
    }

    async fn hide(&self, stream: &str, metadata: &str) {
        let event = NewEvent { event_type: "$metadata".into(), ..event(metadata) };
        self.store.append(&format!("$${stream}"), Expected::Any, vec![event]).await.unwrap();
    }

    /// Everything that a copy keeps of a stream.
    async fn stream(&self, stream: &str) -> Vec<(u64, Uuid, String, Bytes, Bytes)> {
        let events = self.store.read_stream(stream, 0, 1_000).await.unwrap();
        let kept = |event: RecordedEvent| (event.revision, event.id, event.event_type, event.data, event.metadata);
        events.into_iter().map(kept).collect()
    }
}

fn event(data: &str) -> NewEvent {
    let data = Bytes::copy_from_slice(data.as_bytes());
    NewEvent { id: Uuid::new_v4(), event_type: "Happened".into(), data, metadata: r#"{"by":"ann"}"#.into() }
}

fn copy(from: &str, to: &str) -> Output {
    binary().args(["event-store", "copy", "--from", from, "--to", to]).output().unwrap()
}

async fn add_others(source: &EventStore) {
    for number in 0..OTHERS {
        source.append(&format!("other-{number}"), Expected::NoStream, vec![event("{}")]).await.unwrap();
    }
}

/// The number after this text.
fn number_after(reported: &str, text: &str) -> u64 {
    reported.split(text).nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// How many events a copy reports.
fn copied(reported: &str) -> usize {
    reported.split(" events copied in ").next().unwrap().lines().last().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn open_orders_move_with_their_log_although_the_copy_is_killed_and_end_at_the_target() {
    let mut parts = Parts::without_projector().await;
    // Requests name the address at which participants get personal data.
    let address = Address::new();
    let (handler, base) = parts.handler_at(address.as_str(), &[]);
    let (projector, _) = parts.projector();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let place = async |base: &str, id: &str| {
        let placed = client.post(base).json(&order(id, "order-parallel", "11", 1)).send().await.unwrap();
        assert_eq!(placed.status(), 202);
    };
    place(&base, "first").await;
    let runs = |log: &str, arguments: &[&str], code| ends(&tenuto(parts.postgres(), log, arguments), code);
    let key = parts.folder.path().join("seal.pem");
    runs(&parts.log, &["audit", "keygen", key.to_str().unwrap()], 0);
    runs(&parts.log, &["audit", "seal", "--key", key.to_str().unwrap()], 0);
    for number in 0..OPEN {
        place(&base, &format!("open-{number}")).await;
    }
    until("the views have all orders", async || {
        parts.count("SELECT count(*) FROM orders").await == i64::try_from(OPEN).unwrap() + 1
    })
    .await;
    handler.stop();
    projector.stop();
    let source = EventStore::connect(&parts.log).unwrap();
    add_others(&source).await;

    let target = Node::start();
    let mut killed = Process::start(&["event-store", "copy", "--from", &parts.log, "--to", &target.log], &[]);
    until("a part is copied", async || target.head().await >= BEGUN).await;
    assert!(killed.runs(), "the copy ended before it was killed");
    killed.kill();
    let reported = ends(&copy(&parts.log, &target.log), 0);
    let rest = copied(&reported) as u64;
    assert!(rest > 0 && rest + BEGUN <= number_after(&reported, "the target has all "), "{reported}");
    assert!(reported.contains("compared one by one") && reported.contains("left out: 1 seals"), "{reported}");
    assert!(reported.contains("everything is as it was written"), "{reported}");
    assert_eq!(copied(&ends(&copy(&parts.log, &target.log), 0)), 0, "a complete copy is left as it is");
    assert_eq!(source.settings().await.unwrap(), target.store.settings().await.unwrap());

    // Positions differ, since the seal stayed: the views are not used as they are.
    assert!(runs(&target.log, &["rebuild", "--check"], 2).contains("nothing was compared"));
    runs(&target.log, &["rebuild", "--yes"], 0);
    let log = target.log.clone();
    parts.node.kill();
    parts.log.clone_from(&log);
    let _handler = parts.handler_at(address.as_str(), &[]);
    let _projector = parts.projector();
    let _services = parts.participants_with(&["--read-again"]);
    until("each order is completed", async || {
        let completed = parts.count("SELECT count(*) FROM orders WHERE state = 'COMPLETED'").await;
        completed == i64::try_from(OPEN).unwrap() + 1
    })
    .await;
    for arguments in [&["audit", "verify", "--all"][..], &["rebuild", "--check"]] {
        ends(&tenuto(parts.postgres(), &log, arguments), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_each_event_as_it_was_and_a_later_one_adds_what_came_since() {
    let (source, target) = (Node::start(), Node::start());
    source.add("order-1", 3).await;
    source.add("order-2", 1).await;
    source.add("order-1", 2).await;
    source.hide("order-1", r#"{"$acl":{"$r":"$all"}}"#).await;
    source.hide("order-2", "{}").await;
    let NewEvent { id, event_type, metadata, .. } = event("{}");
    let position = Position { commit: 0, prepare: 0 };
    let event = RecordedEvent {
        id,
        stream: "blob".into(),
        revision: 0,
        position,
        event_type,
        data: Bytes::from_static(&[0, 159, 146]),
        metadata,
        created: chrono::DateTime::UNIX_EPOCH,
    };
    let blob = Record { event, content_type: "application/octet-stream".into(), created_ticks: 0 };
    source.store.append_copies("blob", Expected::NoStream, &[blob]).await.unwrap();
    let reported = ends(&copy(&source.log, &target.log), 1);
    assert!(reported.contains("all 9 events of 3 streams"), "{reported}");
    assert!(reported.contains("order 1, revision 0"), "the audit looks at what is named like an order: {reported}");
    for stream in ["order-1", "order-2", "$$order-1", "$$order-2", "blob"] {
        let (there, here) = (source.stream(stream).await, target.stream(stream).await);
        assert!(!there.is_empty() && there == here, "{stream}: {there:?} {here:?}");
    }
    let last = target.store.history(None);
    assert_eq!(content_type_of("blob", last).await, "application/octet-stream");

    source.add("order-2", 4).await;
    source.hide("order-1", "{}").await;
    assert_eq!(copied(&ends(&copy(&source.log, &target.log), 1)), 5);
    assert_eq!(source.stream("order-2").await, target.stream("order-2").await);
    assert_eq!(source.stream("$$order-1").await, target.stream("$$order-1").await);
}

async fn content_type_of(stream: &str, mut history: event_store::History) -> String {
    loop {
        let record = history.next().await.unwrap().unwrap();
        if record.event.stream == stream {
            return record.content_type;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_the_source_during_a_copy_is_copied_and_reported() {
    let (source, target) = (Node::start(), Node::start());
    add_others(&source.store).await;
    let (from, to) = (source.log.clone(), target.log.clone());
    let copying = tokio::task::spawn_blocking(move || copy(&from, &to));
    until("the copy has begun", async || target.head().await >= BEGUN).await;
    source.add("late", 3).await;
    let reported = ends(&copying.await.unwrap(), 0);
    assert!(reported.contains("the source was not quiet: 3 events came meanwhile"), "{reported}");
    assert_eq!(source.stream("late").await, target.stream("late").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_show_all_its_events_is_refused_before_anything_is_written() {
    let (mut source, target) = (Node::start(), Node::start());
    source.add("order-1", 1).await;
    source.add("order-2", 3).await;
    source.hide("order-2", r#"{"$tb":2}"#).await;
    let refused = ends(&copy(&source.log, &target.log), 2);
    assert!(refused.contains("the stream order-2") && refused.contains("$tb 2"), "{refused}");
    source.hide("order-2", r#"{"$tb":9223372036854775807}"#).await;
    assert!(ends(&copy(&source.log, &target.log), 2).contains("the stream was deleted"));

    source.hide("order-2", r#"{"$tb":2}"#).await;
    let node = source.log.trim_start_matches("esdb://").split('?').next().unwrap().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let begun = client
        .post(format!("http://{node}/admin/scavenge"))
        .basic_auth("admin", Some("changeit"))
        .send()
        .await
        .unwrap();
    assert!(begun.status().is_success(), "{}", begun.status());
    until("the scavenge is done", async || {
        let removed = source.store.gaps().await.unwrap();
        removed.recorded_at() > 0
    })
    .await;
    source.hide("order-2", "{}").await;
    let refused = ends(&copy(&source.log, &target.log), 2);
    assert!(refused.contains("lacks revisions 0 to 1 of the stream order-2"), "{refused}");
    assert_eq!(target.head().await, 0, "something was written");
    source.process.kill();
    assert_eq!(copy(&source.log, &target.log).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_has_something_else_is_refused_and_the_first_difference_is_named() {
    let (source, target) = (Node::start(), Node::start());
    source.add("one", 2).await;
    target.add("mine", 1).await;
    let refused = ends(&copy(&source.log, &target.log), 2);
    assert!(refused.contains("revision 0 of one") && refused.contains("revision 0 of mine"), "{refused}");
    assert_eq!(target.head().await, 1, "something was written");

    let target = Node::start();
    ends(&copy(&source.log, &target.log), 0);
    target.add("one", 1).await;
    let refused = ends(&copy(&source.log, &target.log), 2);
    assert!(refused.contains("the source ends before") && refused.contains("revision 2 of one"), "{refused}");

    let nowhere = ends(&copy(&source.log, "nowhere"), 2);
    assert!(nowhere.contains("there is no log in nowhere"), "{nowhere}");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("event-store")).unwrap();
    let stopped = ends(&copy(&source.log, folder.path().to_str().unwrap()), 0);
    assert_eq!(copied(&stopped), 2, "{stopped}");
}

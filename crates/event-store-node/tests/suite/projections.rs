//! The system projections: each link exists once, in the right order, whatever happened meanwhile.

use std::time::Duration;

use event_store::{EventStore, Expected, Filter, RecordedEvent};
use event_store_node::{Node, NodeHandle, NodeOptions};
use eventstore::{
    CreateProjectionOptions, Error, GenericProjectionOptions, ProjectionClient, ReadStreamOptions, StreamPosition,
};
use futures::TryStreamExt;
use tempfile::TempDir;
use tokio::time::timeout;

use super::support::{LIMIT, event, events, raw, until_caught_up};

async fn start(folder: &TempDir, system_projections: bool) -> (NodeHandle, EventStore) {
    let options = NodeOptions { system_projections, ..NodeOptions::in_folder(folder.path()) };
    let node = Node::start(options).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    (node, store)
}

/// The targets of a stream's links, once it has the expected number.
async fn links(store: &EventStore, stream: &str, count: usize) -> Vec<String> {
    let read = async {
        loop {
            let links = store.read_stream(stream, 0, 10_000).await.unwrap();
            if links.len() >= count {
                return links;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let links = timeout(LIMIT, read).await.unwrap_or_else(|_| panic!("{stream} does not get {count} links"));
    links.iter().map(|link| String::from_utf8(link.data.to_vec()).unwrap()).collect()
}

async fn everything(store: &EventStore) -> Vec<RecordedEvent> {
    until_caught_up(&mut store.subscribe_all(Filter::EventTypePrefixes(vec![String::new()]), None)).await
}

#[tokio::test]
async fn events_are_linked_by_category_type_and_correlation_and_streams_by_their_first_event() {
    let folder = tempfile::tempdir().unwrap();
    let (_node, store) = start(&folder, true).await;
    store.append("order-1", Expected::NoStream, vec![event("Placed"), event("Shipped")]).await.unwrap();
    store.append("order-2", Expected::NoStream, vec![event("Placed")]).await.unwrap();
    assert_eq!(links(&store, "$ce-order", 3).await, ["0@order-1", "1@order-1", "0@order-2"]);
    assert_eq!(links(&store, "$et-Placed", 2).await, ["0@order-1", "0@order-2"]);
    assert_eq!(links(&store, "$et-Shipped", 1).await, ["1@order-1"]);
    assert_eq!(links(&store, "$bc-c", 3).await, ["0@order-1", "1@order-1", "0@order-2"]);
    let streams = links(&store, "$streams", 6).await;
    for stream in ["order-1", "order-2", "$ce-order", "$et-Placed", "$et-Shipped", "$bc-c"] {
        assert_eq!(streams.iter().filter(|link| **link == format!("0@{stream}")).count(), 1, "{stream}");
    }
}

#[tokio::test]
async fn a_reader_who_resolves_links_gets_the_events_of_a_category() {
    let folder = tempfile::tempdir().unwrap();
    let (node, store) = start(&folder, true).await;
    store.append("order-1", Expected::NoStream, events(2)).await.unwrap();
    store.append("order-2", Expected::NoStream, events(1)).await.unwrap();
    links(&store, "$ce-order", 3).await;
    let options = ReadStreamOptions::default().resolve_link_tos().position(StreamPosition::Start);
    let mut read = raw(&node.connection_string()).read_stream("$ce-order", &options).await.unwrap();
    let mut seen = Vec::new();
    while let Some(resolved) = read.next().await.unwrap() {
        assert_eq!(resolved.link.unwrap().stream_id, "$ce-order");
        let event = resolved.event.unwrap();
        seen.push((event.stream_id, event.revision));
    }
    assert_eq!(seen, [("order-1".to_owned(), 0), ("order-1".to_owned(), 1), ("order-2".to_owned(), 0)]);
}

#[tokio::test]
async fn a_node_without_projections_writes_no_links_and_one_with_them_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let (node, store) = start(&folder, false).await;
    for number in 0..40 {
        store.append(&format!("order-{number}"), Expected::NoStream, events(20)).await.unwrap();
    }
    assert_eq!(everything(&store).await.len(), 800);
    node.shutdown().await;
    let (_node, store) = start(&folder, true).await;
    let expected: Vec<_> = (0..800).map(|number| format!("{}@order-{}", number % 20, number / 20)).collect();
    assert_eq!(links(&store, "$ce-order", 800).await, expected);
    // Of the links themselves only the first of each stream gets a link, so this ends.
    assert_eq!(links(&store, "$streams", 43).await.len(), 43);
}

#[tokio::test]
async fn each_event_is_linked_once_over_restarts_and_with_an_old_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4_usize {
        let (node, store) = start(&folder, true).await;
        for number in 0..5 {
            store.append(&format!("order-{round}-{number}"), Expected::NoStream, events(10)).await.unwrap();
        }
        if round % 2 == 0 {
            links(&store, "$ce-order", 50 * (round + 1)).await;
        }
        // A checkpoint that is older than the links, as after a crash.
        if round == 2 {
            let checkpoint =
                eventstore::EventData::json("$ProjectionCheckpoint", &serde_json::json!({ "$c": 3 })).unwrap();
            node_is_told(&node, checkpoint).await;
        }
        node.shutdown().await;
    }
    let (_node, store) = start(&folder, true).await;
    let linked = links(&store, "$ce-order", 200).await;
    let expected = (0..200).map(|number| format!("{}@order-{}-{}", number % 10, number / 50, number / 10 % 5));
    assert_eq!(linked, expected.collect::<Vec<_>>());
    assert_eq!(links(&store, "$bc-c", 200).await.len(), 200);
}

async fn node_is_told(node: &NodeHandle, checkpoint: eventstore::EventData) {
    let any = eventstore::AppendToStreamOptions::default();
    let client = raw(&node.connection_string());
    client.append_to_stream("$projections-$system-checkpoint", &any, checkpoint).await.unwrap();
}

#[tokio::test]
async fn a_deleted_stream_gets_a_link_to_its_deletion_and_its_other_links_lead_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (node, store) = start(&folder, true).await;
    store.append("order-1", Expected::NoStream, events(1)).await.unwrap();
    let client = raw(&node.connection_string());
    client.delete_stream("order-1", &eventstore::DeleteStreamOptions::default()).await.unwrap();
    assert_eq!(links(&store, "$ce-order", 2).await, ["0@order-1", "0@$$order-1"]);
    assert_eq!(links(&store, "$et-$deleted", 1).await, ["0@order-1"]);
    let options = ReadStreamOptions::default().resolve_link_tos().position(StreamPosition::Start);
    let mut read = client.read_stream("$ce-order", &options).await.unwrap();
    let first = read.next().await.unwrap().unwrap();
    assert!(first.event.is_none() && first.link.is_some());
}

#[tokio::test]
async fn a_log_with_links_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let (node, store) = start(&folder, true).await;
    store.append("order-1", Expected::NoStream, events(100)).await.unwrap();
    links(&store, "$ce-order", 100).await;
    node.shutdown().await;
    let report = event_store_node::check_log(folder.path()).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
}

#[tokio::test]
async fn a_projection_is_switched_off_and_on_and_catches_up_and_keeps_its_state_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (node, store) = start(&folder, true).await;
    let projections = ProjectionClient::from(raw(&node.connection_string()));
    let options = GenericProjectionOptions::default();
    store.append("order-1", Expected::NoStream, vec![event("Placed")]).await.unwrap();
    links(&store, "$ce-order", 1).await;
    links(&store, "$et-Placed", 1).await;
    projections.disable("$by_category", &options).await.unwrap();
    store.append("order-1", Expected::Any, vec![event("Shipped")]).await.unwrap();
    links(&store, "$et-Shipped", 1).await;
    assert_eq!(store.read_stream("$ce-order", 0, 9).await.unwrap().len(), 1);
    let status = projections.get_status("$by_category", &options).await.unwrap().expect("it is listed");
    assert_eq!((status.status.as_str(), status.mode.as_str()), ("Stopped", "Continuous"));
    node.shutdown().await;

    let (node, store) = start(&folder, true).await;
    let projections = ProjectionClient::from(raw(&node.connection_string()));
    store.append("order-2", Expected::NoStream, vec![event("Placed")]).await.unwrap();
    links(&store, "$et-Placed", 2).await;
    assert_eq!(store.read_stream("$ce-order", 0, 9).await.unwrap().len(), 1);
    projections.enable("$by_category", &options).await.unwrap();
    assert_eq!(links(&store, "$ce-order", 3).await, ["0@order-1", "1@order-1", "0@order-2"]);
    assert_eq!(links(&store, "$et-Placed", 2).await, ["0@order-1", "0@order-2"]);
    let status = projections.get_status("$by_category", &options).await.unwrap().expect("it is listed");
    assert_eq!(status.status, "Running");
}

#[tokio::test]
async fn only_the_four_system_projections_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (node, _store) = start(&folder, true).await;
    let projections = ProjectionClient::from(raw(&node.connection_string()));
    let options = GenericProjectionOptions::default();
    let mut names = Vec::new();
    let mut listed = projections.list(&options).await.unwrap();
    while let Some(one) = listed.try_next().await.unwrap() {
        names.push(one.name);
    }
    assert_eq!(names, ["$by_category", "$by_correlation_id", "$by_event_type", "$streams"]);
    assert!(matches!(projections.enable("totals", &options).await, Err(Error::ResourceNotFound)));
    let created = projections.create("totals", "fromAll()".into(), &CreateProjectionOptions::default()).await;
    assert!(matches!(created, Err(Error::UnsupportedFeature)), "{created:?}");
}

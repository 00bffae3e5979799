//! The node itself: its folder, its address, its bounds.

use std::time::Duration;

use event_store::{AppendError, EventStore, Expected, Filter, ReadError};
use event_store_node::{Node, NodeError, NodeOptions, StorageError};
use eventstore::operations::{OperationalOptions, StatsOptions};
use eventstore::{AppendToStreamOptions, StreamMetadataBuilder, TombstoneStreamOptions};
use futures::FutureExt;
use futures::future::join_all;
use tokio::time::{Instant, timeout};
use tonic::Code;

use super::grpc;
use super::support::{LIMIT, events, ids, new_ids, raw, unique, until_caught_up};

#[tokio::test]
async fn a_new_node_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    assert_eq!(store.head().await.unwrap(), None);
    assert!(until_caught_up(&mut store.subscribe_all(Filter::ExcludeSystem, None)).await.is_empty());
}

#[tokio::test]
async fn everything_is_there_after_the_node_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let stream = unique("order");
    let new = events(500);
    let mut before = Vec::new();
    for part in 0..5 {
        let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
        let store = EventStore::connect(&node.connection_string()).unwrap();
        assert_eq!(store.read_stream(&stream, 0, 1000).await.unwrap(), before);
        assert_eq!(store.head().await.unwrap(), before.last().map(|event| event.position));
        let part = new[part * 100..][..100].to_vec();
        let appended = store.append(&stream, Expected::Any, part.clone()).await.unwrap();
        assert_eq!(store.append(&stream, Expected::Any, part).await.unwrap(), appended);
        if let Some(earlier) = before.len().checked_sub(100) {
            let again = new[earlier..][..100].to_vec();
            let last = before.last().unwrap();
            assert_eq!(store.append(&stream, Expected::Any, again).await.unwrap().position, last.position);
        }
        before = store.read_stream(&stream, 0, 1000).await.unwrap();
        node.shutdown().await;
    }
    assert_eq!(ids(&before), new_ids(&new));
    assert!(before.is_sorted_by(|a, b| a.position < b.position));
}

#[tokio::test]
async fn only_one_node_may_use_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let second = Node::start(NodeOptions::in_folder(folder.path())).await;
    let Err(refused @ NodeError::Log { source: StorageError::InUse, .. }) = second else { panic!("{second:?}") };
    assert!(refused.to_string().contains("another node is using it"), "{refused}");
    first.shutdown().await;
    Node::start(NodeOptions::in_folder(folder.path())).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn the_error_names_an_address_that_is_taken() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Node::start(NodeOptions::in_folder(one.path())).await.unwrap();
    let address = first.address();
    let second = Node::start(NodeOptions { address, ..NodeOptions::in_folder(other.path()) }).await;
    let Err(refused @ NodeError::Address { .. }) = second else { panic!("{second:?}") };
    assert!(refused.to_string().contains(&address.to_string()), "{refused}");
}

#[tokio::test]
async fn appends_beyond_the_bound_are_refused_and_the_others_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let options = NodeOptions { queue_bytes: 2000, ..NodeOptions::in_folder(folder.path()) };
    let node = Node::start(options).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    let streams: Vec<_> = (0..400).map(|_| unique("order")).collect();
    let outcomes = join_all(streams.iter().map(|stream| store.append(stream, Expected::NoStream, events(10)))).await;
    let (made, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.is_ok());
    assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
    for refused in refused {
        assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    }
    for (stream, outcome) in streams.iter().zip(&outcomes) {
        let there = store.read_stream(stream, 0, 100).await.unwrap().len();
        assert_eq!(there, if outcome.is_ok() { 10 } else { 0 });
    }
}

#[tokio::test]
async fn a_clients_request_to_shut_down_is_passed_to_the_nodes_owner() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let operations = eventstore::operations::Client::new(node.connection_string().parse().unwrap());
    assert!(node.asked_to_shut_down().now_or_never().is_none());
    operations.shutdown(&OperationalOptions::default()).await.unwrap();
    timeout(LIMIT, node.asked_to_shut_down()).await.unwrap();
    operations.merge_indexes(&OperationalOptions::default()).await.unwrap();
    node.shutdown().await;
}

#[tokio::test]
async fn stats_without_an_interval_are_sent_at_a_bounded_rate() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let operations = eventstore::operations::Client::new(node.connection_string().parse().unwrap());
    let options = StatsOptions::default().refresh_time(Duration::ZERO);
    let mut stats = operations.stats(&options).await.unwrap();
    stats.next().await.unwrap();
    let begin = Instant::now();
    for _ in 0..3 {
        stats.next().await.unwrap();
    }
    assert!(begin.elapsed() > Duration::from_millis(100));
}

#[tokio::test]
async fn calls_to_missing_services_are_answered_as_unimplemented_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let channel = grpc::channel(&node.connection_string()).await;
    for method in ["users.Users/Details", "users.Users/Create", "projections.Projections/Statistics", "no.Such/Thing"] {
        let status = grpc::call::<(), ()>(&channel, &format!("/event_store.client.{method}"), ()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unimplemented, "Service is unimplemented."), "{method}");
    }
}

#[tokio::test]
async fn a_node_that_listens_on_every_address_advertises_the_one_that_was_used() {
    let folder = tempfile::tempdir().unwrap();
    let address = "0.0.0.0:0".parse().unwrap();
    let node = Node::start(NodeOptions { address, ..NodeOptions::in_folder(folder.path()) }).await.unwrap();
    let port = node.address().port();
    let seeds = format!("esdb://127.0.0.1:{port},127.0.0.1:{port}?tls=false&nodePreference=leader");
    let operations = eventstore::operations::Client::new(seeds.parse().unwrap());
    let selected = timeout(LIMIT, operations.current_selected_node()).await.unwrap().unwrap();
    assert_eq!((selected.host.as_str(), selected.port), ("127.0.0.1", u32::from(port)));
}

#[tokio::test]
async fn the_node_reports_its_features() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let info = raw(&node.connection_string()).server_info().await.unwrap();
    assert_eq!(info.version().major(), 24);
}

#[tokio::test]
async fn a_client_that_expects_a_cluster_finds_its_one_node() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let address = node.address();
    let seeds = format!("esdb://{address},{address}?tls=false&nodePreference=leader");
    let store = EventStore::connect(&seeds).unwrap();
    store.append(&unique("order"), Expected::NoStream, events(1)).await.unwrap();
}

/// The Python client's tests expect this of a server: it can be written and not be read.
#[tokio::test]
async fn metadata_of_a_stream_that_is_deleted_for_good_can_be_written_if_it_had_some_before() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    let client = raw(&node.connection_string());
    let options = AppendToStreamOptions::default();
    let metadata = StreamMetadataBuilder::new().max_count(3).build();
    for had_some in [true, false] {
        let stream = unique("order");
        store.append(&stream, Expected::NoStream, events(2)).await.unwrap();
        if had_some {
            client.set_stream_metadata(stream.as_str(), &options, &metadata).await.unwrap();
        }
        client.tombstone_stream(stream.as_str(), &TombstoneStreamOptions::default()).await.unwrap();
        let written = client.set_stream_metadata(stream.as_str(), &options, &metadata).await;
        let is_deleted = matches!(written, Err(eventstore::Error::ResourceDeleted));
        assert_eq!((written.is_ok(), is_deleted), (had_some, !had_some), "{written:?}");
        let read = store.read_stream(&format!("$${stream}"), 0, 9).await;
        assert!(matches!(read, Err(ReadError::StreamDeleted(_))), "{read:?}");
        let appended = store.append(&stream, Expected::Any, events(1)).await;
        assert!(matches!(appended, Err(AppendError::StreamDeleted(_))), "{appended:?}");
    }
}

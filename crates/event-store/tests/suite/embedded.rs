//! What applies only to a node in the same process: it can close.

use bytes::Bytes;
use event_store::{AppendError, EventStore, Expected, Filter, NewEvent, ReadError, SubscriptionItem};
use event_store_node::{Node, NodeOptions};
use futures::FutureExt;
use uuid::Uuid;

use super::support::{LIMIT, event, events, next, unique};
use super::world::world;

#[tokio::test]
async fn a_node_with_clients_in_its_process_closes_and_their_calls_fail() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let store = EventStore::in_process(node.in_process()).unwrap();
    let stream = unique("order");
    store.append(&stream, Expected::NoStream, events(2)).await.unwrap();
    let mut subscription = store.subscribe_all(Filter::ExcludeSystem, None);
    for _ in 0..2 {
        assert!(matches!(next(&mut subscription).await, SubscriptionItem::Event(_)));
    }
    assert_eq!(next(&mut subscription).await, SubscriptionItem::CaughtUp);

    tokio::time::timeout(LIMIT, node.shutdown()).await.expect("the node waits for a client in its process");
    assert!(matches!(store.append(&stream, Expected::Any, events(1)).await, Err(AppendError::Unavailable(_))));
    assert!(matches!(store.read_stream(&stream, 0, 1).await, Err(ReadError::Unavailable(_))));
    assert!(matches!(store.head().await, Err(ReadError::Unavailable(_))));
    assert_eq!(subscription.next().now_or_never(), None);

    let again = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let read = EventStore::in_process(again.in_process()).unwrap().read_stream(&stream, 0, 10).await.unwrap();
    assert_eq!(read.len(), 2);
}

#[tokio::test]
async fn what_is_refused_over_the_network_is_also_refused_in_process() {
    let world = world().await;
    let large = NewEvent { data: Bytes::from(format!("\"{}\"", "x".repeat(2 << 20))), ..event("Large") };
    let outcome = world.store.append(&unique("order"), Expected::Any, vec![large]).await;
    assert!(matches!(outcome, Err(AppendError::TooLarge(_))), "{outcome:?}");
    let no_json = NewEvent { data: Bytes::from_static(b"{"), id: Uuid::new_v4(), ..event("Odd") };
    for (stream, event) in [("$all", event("Odd")), ("", event("Odd")), ("order", no_json)] {
        let outcome = world.store.append(stream, Expected::Any, vec![event]).await;
        assert!(matches!(outcome, Err(AppendError::Refused(_))), "{stream}: {outcome:?}");
    }
}

//! The client while the server stops and starts.

use std::time::Duration;

use event_store::{AppendError, EventStore, Expected, Filter, SubscriptionItem};
use event_store_node::{Node, NodeOptions};

use super::support::{events, ids, new_ids, next_events, unique, until_caught_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_and_subscriptions_continue_over_restarts_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let options = NodeOptions { address: node.address(), ..NodeOptions::in_folder(folder.path()) };
    let store = EventStore::connect(&node.connection_string()).unwrap();
    let stream = unique("order");
    let mut subscription = store.subscribe_all(Filter::StreamPrefixes(vec![stream.clone()]), None);
    let new = events(90);

    let writing = {
        let (store, stream, new) = (store.clone(), stream.clone(), new.clone());
        tokio::spawn(async move {
            for (revision, event) in new.into_iter().enumerate() {
                let expected = match revision {
                    0 => Expected::NoStream,
                    revision => Expected::Revision(revision as u64 - 1),
                };
                assert_eq!(store.append(&stream, expected, vec![event]).await.unwrap().revision, revision as u64);
            }
        })
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(next_events(&mut subscription, 20).await);
        node.shutdown().await;
        node = Node::start(options.clone()).await.unwrap();
    }
    seen.extend(next_events(&mut subscription, 30).await);
    writing.await.unwrap();
    assert_eq!(ids(&seen), new_ids(&new));
}

#[tokio::test]
async fn a_subscription_waits_for_a_server_that_has_not_started_yet() {
    let folder = tempfile::tempdir().unwrap();
    let options = NodeOptions::in_folder(folder.path());
    let node = Node::start(options.clone()).await.unwrap();
    let address = node.address();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    node.shutdown().await;

    let mut subscription = store.subscribe_all(Filter::ExcludeSystem, None);
    let early = tokio::time::timeout(Duration::from_millis(300), subscription.next()).await;
    assert!(early.is_err(), "{early:?}");
    let _node = Node::start(NodeOptions { address, ..options }).await.unwrap();
    assert!(until_caught_up(&mut subscription).await.is_empty());
}

#[tokio::test]
async fn a_subscription_resumes_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let options = NodeOptions::in_folder(folder.path());
    let node = Node::start(options.clone()).await.unwrap();
    let address = node.address();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    store.append("a", Expected::NoStream, events(5)).await.unwrap();
    let mut subscription = store.subscribe_all(Filter::ExcludeSystem, None);
    assert_eq!(until_caught_up(&mut subscription).await.len(), 5);
    node.shutdown().await;
    let _node = Node::start(NodeOptions { address, ..options }).await.unwrap();
    let again = until_caught_up(&mut subscription).await;
    assert!(again.is_empty(), "{again:?}");
    let new = events(1);
    store.append("a", Expected::Revision(4), new.clone()).await.unwrap();
    assert_eq!(ids(&next_events(&mut subscription, 1).await), new_ids(&new));
}

#[tokio::test]
async fn without_a_server_an_append_fails_after_its_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    node.shutdown().await;
    let failed = store.append("a", Expected::Any, events(1)).await;
    assert!(matches!(failed, Err(AppendError::Unavailable(_))), "{failed:?}");
    assert!(store.read_stream("a", 0, 1).await.is_err());
}

#[tokio::test]
async fn the_last_position_never_decreases() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let store = EventStore::connect(&node.connection_string()).unwrap();
    let mut subscription = store.subscribe_all(Filter::StreamPrefixes(vec!["a".into()]), None);
    for number in 0..300 {
        let stream = if number % 10 == 0 { "a" } else { "b" };
        store.append(stream, Expected::Any, events(1)).await.unwrap();
    }
    let mut last = None;
    let mut seen = 0;
    while seen < 30 {
        let position = match super::support::next(&mut subscription).await {
            SubscriptionItem::Event(event) => {
                seen += 1;
                event.position
            }
            SubscriptionItem::Checkpoint(position) => position,
            SubscriptionItem::CaughtUp | SubscriptionItem::Resumed => continue,
        };
        assert!(Some(position) > last);
        last = Some(position);
    }
}

#[test]
fn an_invalid_connection_string_is_refused() {
    for wrong in ["", "http://127.0.0.1:1", "esdb://", "esdb://a:b:c", "nonsense"] {
        assert!(EventStore::connect(wrong).is_err(), "{wrong}");
    }
}

//! Groups of consumers: which consumer gets which events, and what survives a restart.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use event_store::Expected;
use event_store_node::{Node, NodeOptions};
use eventstore::{
    Client, DeletePersistentSubscriptionOptions, Error, GetPersistentSubscriptionInfoOptions, NakAction,
    PersistentSubscription, PersistentSubscriptionEvent, PersistentSubscriptionOptions, PersistentSubscriptionStats,
    PersistentSubscriptionToAllOptions, ReplayParkedMessagesOptions, ResolvedEvent, StreamPosition,
    SubscribeToPersistentSubscriptionOptions, SubscriptionFilter, SystemConsumerStrategy,
};

use super::support::{LIMIT, events, new_ids, raw, unique};
use super::world::{World, world};

pub const GROUP: &str = "shipping";

pub fn from_start() -> PersistentSubscriptionOptions {
    PersistentSubscriptionOptions::default().start_from(StreamPosition::Start).checkpoint_lower_bound(1)
}

/// A stream with this many events, and a group that reads it from its beginning.
pub async fn group_on(world: &World, count: usize, options: &PersistentSubscriptionOptions) -> String {
    let stream = unique("order");
    if count > 0 {
        world.append(&stream, Expected::NoStream, events(count)).await;
    }
    world.raw.create_persistent_subscription(stream.as_str(), GROUP, options).await.unwrap();
    stream
}

pub async fn consumer(client: &Client, stream: &str) -> PersistentSubscription {
    buffered(client, stream, 10).await
}

pub async fn buffered(client: &Client, stream: &str, size: usize) -> PersistentSubscription {
    let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(size);
    let mut consumer = client.subscribe_to_persistent_subscription(stream, GROUP, &options).await.unwrap();
    let confirmed = consumer.next_subscription_event().await.unwrap();
    assert!(matches!(confirmed, PersistentSubscriptionEvent::Confirmed(_)));
    consumer
}

/// The next event, and how often it was delivered before.
pub async fn next(consumer: &mut PersistentSubscription) -> (ResolvedEvent, usize) {
    let event = tokio::time::timeout(LIMIT, consumer.next_subscription_event()).await.expect("an event in time");
    match event.unwrap() {
        PersistentSubscriptionEvent::EventAppeared { event, retry_count } => (event, retry_count),
        PersistentSubscriptionEvent::Confirmed(_) => panic!("confirmed twice"),
    }
}

/// Takes and acknowledges this many events, and returns their revisions.
pub async fn work(consumer: &mut PersistentSubscription, count: usize) -> Vec<u64> {
    let mut revisions = Vec::new();
    for _ in 0..count {
        let (event, _) = next(consumer).await;
        // A parked event comes with the link to it.
        revisions.push(event.event.as_ref().unwrap().revision);
        consumer.ack(event).await.unwrap();
    }
    revisions
}

/// A consumer that connects, processes this many events one at a time, and leaves when the node has
/// counted them.
pub async fn shift(client: &Client, stream: &str, count: usize) -> Vec<u64> {
    let before = stats(client, stream).await.total_items;
    let mut consumer = buffered(client, stream, 1).await;
    let revisions = work(&mut consumer, count).await;
    // The last answer is still on its way until the next event has arrived, or no event is in
    // flight.
    until(client, stream, |stats| stats.total_items > before + count || stats.total_in_flight_messages == 0).await;
    drop(consumer);
    until(client, stream, |stats| stats.total_in_flight_messages == 0).await;
    revisions
}

pub async fn stats(client: &Client, stream: &str) -> PersistentSubscriptionStats {
    let options = GetPersistentSubscriptionInfoOptions::default();
    client.get_persistent_subscription_info(stream, GROUP, &options).await.unwrap().stats
}

pub async fn until(client: &Client, stream: &str, is_so: impl Fn(&PersistentSubscriptionStats) -> bool) {
    let begun = Instant::now();
    loop {
        let stats = stats(client, stream).await;
        if is_so(&stats) {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{stats:?}");
    }
}

#[tokio::test]
async fn a_group_gets_the_old_events_in_order_and_then_the_new_ones() {
    let world = world().await;
    let stream = group_on(&world, 3, &from_start()).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    assert_eq!(work(&mut consumer, 3).await, [0, 1, 2]);
    world.append(&stream, Expected::Any, events(2)).await;
    assert_eq!(work(&mut consumer, 2).await, [3, 4]);
}

#[tokio::test]
async fn a_group_may_be_created_before_its_stream() {
    let world = world().await;
    let stream = group_on(&world, 0, &from_start()).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    world.append(&stream, Expected::NoStream, events(2)).await;
    assert_eq!(work(&mut consumer, 2).await, [0, 1]);
}

#[tokio::test]
async fn a_group_from_a_revision_begins_with_the_event_at_that_revision() {
    let world = world().await;
    let stream = group_on(&world, 5, &from_start().start_from(StreamPosition::Position(3))).await;
    assert_eq!(work(&mut consumer(&world.raw, &stream).await, 2).await, [3, 4]);
}

#[tokio::test]
async fn a_group_from_the_end_gets_only_later_events() {
    let world = world().await;
    let stream = group_on(&world, 3, &from_start().start_from(StreamPosition::End)).await;
    world.append(&stream, Expected::Any, events(2)).await;
    assert_eq!(work(&mut consumer(&world.raw, &stream).await, 2).await, [3, 4]);
}

#[tokio::test]
async fn a_group_cannot_be_created_twice() {
    let world = world().await;
    let stream = group_on(&world, 0, &from_start()).await;
    let again = world.raw.create_persistent_subscription(stream.as_str(), GROUP, &from_start()).await;
    assert!(matches!(again, Err(Error::ResourceAlreadyExists)), "{again:?}");
}

#[tokio::test]
async fn a_group_that_does_not_exist_cannot_be_used() {
    let world = world().await;
    let stream = unique("order");
    let (raw, name) = (&world.raw, stream.as_str());
    let options = SubscribeToPersistentSubscriptionOptions::default();
    let read = raw.subscribe_to_persistent_subscription(name, GROUP, &options).await.map(drop);
    let updated = raw.update_persistent_subscription(name, GROUP, &from_start()).await;
    let options = DeletePersistentSubscriptionOptions::default();
    let deleted = raw.delete_persistent_subscription(name, GROUP, &options).await;
    let replayed = raw.replay_parked_messages(name, GROUP, &ReplayParkedMessagesOptions::default()).await;
    let options = GetPersistentSubscriptionInfoOptions::default();
    let described = raw.get_persistent_subscription_info(name, GROUP, &options).await.map(drop);
    for outcome in [read, updated, deleted, replayed, described] {
        assert!(matches!(outcome, Err(Error::ResourceNotFound)), "{outcome:?}");
    }
}

#[tokio::test]
async fn contradictory_settings_are_refused() {
    let world = world().await;
    for options in [from_start().history_buffer_size(10).read_batch_size(20), from_start().max_retry_count(-1)] {
        let made = world.raw.create_persistent_subscription(unique("order"), GROUP, &options).await;
        // Servers report it as an internal error. According to their documentation it is an invalid
        // argument.
        assert!(
            matches!(
                made,
                Err(Error::Grpc { code: tonic::Code::InvalidArgument | tonic::Code::Internal, .. }
                    | Error::ServerError(_))
            ),
            "{made:?}"
        );
    }
}

#[tokio::test]
async fn a_consumer_never_has_more_events_than_it_asked_for() {
    let world = world().await;
    let stream = group_on(&world, 10, &from_start()).await;
    let mut consumer = buffered(&world.raw, &stream, 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut consumer).await.0);
    }
    until(&world.raw, &stream, |stats| stats.total_in_flight_messages == 3).await;
    assert!(tokio::time::timeout(Duration::from_millis(200), consumer.next()).await.is_err());
    consumer.ack(held.remove(0)).await.unwrap();
    assert_eq!(next(&mut consumer).await.0.get_original_event().revision, 3);
}

#[tokio::test]
async fn the_events_of_a_consumer_that_leaves_go_to_others() {
    let world = world().await;
    let stream = group_on(&world, 5, &from_start()).await;
    let mut first = consumer(&world.raw, &stream).await;
    assert_eq!(next(&mut first).await.0.get_original_event().revision, 0);
    drop(first);
    let mut second = consumer(&world.raw, &stream).await;
    let mut revisions = work(&mut second, 5).await;
    revisions.sort_unstable();
    assert_eq!(revisions, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_group_continues_at_its_place_when_a_consumer_returns() {
    let world = world().await;
    let stream = group_on(&world, 4, &from_start()).await;
    assert_eq!(shift(&world.raw, &stream, 2).await, [0, 1]);
    assert_eq!(shift(&world.raw, &stream, 2).await, [2, 3]);
}

async fn shares(strategy: SystemConsumerStrategy) -> (usize, usize) {
    let world = world().await;
    let stream = group_on(&world, 0, &from_start().consumer_strategy_name(strategy)).await;
    let (mut one, mut other) = (consumer(&world.raw, &stream).await, consumer(&world.raw, &stream).await);
    world.append(&stream, Expected::NoStream, events(8)).await;
    let (mut ones, mut others) = (0, 0);
    while ones + others < 8 {
        tokio::select! {
            event = one.next() => { ones += 1; one.ack(event.unwrap()).await.unwrap(); }
            event = other.next() => { others += 1; other.ack(event.unwrap()).await.unwrap(); }
            () = tokio::time::sleep(LIMIT) => panic!("{ones} and {others}"),
        }
    }
    (ones, others)
}

#[tokio::test]
async fn events_go_to_the_consumers_in_turn() {
    assert_eq!(shares(SystemConsumerStrategy::RoundRobin).await, (4, 4));
}

#[tokio::test]
async fn events_go_to_a_single_consumer_as_long_as_it_has_room() {
    assert_eq!(shares(SystemConsumerStrategy::DispatchToSingle).await, (8, 0));
}

#[tokio::test]
async fn events_of_one_stream_are_pinned_to_one_consumer() {
    let (ones, others) = shares(SystemConsumerStrategy::Pinned).await;
    assert!(ones == 8 || others == 8, "{ones} and {others}");
}

#[tokio::test]
async fn consumers_beyond_the_groups_maximum_are_refused() {
    let world = world().await;
    let stream = group_on(&world, 0, &from_start().max_subscriber_count(1)).await;
    let _first = consumer(&world.raw, &stream).await;
    let options = SubscribeToPersistentSubscriptionOptions::default();
    let second = world.raw.subscribe_to_persistent_subscription(stream.as_str(), GROUP, &options).await;
    assert!(second.is_err());
}

#[tokio::test]
async fn deleting_a_group_drops_its_consumers() {
    let world = world().await;
    let stream = group_on(&world, 0, &from_start()).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    let options = DeletePersistentSubscriptionOptions::default();
    world.raw.delete_persistent_subscription(stream.as_str(), GROUP, &options).await.unwrap();
    let dropped = tokio::time::timeout(LIMIT, consumer.next()).await.expect("dropped in time");
    assert!(matches!(dropped, Err(Error::IllegalStateError(_))), "{dropped:?}");
}

#[tokio::test]
async fn a_deleted_group_that_is_created_again_begins_from_scratch() {
    let world = world().await;
    let stream = group_on(&world, 2, &from_start()).await;
    assert_eq!(shift(&world.raw, &stream, 2).await, [0, 1]);
    until(&world.raw, &stream, |stats| stats.last_checkpointed_event_revision == Some(1)).await;
    let options = DeletePersistentSubscriptionOptions::default();
    world.raw.delete_persistent_subscription(stream.as_str(), GROUP, &options).await.unwrap();
    world.raw.create_persistent_subscription(stream.as_str(), GROUP, &from_start()).await.unwrap();
    assert_eq!(work(&mut consumer(&world.raw, &stream).await, 2).await, [0, 1]);
}

#[tokio::test]
async fn changing_a_group_drops_its_consumers_and_keeps_its_place() {
    let world = world().await;
    let stream = group_on(&world, 4, &from_start()).await;
    let mut first = buffered(&world.raw, &stream, 1).await;
    assert_eq!(work(&mut first, 2).await, [0, 1]);
    until(&world.raw, &stream, |stats| stats.last_checkpointed_event_revision == Some(1)).await;
    let options = from_start().max_retry_count(77);
    world.raw.update_persistent_subscription(stream.as_str(), GROUP, &options).await.unwrap();
    let options = GetPersistentSubscriptionInfoOptions::default();
    let info = world.raw.get_persistent_subscription_info(stream.as_str(), GROUP, &options).await.unwrap();
    assert_eq!(info.settings.unwrap().max_retry_count, 77);
    assert_eq!(work(&mut consumer(&world.raw, &stream).await, 2).await, [2, 3]);
}

#[tokio::test]
async fn a_group_may_resolve_links() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(1)).await;
    let stream = group_on(&world, 0, &from_start().resolve_link_tos(true)).await;
    let link = eventstore::EventData::binary("$>", format!("0@{order}").into());
    let any = eventstore::AppendToStreamOptions::default();
    world.raw.append_to_stream(stream.as_str(), &any, link).await.unwrap();
    let mut consumer = consumer(&world.raw, &stream).await;
    let (event, _) = next(&mut consumer).await;
    assert_eq!(event.event.as_ref().unwrap().stream_id, order);
    assert_eq!(event.link.as_ref().unwrap().stream_id, stream);
    consumer.ack(event).await.unwrap();
    until(&world.raw, &stream, |stats| stats.last_checkpointed_event_revision == Some(0)).await;
}

#[tokio::test]
async fn a_group_on_all_gets_the_events_that_pass_its_filter() {
    let world = world().await;
    let (group, prefix) = (unique("group"), unique("wanted"));
    let options = PersistentSubscriptionToAllOptions::default()
        .filter(SubscriptionFilter::on_stream_name().add_prefix(&prefix))
        .start_from(StreamPosition::Start);
    world.append(&format!("{prefix}-1"), Expected::NoStream, events(2)).await;
    world.append(&unique("other"), Expected::NoStream, events(2)).await;
    world.raw.create_persistent_subscription_to_all(&group, &options).await.unwrap();
    let subscribe = SubscribeToPersistentSubscriptionOptions::default();
    let mut consumer = world.raw.subscribe_to_persistent_subscription_to_all(&group, &subscribe).await.unwrap();
    world.append(&format!("{prefix}-2"), Expected::NoStream, events(1)).await;
    for expected in ["1", "1", "2"] {
        let event = tokio::time::timeout(LIMIT, consumer.next()).await.expect("an event in time").unwrap();
        assert_eq!(event.get_original_event().stream_id, format!("{prefix}-{expected}"));
        consumer.ack(event).await.unwrap();
    }
    let options = GetPersistentSubscriptionInfoOptions::default();
    let info = world.raw.get_persistent_subscription_info_to_all(&group, &options).await.unwrap();
    assert_eq!(info.event_source, "$all");
    let options = DeletePersistentSubscriptionOptions::default();
    world.raw.delete_persistent_subscription_to_all(&group, &options).await.unwrap();
}

/// Consumers connect and leave, refuse events, and stay silent. Each event is finished
/// nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_skipped_and_nothing_stalls_while_consumers_come_and_go() {
    const EVENTS: usize = 400;
    let world = world().await;
    let options = from_start()
        .consumer_strategy_name(SystemConsumerStrategy::RoundRobin)
        .message_timeout(Duration::from_millis(200))
        .max_retry_count(1000);
    let stream = group_on(&world, EVENTS / 2, &options).await;
    let (told, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
    let workers: Vec<_> = (0..6_usize)
        .map(|worker| {
            let (client, stream, told) = (world.raw.clone(), stream.clone(), told.clone());
            tokio::spawn(async move {
                for life in 0.. {
                    let mut consumer = buffered(&client, &stream, 4).await;
                    for turn in 0..20 {
                        let Ok(event) = tokio::time::timeout(Duration::from_secs(1), consumer.next()).await else {
                            break;
                        };
                        let event = event.unwrap();
                        let id = event.get_original_event().id;
                        match (worker + life + turn) % 7 {
                            0 => consumer.nack(event, NakAction::Retry, "again").await.unwrap(),
                            1 => {}
                            _ => {
                                consumer.ack(event).await.unwrap();
                                told.send(id).unwrap();
                            }
                        }
                    }
                }
            })
        })
        .collect();
    let more = events(EVENTS / 2);
    world.append(&stream, Expected::Any, more.clone()).await;
    let mut done = HashSet::new();
    while done.len() < EVENTS {
        let id = tokio::time::timeout(LIMIT, acknowledged.recv()).await;
        done.insert(id.unwrap_or_else(|_| panic!("stalled after {} events", done.len())).unwrap());
    }
    assert!(new_ids(&more).iter().all(|id| done.contains(id)));
    until(&world.raw, &stream, |stats| stats.last_checkpointed_event_revision == Some(EVENTS as u64 - 1)).await;
    for worker in workers {
        worker.abort();
    }
}

#[tokio::test]
async fn groups_survive_a_restart_of_the_node_with_their_place_and_parked_events() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let client = raw(&node.connection_string());
    let store = event_store::EventStore::connect(&node.connection_string()).unwrap();
    store.append("order-1", Expected::NoStream, events(4)).await.unwrap();
    client.create_persistent_subscription("order-1", GROUP, &from_start().max_retry_count(3)).await.unwrap();
    let mut first = buffered(&client, "order-1", 1).await;
    assert_eq!(work(&mut first, 1).await, [0]);
    let (event, _) = next(&mut first).await;
    first.nack(event, NakAction::Park, "later").await.unwrap();
    until(&client, "order-1", |stats| stats.parked_message_count == 1).await;
    drop((first, client, store));
    node.shutdown().await;

    let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
    let client = raw(&node.connection_string());
    until(&client, "order-1", |stats| stats.parked_message_count == 1).await;
    assert_eq!(shift(&client, "order-1", 2).await, [2, 3]);
    client.replay_parked_messages("order-1", GROUP, &ReplayParkedMessagesOptions::default()).await.unwrap();
    assert_eq!(work(&mut consumer(&client, "order-1").await, 1).await, [1]);
}

//! The answers of consumers about an event, and their effect: the event is retried, parked or
//! skipped, and parked events are delivered again.

use std::time::{Duration, Instant};

use event_store::Expected;
use eventstore::{
    GetPersistentSubscriptionInfoOptions, NakAction, PersistentSubscriptionToAllOptions, ReplayParkedMessagesOptions,
    StreamPosition, SubscribeToPersistentSubscriptionOptions, SubscriptionFilter,
};

use super::persistent::{GROUP, buffered, consumer, from_start, group_on, next, shift, stats, until, work};
use super::support::{LIMIT, events, unique};
use super::world::{World, world};

#[tokio::test]
async fn an_event_to_retry_is_delivered_again_with_the_number_of_retries() {
    let world = world().await;
    let stream = group_on(&world, 1, &from_start().max_retry_count(5)).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    for expected in 0..3 {
        let (event, retries) = next(&mut consumer).await;
        assert_eq!((event.get_original_event().revision, retries), (0, expected));
        consumer.nack(event, NakAction::Retry, "not yet").await.unwrap();
    }
}

#[tokio::test]
async fn an_event_that_was_retried_too_often_is_parked_and_the_next_one_is_delivered() {
    let world = world().await;
    let stream = group_on(&world, 2, &from_start().max_retry_count(2)).await;
    let mut consumer = buffered(&world.raw, &stream, 1).await;
    for _ in 0..3 {
        let (event, _) = next(&mut consumer).await;
        assert_eq!(event.get_original_event().revision, 0);
        consumer.nack(event, NakAction::Retry, "never").await.unwrap();
    }
    assert_eq!(work(&mut consumer, 1).await, [1]);
    until(&world.raw, &stream, |stats| stats.parked_message_count == 1).await;
}

#[tokio::test]
async fn an_event_without_an_answer_in_time_is_delivered_again() {
    let world = world().await;
    let options = from_start().message_timeout(Duration::from_millis(300));
    let stream = group_on(&world, 1, &options).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    assert_eq!(next(&mut consumer).await.1, 0);
    let (event, retries) = next(&mut consumer).await;
    assert_eq!((event.get_original_event().revision, retries), (0, 1));
    consumer.ack(event).await.unwrap();
    until(&world.raw, &stream, |stats| stats.last_checkpointed_event_revision == Some(0)).await;
}

/// Clients collect answers for longer than this short limit, and then send them together.
#[tokio::test]
async fn an_answer_shortly_after_its_time_limit_counts() {
    let world = world().await;
    let stream = group_on(&world, 2, &from_start().message_timeout(Duration::from_millis(50))).await;
    let mut consumer = buffered(&world.raw, &stream, 1).await;
    // The node may check for late events between two answers. If every answer counted as late, it
    // would park the event.
    loop {
        let (event, _) = next(&mut consumer).await;
        if event.get_original_event().revision == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        consumer.ack(event).await.unwrap();
    }
    assert_eq!(stats(&world.raw, &stream).await.parked_message_count, 0);
}

#[tokio::test]
async fn a_parked_event_is_kept_as_a_link_with_the_reason() {
    let world = world().await;
    let stream = group_on(&world, 2, &from_start()).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    let (event, _) = next(&mut consumer).await;
    consumer.nack(event, NakAction::Park, "no such address").await.unwrap();
    assert_eq!(work(&mut consumer, 1).await, [1]);
    until(&world.raw, &stream, |stats| stats.parked_message_count == 1).await;
    let parked = format!("$persistentsubscription-{stream}::{GROUP}-parked");
    let [link] = &world.store.read_stream(&parked, 0, 10).await.unwrap()[..] else { panic!("one link") };
    assert_eq!((link.event_type.as_str(), &link.data[..]), ("$>", format!("0@{stream}").as_bytes()));
    assert!(String::from_utf8_lossy(&link.metadata).contains("no such address"));
}

#[tokio::test]
async fn a_skipped_event_is_neither_retried_nor_parked() {
    let world = world().await;
    let stream = group_on(&world, 2, &from_start()).await;
    let mut consumer = buffered(&world.raw, &stream, 1).await;
    let (event, _) = next(&mut consumer).await;
    consumer.nack(event, NakAction::Skip, "not ours").await.unwrap();
    assert_eq!(work(&mut consumer, 1).await, [1]);
    until(&world.raw, &stream, |stats| stats.last_checkpointed_event_revision == Some(1)).await;
    assert_eq!(stats(&world.raw, &stream).await.parked_message_count, 0);
}

/// As on a server: after `Stop`, the consumer itself has to leave.
#[tokio::test]
async fn a_consumer_that_answers_stop_stays_connected_and_its_event_is_delivered_again() {
    let world = world().await;
    let options = from_start().message_timeout(Duration::from_millis(300));
    let stream = group_on(&world, 2, &options).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    let (event, _) = next(&mut consumer).await;
    assert_eq!(event.get_original_event().revision, 0);
    consumer.nack(event, NakAction::Stop, "broken").await.unwrap();
    assert_eq!(work(&mut consumer, 2).await, [1, 0]);
}

async fn park_all(world: &World, stream: &str, count: usize) {
    let mut consumer = consumer(&world.raw, stream).await;
    for _ in 0..count {
        let (event, _) = next(&mut consumer).await;
        consumer.nack(event, NakAction::Park, "later").await.unwrap();
    }
    until(&world.raw, stream, |stats| stats.parked_message_count == count).await;
}

async fn replay(world: &World, stream: &str, options: &ReplayParkedMessagesOptions) {
    world.raw.replay_parked_messages(stream, GROUP, options).await.unwrap();
}

#[tokio::test]
async fn parked_events_are_delivered_again_on_request() {
    let world = world().await;
    let stream = group_on(&world, 3, &from_start()).await;
    park_all(&world, &stream, 3).await;
    replay(&world, &stream, &ReplayParkedMessagesOptions::default()).await;
    let mut consumer = consumer(&world.raw, &stream).await;
    for expected in 0..3 {
        let (parked, _) = next(&mut consumer).await;
        let event = parked.event.as_ref().unwrap();
        assert_eq!((event.stream_id.as_str(), event.revision), (stream.as_str(), expected));
        let link = parked.link.as_ref().unwrap();
        assert_eq!(link.stream_id, format!("$persistentsubscription-{stream}::{GROUP}-parked"));
        consumer.ack(parked).await.unwrap();
    }
    until(&world.raw, &stream, |stats| stats.parked_message_count == 0).await;
}

#[tokio::test]
async fn only_the_requested_number_of_parked_events_is_delivered() {
    let world = world().await;
    let stream = group_on(&world, 3, &from_start()).await;
    park_all(&world, &stream, 3).await;
    replay(&world, &stream, &ReplayParkedMessagesOptions::default().stop_at(2)).await;
    assert_eq!(shift(&world.raw, &stream, 2).await, [0, 1]);
    until(&world.raw, &stream, |stats| stats.parked_message_count == 1).await;
    replay(&world, &stream, &ReplayParkedMessagesOptions::default()).await;
    assert_eq!(shift(&world.raw, &stream, 1).await, [2]);
}

#[tokio::test]
async fn an_event_may_be_parked_twice() {
    let world = world().await;
    let stream = group_on(&world, 1, &from_start()).await;
    for _ in 0..3 {
        park_all(&world, &stream, 1).await;
        replay(&world, &stream, &ReplayParkedMessagesOptions::default()).await;
    }
    assert_eq!(work(&mut consumer(&world.raw, &stream).await, 1).await, [0]);
}

#[tokio::test]
async fn a_group_on_all_parks_events_and_delivers_them_again() {
    let world = world().await;
    let (group, stream) = (unique("group"), unique("order"));
    let filter = SubscriptionFilter::on_stream_name().add_prefix(&stream);
    let options = PersistentSubscriptionToAllOptions::default().filter(filter).start_from(StreamPosition::Start);
    world.append(&stream, Expected::NoStream, events(1)).await;
    world.raw.create_persistent_subscription_to_all(&group, &options).await.unwrap();
    let subscribe = SubscribeToPersistentSubscriptionOptions::default();
    let mut consumer = world.raw.subscribe_to_persistent_subscription_to_all(&group, &subscribe).await.unwrap();
    let event = tokio::time::timeout(LIMIT, consumer.next()).await.unwrap().unwrap();
    consumer.nack(event, NakAction::Park, "later").await.unwrap();
    let begun = Instant::now();
    let info = GetPersistentSubscriptionInfoOptions::default();
    while world.raw.get_persistent_subscription_info_to_all(&group, &info).await.unwrap().stats.parked_message_count < 1
    {
        assert!(begun.elapsed() < LIMIT, "it was not parked");
    }
    world.raw.replay_parked_messages_to_all(&group, &ReplayParkedMessagesOptions::default()).await.unwrap();
    let event = tokio::time::timeout(LIMIT, consumer.next()).await.unwrap().unwrap();
    assert_eq!(event.event.unwrap().stream_id, stream);
}

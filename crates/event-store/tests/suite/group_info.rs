//! The information about a group and its consumers, and the lists of groups.

use std::collections::HashSet;

use event_store::Expected;
use eventstore::{
    Error, GetPersistentSubscriptionInfoOptions, ListPersistentSubscriptionsOptions, PersistentSubscriptionOptions,
    StreamPosition, SubscribeToPersistentSubscriptionOptions,
};
use tokio::time::timeout;

use super::persistent::{GROUP, buffered, from_start, group_on, next};
use super::support::{LIMIT, events, raw, unique};
use super::world::world;

#[tokio::test]
async fn a_group_reports_how_quickly_its_consumers_answer_and_their_names() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(20)).await;
    let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start).extra_statistics(true);
    let client = raw(&format!("{}&connectionName=packer-7", world.connection_string));
    client.create_persistent_subscription(stream.as_str(), GROUP, &options).await.unwrap();
    let subscribe = SubscribeToPersistentSubscriptionOptions::default();
    let mut consumer = client.subscribe_to_persistent_subscription(stream.as_str(), GROUP, &subscribe).await.unwrap();
    for _ in 0..20 {
        let event = timeout(LIMIT, consumer.next()).await.expect("an event in time").unwrap();
        consumer.ack(event).await.unwrap();
    }
    let options = GetPersistentSubscriptionInfoOptions::default();
    let mut counted = 0;
    let answered = async {
        loop {
            let info = client.get_persistent_subscription_info(stream.as_str(), GROUP, &options).await.unwrap();
            counted += info.stats.count_since_last_measurement;
            if info.stats.total_in_flight_messages == 0 {
                return info;
            }
        }
    };
    let info = timeout(LIMIT, answered).await.expect("all answered in time");
    assert_eq!((info.status.as_str(), info.stats.total_items, counted), ("Live", 20, 20));
    let [connection] = &info.connections[..] else { panic!("one consumer") };
    assert_eq!((connection.connection_name.as_str(), connection.total_items), ("packer-7", 20));
    let time = |name: &str| connection.extra_statistics.get(name).unwrap_or_else(|| panic!("no {name}"));
    assert!(time("Fastest") <= time("Median") && time("Median") <= time("99%") && time("99%") <= time("Highest"));
    assert!(time("Fastest") <= time("Mean") && time("Mean") <= time("Highest"));
}

#[tokio::test]
async fn a_group_reports_its_state() {
    let world = world().await;
    let stream = group_on(&world, 3, &from_start().max_retry_count(9)).await;
    let mut consumer = buffered(&world.raw, &stream, 2).await;
    next(&mut consumer).await;
    next(&mut consumer).await;
    let options = GetPersistentSubscriptionInfoOptions::default();
    let info = world.raw.get_persistent_subscription_info(stream.as_str(), GROUP, &options).await.unwrap();
    assert_eq!((info.event_source.as_str(), info.group_name.as_str(), info.status.as_str()), (&*stream, GROUP, "Live"));
    let [connection] = &info.connections[..] else { panic!("one consumer") };
    assert_eq!((connection.in_flight_messages, connection.available_slots), (2, 0));
    let settings = info.settings.unwrap();
    assert_eq!((settings.max_retry_count, settings.checkpoint_lower_bound), (9, 1));
    assert!(matches!(settings.start_from, StreamPosition::Start));
    assert_eq!(info.stats.total_in_flight_messages, 2);
}

#[tokio::test]
async fn groups_are_listed_by_stream_and_all_together() {
    let world = world().await;
    let stream = group_on(&world, 0, &from_start()).await;
    world.raw.create_persistent_subscription(stream.as_str(), "billing", &from_start()).await.unwrap();
    let options = ListPersistentSubscriptionsOptions::default();
    let listed = world.raw.list_persistent_subscriptions_for_stream(stream.as_str(), &options).await.unwrap();
    let names: HashSet<_> = listed.iter().map(|info| info.group_name.as_str()).collect();
    assert_eq!(names, HashSet::from([GROUP, "billing"]));
    let all = world.raw.list_all_persistent_subscriptions(&options).await.unwrap();
    assert_eq!(all.iter().filter(|info| info.event_source == stream).count(), 2);
}

#[tokio::test]
async fn listing_the_groups_of_a_stream_without_any_is_refused() {
    let world = world().await;
    let options = ListPersistentSubscriptionsOptions::default();
    let listed = world.raw.list_persistent_subscriptions_for_stream(unique("order"), &options).await;
    assert!(matches!(listed, Err(Error::ResourceNotFound)));
}

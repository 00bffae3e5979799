//! What a group says of itself and of its consumers.

use event_store::client::Expected;
use eventstore::{
    GetPersistentSubscriptionInfoOptions, PersistentSubscriptionOptions, StreamPosition,
    SubscribeToPersistentSubscriptionOptions,
};
use tokio::time::timeout;

use super::support::{LIMIT, events, raw, unique, world};

const GROUP: &str = "shipping";

#[tokio::test]
async fn a_group_says_how_quickly_its_consumers_answer_and_what_they_call_themselves() {
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

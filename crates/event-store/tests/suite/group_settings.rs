//! Where a group of consumers begins, which settings it may have, and how it refuses others.

use event_store::Expected;
use eventstore::{
    Client, PersistentSubscriptionOptions, PersistentSubscriptionToAllOptions, Position, StreamPosition,
    SubscribeToPersistentSubscriptionOptions,
};
use tokio::time::timeout;
use tonic::{Code, Status};

use super::grpc;
use super::support::{LIMIT, events, numbered, unique};
use super::wire::{self, CREATE_GROUP, Settings, create_group, settings};
use super::world::{World, world};

/// Appends one event to a stream, and returns its position.
async fn written(world: &World, stream: &str, number: usize) -> Position {
    let at = world.append(stream, Expected::Any, vec![numbered("Happened", number)]).await.position;
    Position { commit: at.commit, prepare: at.prepare }
}

/// The stream and the revision of the first event that a group on `$all` delivers.
async fn first_of(client: &Client, group: &str) -> (String, u64) {
    let options = SubscribeToPersistentSubscriptionOptions::default();
    let mut consumer = client.subscribe_to_persistent_subscription_to_all(group, &options).await.unwrap();
    let event = timeout(LIMIT, consumer.next()).await.expect("an event in time").unwrap();
    let original = event.get_original_event();
    let first = (original.stream_id.clone(), original.revision);
    consumer.ack(event).await.unwrap();
    first
}

#[tokio::test]
async fn a_group_on_all_begins_with_the_event_at_its_position() {
    let world = world().await;
    let (stream, group) = (unique("order"), unique("group"));
    written(&world, &stream, 0).await;
    let failed = written(&world, &stream, 1).await;
    written(&world, &stream, 2).await;
    let options = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Position(failed));
    world.raw.create_persistent_subscription_to_all(&group, &options).await.unwrap();
    assert_eq!(first_of(&world.raw, &group).await, (stream, 1));
}

#[tokio::test]
async fn a_group_on_all_begins_with_the_event_at_the_position_to_which_it_is_moved() {
    let world = world().await;
    let (stream, group) = (unique("order"), unique("group"));
    let failed = written(&world, &stream, 0).await;
    written(&world, &stream, 1).await;
    let options = PersistentSubscriptionToAllOptions::default();
    let from_end = options.clone().start_from(StreamPosition::End);
    world.raw.create_persistent_subscription_to_all(&group, &from_end).await.unwrap();
    let moved = options.start_from(StreamPosition::Position(failed));
    world.raw.update_persistent_subscription_to_all(&group, &moved).await.unwrap();
    assert_eq!(first_of(&world.raw, &group).await, (stream, 0));
}

async fn refused(world: &World, settings: Settings, position: wire::Position) -> Status {
    let channel = grpc::channel(&world.connection_string).await;
    let group = unique("group");
    let status = grpc::call::<_, ()>(&channel, CREATE_GROUP, create_group(&group, settings, position)).await;
    let status = status.unwrap_err();
    // Servers answer with this code. According to their documentation it is an invalid argument.
    assert!([Code::Internal, Code::InvalidArgument].contains(&status.code()), "{status:?}");
    assert_eq!(status.metadata().get("exception").unwrap(), "persistent-subscription-failed");
    assert_eq!(status.metadata().get("group-name").unwrap(), group.as_str());
    status
}

#[tokio::test]
async fn a_group_beyond_the_end_of_the_log_is_refused_with_the_reason() {
    let world = world().await;
    let status = refused(&world, settings(), wire::Position { commit: 1 << 40, prepare: 1 << 40 }).await;
    assert!(status.metadata().contains_key("reason"), "{status:?}");
}

#[tokio::test]
async fn a_position_whose_prepare_is_beyond_its_commit_is_refused() {
    let world = world().await;
    refused(&world, settings(), wire::Position { commit: 1, prepare: 2 }).await;
}

#[tokio::test]
async fn an_unknown_strategy_and_a_history_buffer_without_room_are_refused_with_the_reason() {
    let world = world().await;
    let start = wire::Position { commit: 0, prepare: 0 };
    let unknown = refused(&world, Settings { strategy: "Nearest".into(), ..settings() }, start.clone()).await;
    assert!(unknown.message().contains("Nearest"), "{unknown:?}");
    let small = Settings { history_buffer_size: 20, read_batch_size: 20, ..settings() };
    refused(&world, small, start).await;
}

#[tokio::test]
async fn a_group_may_write_a_checkpoint_for_each_event_whatever_its_lower_bound() {
    let world = world().await;
    let (stream, group) = (unique("order"), "shipping");
    world.append(&stream, Expected::NoStream, events(1)).await;
    let options = PersistentSubscriptionOptions::default()
        .start_from(StreamPosition::Start)
        .checkpoint_lower_bound(10)
        .checkpoint_upper_bound(1);
    world.raw.create_persistent_subscription(stream.as_str(), group, &options).await.unwrap();
    let options = SubscribeToPersistentSubscriptionOptions::default();
    let mut consumer = world.raw.subscribe_to_persistent_subscription(stream.as_str(), group, &options).await.unwrap();
    let event = timeout(LIMIT, consumer.next()).await.unwrap().unwrap();
    consumer.ack(event).await.unwrap();
    let checkpointed = async {
        let checkpoint = format!("$persistentsubscription-{stream}::{group}-checkpoint");
        while world.store.read_stream(&checkpoint, 0, 1).await.is_ok_and(|read| read.is_empty()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, checkpointed).await.expect("a checkpoint in time");
}

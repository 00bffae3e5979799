//! Streams that are deleted, with or without the chance to write them again, and what their
//! metadata hides.

use event_store::{AppendError, Expected, ReadError};
use eventstore::{
    AppendToStreamOptions, DeleteStreamOptions, Error, ExpectedRevision, StreamMetadataBuilder, StreamPosition,
    SubscribeToStreamOptions, TombstoneStreamOptions,
};

use super::support::{events, unique};
use super::world::world;

#[tokio::test]
async fn a_deleted_stream_reads_like_one_that_never_existed() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    world.raw.delete_stream(stream.as_str(), &DeleteStreamOptions::default()).await.unwrap();
    assert!(world.store.read_stream(&stream, 0, 10).await.unwrap().is_empty());
    assert!(world.store.read_stream_backwards(&stream, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deleted_stream_may_be_written_again_and_its_revisions_continue() {
    let world = world().await;
    for expected in [Expected::NoStream, Expected::Any, Expected::Revision(2)] {
        let stream = unique("order");
        world.append(&stream, Expected::NoStream, events(3)).await;
        world.raw.delete_stream(stream.as_str(), &DeleteStreamOptions::default()).await.unwrap();
        assert_eq!(world.append(&stream, expected, events(2)).await.revision, 4, "{expected}");
        let revisions: Vec<_> =
            world.store.read_stream(&stream, 0, 10).await.unwrap().into_iter().map(|event| event.revision).collect();
        assert_eq!(revisions, [3, 4], "{expected}");
    }
}

#[tokio::test]
async fn a_deleted_stream_does_not_count_as_existing() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(1)).await;
    world.raw.delete_stream(stream.as_str(), &DeleteStreamOptions::default()).await.unwrap();
    let refused = world.store.append(&stream, Expected::Exists, events(1)).await;
    assert_eq!(refused, Err(AppendError::StreamDeleted(stream)));
}

#[tokio::test]
async fn a_delete_that_expects_another_revision_is_refused() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    let options = DeleteStreamOptions::default().expected_revision(ExpectedRevision::Exact(1));
    let refused = world.raw.delete_stream(stream.as_str(), &options).await;
    assert!(
        matches!(&refused, Err(Error::Grpc { message, .. }) if message.contains("WrongExpectedVersion")),
        "{refused:?}"
    );
    assert_eq!(world.store.read_stream(&stream, 0, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_stream_that_never_existed_cannot_be_deleted_but_it_can_be_tombstoned() {
    let world = world().await;
    for expected in [ExpectedRevision::Any, ExpectedRevision::NoStream, ExpectedRevision::StreamExists] {
        let options = DeleteStreamOptions::default().expected_revision(expected);
        let refused = world.raw.delete_stream(unique("order").as_str(), &options).await;
        assert!(
            matches!(&refused, Err(Error::Grpc { message, .. }) if message.ends_with("Actual version: -1")),
            "{refused:?}"
        );
    }
    let stream = unique("order");
    world.raw.tombstone_stream(stream.as_str(), &TombstoneStreamOptions::default()).await.unwrap();
    let refused = world.store.append(&stream, Expected::NoStream, events(1)).await;
    assert_eq!(refused, Err(AppendError::StreamDeleted(stream)));
}

#[tokio::test]
async fn a_deleted_stream_may_be_deleted_again() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    for expected in [ExpectedRevision::Exact(2), ExpectedRevision::Any, ExpectedRevision::NoStream] {
        let options = DeleteStreamOptions::default().expected_revision(expected);
        world.raw.delete_stream(stream.as_str(), &options).await.unwrap();
    }
    assert!(world.store.read_stream(&stream, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tombstoned_stream_can_be_neither_read_nor_written() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    world.raw.tombstone_stream(stream.as_str(), &TombstoneStreamOptions::default()).await.unwrap();
    let read = world.store.read_stream(&stream, 0, 10).await;
    assert_eq!(read, Err(ReadError::StreamDeleted(stream.clone())));
    for expected in [Expected::Any, Expected::NoStream, Expected::Revision(2), Expected::Exists] {
        let refused = world.store.append(&stream, expected, events(1)).await;
        assert_eq!(refused, Err(AppendError::StreamDeleted(stream.clone())), "{expected}");
    }
}

#[tokio::test]
async fn a_subscriber_receives_an_error_when_its_stream_was_tombstoned() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(1)).await;
    let mut subscription = world
        .raw
        .subscribe_to_stream(stream.as_str(), &SubscribeToStreamOptions::default().start_from(StreamPosition::Start))
        .await;
    subscription.next().await.unwrap();
    world.raw.tombstone_stream(stream.as_str(), &TombstoneStreamOptions::default()).await.unwrap();
    assert!(matches!(subscription.next().await, Err(Error::ResourceDeleted)));
}

#[tokio::test]
async fn metadata_hides_the_events_before_a_revision() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(10)).await;
    let metadata = StreamMetadataBuilder::new().truncate_before(7).build();
    world.raw.set_stream_metadata(stream.as_str(), &AppendToStreamOptions::default(), &metadata).await.unwrap();
    let read = world.store.read_stream(&stream, 0, 100).await.unwrap();
    assert_eq!(read.iter().map(|event| event.revision).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!(world.store.read_stream_backwards(&stream, 100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn metadata_hides_all_but_the_last_events() {
    let world = world().await;
    let stream = unique("order");
    let metadata = StreamMetadataBuilder::new().max_count(2).build();
    world.raw.set_stream_metadata(stream.as_str(), &AppendToStreamOptions::default(), &metadata).await.unwrap();
    world.append(&stream, Expected::NoStream, events(10)).await;
    world.append(&stream, Expected::Any, events(1)).await;
    let read = world.store.read_stream(&stream, 0, 100).await.unwrap();
    assert_eq!(read.iter().map(|event| event.revision).collect::<Vec<_>>(), [9, 10]);
}

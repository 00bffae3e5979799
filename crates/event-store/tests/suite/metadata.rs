//! A stream's metadata, and its effect on readers.

use std::time::{Duration, Instant};

use event_store::{Expected, ReadError, StreamLimits};
use eventstore::{
    AppendToStreamOptions, DeleteStreamOptions, Error, EventData, ExpectedRevision, ReadStreamOptions,
    StreamAclBuilder, StreamMetadata, StreamMetadataBuilder, StreamMetadataResult, StreamPosition,
    TombstoneStreamOptions,
};

use super::support::{LIMIT, all_of, events, unique};
use super::world::{World, world};

async fn set_metadata(world: &World, stream: &str, metadata: &StreamMetadata) {
    let options = AppendToStreamOptions::default();
    world.raw.set_stream_metadata(stream, &options, metadata).await.unwrap();
}

async fn metadata_of(world: &World, stream: &str) -> Option<StreamMetadata> {
    match world.raw.get_stream_metadata(stream, &ReadStreamOptions::default()).await.unwrap() {
        StreamMetadataResult::Success(metadata) => Some(metadata.metadata().clone()),
        StreamMetadataResult::NotFound => None,
        StreamMetadataResult::Deleted => panic!("deleted"),
    }
}

/// Sets metadata to exactly this text. The client would write it in its own form.
async fn set_metadata_text(world: &World, stream: &str, metadata: &'static str) {
    let event = EventData::json("$metadata", &serde_json::from_str::<serde_json::Value>(metadata).unwrap()).unwrap();
    let options = AppendToStreamOptions::default();
    world.raw.append_to_stream(format!("$${stream}"), &options, event).await.unwrap();
}

async fn revisions(world: &World, stream: &str) -> Vec<u64> {
    world.store.read_stream(stream, 0, 100).await.unwrap().into_iter().map(|event| event.revision).collect()
}

#[tokio::test]
async fn metadata_is_read_back_as_it_was_set() {
    let world = world().await;
    let stream = unique("order");
    assert_eq!(metadata_of(&world, &stream).await, None);
    let acl = StreamAclBuilder::new().add_read_roles("ops").add_write_roles("shop").add_write_roles("ops").build();
    let metadata = StreamMetadataBuilder::new()
        .max_count(100)
        .max_age(Duration::from_hours(1))
        .truncate_before(5)
        .cache_control(Duration::from_secs(15))
        .acl(eventstore::Acl::Stream(acl))
        .insert_custom_property("owner", "sales")
        .build();
    set_metadata(&world, &stream, &metadata).await;
    assert_eq!(metadata_of(&world, &stream).await, Some(metadata));
}

#[tokio::test]
async fn only_the_last_metadata_counts() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(5)).await;
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().truncate_before(3).build()).await;
    assert_eq!(revisions(&world, &stream).await, [3, 4]);
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().max_count(4).build()).await;
    assert_eq!(revisions(&world, &stream).await, [1, 2, 3, 4]);
    set_metadata(&world, &stream, &StreamMetadata::default()).await;
    assert_eq!(revisions(&world, &stream).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn the_narrowest_of_several_limits_counts() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(5)).await;
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().truncate_before(1).max_count(2).build()).await;
    assert_eq!(revisions(&world, &stream).await, [3, 4]);
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().truncate_before(4).max_count(3).build()).await;
    assert_eq!(revisions(&world, &stream).await, [4]);
}

#[tokio::test]
async fn the_visible_window_of_a_stream_moves_with_appends() {
    let world = world().await;
    let stream = unique("order");
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().max_count(2).build()).await;
    for last in 0..4_u64 {
        world.append(&stream, Expected::Any, events(1)).await;
        assert_eq!(revisions(&world, &stream).await, (last.saturating_sub(1)..=last).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn events_older_than_the_maximum_age_are_hidden() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    // The client writes milliseconds; the server reads seconds.
    set_metadata_text(&world, &stream, r#"{"$maxAge":2}"#).await;
    let begun = Instant::now();
    while !revisions(&world, &stream).await.is_empty() {
        assert!(begun.elapsed() < LIMIT, "the events did not expire");
    }
    let appended = world.append(&stream, Expected::Revision(2), events(1)).await;
    assert_eq!(appended.revision, 3);
    assert_eq!(revisions(&world, &stream).await, [3]);
    let last = world.store.read_stream_backwards(&stream, 10).await.unwrap();
    assert_eq!(last.iter().map(|event| event.revision).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn events_younger_than_the_maximum_age_are_visible() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().max_age(Duration::from_hours(1)).build()).await;
    assert_eq!(revisions(&world, &stream).await, [0, 1, 2]);
}

#[tokio::test]
async fn events_hidden_in_their_stream_are_still_in_all() {
    let world = world().await;
    let stream = unique("order");
    let first = world.append(&stream, Expected::NoStream, events(1)).await.position;
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().truncate_before(10).build()).await;
    assert!(revisions(&world, &stream).await.is_empty());
    let from = eventstore::Position { commit: first.commit, prepare: first.prepare };
    let options = eventstore::ReadAllOptions::default().position(StreamPosition::Position(from)).max_count(1);
    let [event] = &all_of(world.raw.read_all(&options).await.unwrap()).await.unwrap()[..] else { panic!("one event") };
    assert_eq!(event.stream_id, stream);
}

#[tokio::test]
async fn a_stream_that_hides_all_of_its_events_still_exists() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(2)).await;
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().truncate_before(2).build()).await;
    let reading = world.raw.read_stream(stream.as_str(), &ReadStreamOptions::default()).await.unwrap();
    assert!(all_of(reading).await.unwrap().is_empty());
    assert_eq!(world.append(&stream, Expected::Revision(1), events(1)).await.revision, 2);
}

#[tokio::test]
async fn of_the_metadata_stream_only_the_last_event_is_visible() {
    let world = world().await;
    let stream = unique("order");
    for count in 1..=3 {
        set_metadata(&world, &stream, &StreamMetadataBuilder::new().max_count(count).build()).await;
    }
    assert_eq!(revisions(&world, &format!("$${stream}")).await, [2]);
}

#[tokio::test]
async fn metadata_has_its_own_expected_revision() {
    let world = world().await;
    let stream = unique("order");
    let metadata = StreamMetadataBuilder::new().max_count(1).build();
    let none = AppendToStreamOptions::default().expected_revision(ExpectedRevision::NoStream);
    world.raw.set_stream_metadata(stream.as_str(), &none, &metadata).await.unwrap();
    let again = world.raw.set_stream_metadata(stream.as_str(), &none, &StreamMetadata::default()).await;
    assert!(matches!(again, Err(Error::WrongExpectedVersion { .. })), "{again:?}");
    let first = AppendToStreamOptions::default().expected_revision(ExpectedRevision::Exact(0));
    world.raw.set_stream_metadata(stream.as_str(), &first, &StreamMetadata::default()).await.unwrap();
}

#[tokio::test]
async fn metadata_may_be_set_before_the_stream_begins() {
    let world = world().await;
    let stream = unique("order");
    set_metadata(&world, &stream, &StreamMetadataBuilder::new().max_count(1).build()).await;
    world.append(&stream, Expected::NoStream, events(3)).await;
    assert_eq!(revisions(&world, &stream).await, [2]);
}

#[tokio::test]
async fn metadata_with_a_value_of_the_wrong_kind_hides_nothing() {
    let world = world().await;
    for wrong in [
        r#"{"$tb":2,"$maxCount":"1"}"#,
        r#"{"$tb":2,"$maxAge":0.5}"#,
        r#"{"$tb":9223372036854775808}"#,
        r#"{"$tb":2,"$acl":"ops"}"#,
    ] {
        let stream = unique("order");
        world.append(&stream, Expected::NoStream, events(3)).await;
        set_metadata_text(&world, &stream, wrong).await;
        assert_eq!(revisions(&world, &stream).await, [0, 1, 2], "{wrong}");
    }
}

#[tokio::test]
async fn an_invalid_limit_hides_nothing() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    set_metadata_text(&world, &stream, r#"{"$maxCount":0,"$maxAge":-1,"$tb":1}"#).await;
    assert_eq!(revisions(&world, &stream).await, [1, 2]);
}

#[tokio::test]
async fn the_limits_distinguish_a_deleted_stream_from_one_that_never_existed() {
    let world = world().await;
    let [never, whole, deleted, limited, tombstoned] = [(); 5].map(|()| unique("order"));
    for stream in [&whole, &deleted, &limited, &tombstoned] {
        world.append(stream, Expected::NoStream, events(3)).await;
    }
    set_metadata(&world, &whole, &StreamMetadataBuilder::new().insert_custom_property("owner", "sales").build()).await;
    world.raw.delete_stream(deleted.as_str(), &DeleteStreamOptions::default()).await.unwrap();
    set_metadata(&world, &limited, &StreamMetadataBuilder::new().max_count(1).build()).await;
    set_metadata(&world, &limited, &StreamMetadataBuilder::new().max_count(2).truncate_before(1).build()).await;
    world.raw.tombstone_stream(tombstoned.as_str(), &TombstoneStreamOptions::default()).await.unwrap();

    let limits = async |stream: &str| world.store.stream_limits(stream).await;
    assert_eq!(limits(&never).await, Ok(StreamLimits::default()));
    assert_eq!(limits(&whole).await, Ok(StreamLimits::default()));
    assert!(limits(&deleted).await.unwrap().is_deleted());
    let expected = StreamLimits { truncate_before: Some(1), max_count: Some(2), max_age: None };
    assert_eq!(limits(&limited).await, Ok(expected));
    assert_eq!(limits(&tombstoned).await, Err(ReadError::StreamDeleted(tombstoned.clone())));
}

#[tokio::test]
async fn checking_the_right_to_append_leaves_no_event() {
    let world = world().await;
    let (never, there) = (unique("order"), unique("order"));
    world.append(&there, Expected::NoStream, events(1)).await;
    for stream in [&never, &there] {
        assert_eq!(world.store.may_append(stream).await, Ok(()));
    }
    assert_eq!((revisions(&world, &never).await, revisions(&world, &there).await), (vec![], vec![0]));
}

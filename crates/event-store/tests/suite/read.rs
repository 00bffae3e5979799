//! Reading one stream.

use chrono::{TimeDelta, Utc};
use event_store::Expected;
use eventstore::{Error, ReadEvent, ReadStreamOptions, StreamPosition};

use super::support::{events, ids, new_ids, unique};
use super::world::world;

#[tokio::test]
async fn a_stream_that_does_not_exist_has_no_events() {
    let world = world().await;
    assert!(world.store.read_stream(&unique("order"), 0, 10).await.unwrap().is_empty());
    assert!(world.store.read_stream_backwards(&unique("order"), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_client_that_asks_for_a_missing_stream_gets_a_clear_error() {
    let world = world().await;
    let mut reading = world.raw.read_stream(unique("order"), &ReadStreamOptions::default()).await.unwrap();
    assert!(matches!(reading.next().await, Err(Error::ResourceNotFound)));
}

#[tokio::test]
async fn reading_forwards_begins_with_the_named_revision() {
    let world = world().await;
    let stream = unique("order");
    let new = events(10);
    world.append(&stream, Expected::NoStream, new.clone()).await;
    assert_eq!(ids(&world.store.read_stream(&stream, 3, 4).await.unwrap()), new_ids(&new)[3..7]);
    assert_eq!(ids(&world.store.read_stream(&stream, 8, 4).await.unwrap()), new_ids(&new)[8..]);
    assert!(world.store.read_stream(&stream, 0, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn reading_beyond_the_end_gives_nothing() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(2)).await;
    assert!(world.store.read_stream(&stream, 2, 10).await.unwrap().is_empty());
    assert!(world.store.read_stream(&stream, 1_000_000, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn reading_backwards_begins_at_the_end() {
    let world = world().await;
    let stream = unique("order");
    let new = events(10);
    world.append(&stream, Expected::NoStream, new.clone()).await;
    let mut expected = new_ids(&new);
    expected.reverse();
    assert_eq!(ids(&world.store.read_stream_backwards(&stream, 3).await.unwrap()), expected[..3]);
    assert_eq!(ids(&world.store.read_stream_backwards(&stream, 100).await.unwrap()), expected);
}

#[tokio::test]
async fn a_long_stream_is_read_whole_and_in_order_both_ways() {
    let world = world().await;
    let stream = unique("order");
    let new = events(1000);
    for part in new.chunks(100) {
        world.append(&stream, Expected::Any, part.to_vec()).await;
    }
    let mut expected = new_ids(&new);
    assert_eq!(ids(&world.store.read_stream(&stream, 0, 5000).await.unwrap()), expected);
    assert_eq!(world.store.read_stream(&stream, 0, 700).await.unwrap().len(), 700);
    expected.reverse();
    assert_eq!(ids(&world.store.read_stream_backwards(&stream, 5000).await.unwrap()), expected);
}

#[tokio::test]
async fn reading_backwards_from_a_revision_includes_it() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(5)).await;
    let options = ReadStreamOptions::default().position(StreamPosition::Position(2)).backwards();
    let mut reading = world.raw.read_stream(stream, &options).await.unwrap();
    let mut revisions = Vec::new();
    while let Some(resolved) = reading.next().await.unwrap() {
        revisions.push(resolved.get_original_event().revision);
    }
    assert_eq!(revisions, [2, 1, 0]);
}

#[tokio::test]
async fn a_read_reports_where_the_stream_ends() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(5)).await;
    let mut reading = world.raw.read_stream(stream, &ReadStreamOptions::default().max_count(2)).await.unwrap();
    let mut last = None;
    while let Some(message) = reading.next_read_event().await.unwrap() {
        if let ReadEvent::LastStreamPosition(revision) = message {
            last = Some(revision);
        }
    }
    assert_eq!(last, Some(4));
}

#[tokio::test]
async fn an_event_has_the_time_of_its_recording() {
    let world = world().await;
    let stream = unique("order");
    let before = Utc::now();
    world.append(&stream, Expected::NoStream, events(1)).await;
    let created = world.store.read_stream(&stream, 0, 1).await.unwrap()[0].created;
    assert!(created > before - TimeDelta::seconds(5) && created < Utc::now() + TimeDelta::seconds(5), "{created}");
    assert_ne!(created.timestamp_subsec_micros(), 0, "the fraction of the second was lost");
}

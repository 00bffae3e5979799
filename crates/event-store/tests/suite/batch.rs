//! Many appends on one call, as other clients make them.

use event_store::Expected;
use eventstore::{BatchAppendOptions, Error, EventData, ExpectedRevision};
use futures::future::join_all;
use tonic::Code;
use uuid::Uuid;

use super::support::{events, unique};
use super::world::world;

fn data(count: usize) -> Vec<EventData> {
    (0..count).map(|number| EventData::json("Happened", &number).unwrap().id(Uuid::new_v4())).collect()
}

#[tokio::test]
async fn many_appends_share_one_call() {
    let world = world().await;
    let batch = world.raw.batch_append(&BatchAppendOptions::default()).await.unwrap();
    let streams: Vec<_> = (0..300).map(|_| unique("order")).collect();
    let appends = streams.iter().map(|stream| batch.append_to_stream(stream, ExpectedRevision::NoStream, data(3)));
    for written in join_all(appends).await {
        let written = written.unwrap();
        assert_eq!(written.current_revision(), Some(2));
        assert!(written.current_position().is_some());
    }
    for stream in streams.iter().step_by(50) {
        assert_eq!(world.store.read_stream(stream, 0, 10).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn appends_to_one_stream_are_made_in_arrival_order() {
    let world = world().await;
    let batch = world.raw.batch_append(&BatchAppendOptions::default()).await.unwrap();
    let stream = unique("order");
    let appends = (0..200_u64).map(|number| {
        let expected = number.checked_sub(1).map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
        batch.append_to_stream(&stream, expected, data(1))
    });
    for written in join_all(appends).await {
        written.unwrap();
    }
    assert_eq!(world.store.read_stream(&stream, 0, 1000).await.unwrap().len(), 200);
}

#[tokio::test]
async fn a_conflict_is_reported_by_name() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(1)).await;
    let batch = world.raw.batch_append(&BatchAppendOptions::default()).await.unwrap();
    let refused = batch.append_to_stream(&stream, ExpectedRevision::NoStream, data(1)).await;
    assert!(
        matches!(&refused, Err(Error::Grpc { code: Code::AlreadyExists, message }) if message == "WrongExpectedVersion"),
        "{refused:?}"
    );
}

//! The form of refusals on the network, where clients rely on more than the code.

use std::time::Duration;

use event_store::Expected;
use futures::future::poll_fn;
use prost::Message;
use tokio::time::timeout;

use super::grpc::{self, begin, connection, framed};
use super::support::{LIMIT, events, unique};
use super::wire::{
    self, AboutStream, AboutStreamOptions, BATCH_APPEND, BatchAppendReq, BatchAppendResp, BatchOptions, Moment, READ,
    TOMBSTONE,
};
use super::world::{World, world};

fn address(world: &World) -> String {
    world.connection_string.trim_start_matches("esdb://").split('?').next().unwrap().to_owned()
}

/// Sends some messages of one append, and returns the first answer.
async fn batch_answer(world: &World, messages: &[BatchAppendReq]) -> BatchAppendResp {
    let mut sender = connection(&address(world)).await.unwrap();
    let (answer, mut body) = begin(&mut sender, BATCH_APPEND);
    for message in messages {
        let bytes = framed(message);
        let mut rest = bytes;
        while !rest.is_empty() {
            body.reserve_capacity(rest.len());
            let room = timeout(LIMIT, poll_fn(|context| body.poll_capacity(context))).await.unwrap().unwrap().unwrap();
            body.send_data(rest.split_to(room.min(rest.len())), false).unwrap();
        }
    }
    let mut answer = timeout(LIMIT, answer).await.unwrap().unwrap().into_body();
    let mut read = Vec::new();
    loop {
        let piece = timeout(LIMIT, answer.data()).await.expect("an answer in time").unwrap().unwrap();
        read.extend_from_slice(&piece);
        if let Some((head, rest)) = read.split_first_chunk::<5>()
            && rest.len() >= u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize
        {
            return BatchAppendResp::decode(rest).unwrap();
        }
    }
}

fn options(stream: &str) -> BatchOptions {
    BatchOptions { stream: Some(wire::stream(stream)), any: Some(()), ..BatchOptions::default() }
}

#[tokio::test]
async fn the_refusal_of_a_batched_append_after_its_first_message_names_its_id_and_stream() {
    let world = world().await;
    let (stream, id) = (unique("order"), Some(wire::new_id()));
    // Together larger than the server's limit for an append: 1 MiB, and since 25.1 16 MiB for an
    // event and more for an append.
    let part = || BatchAppendReq { id: id.clone(), events: vec![wire::event(900_000)], ..BatchAppendReq::default() };
    let mut messages = vec![BatchAppendReq { options: Some(options(&stream)), events: vec![], ..part() }];
    messages.extend((0..80).map(|_| part()));
    let answer = batch_answer(&world, &messages).await;
    assert!(answer.error.is_some(), "{answer:?}");
    assert_eq!((answer.id, answer.stream), (id, Some(wire::stream(&stream))));
}

#[tokio::test]
async fn the_refusal_of_a_wrong_event_later_in_a_batched_append_names_its_id_and_stream() {
    let world = world().await;
    let (stream, id) = (unique("order"), Some(wire::new_id()));
    let first = BatchAppendReq { id: id.clone(), options: Some(options(&stream)), ..BatchAppendReq::default() };
    let nameless = wire::Event { properties: [].into(), ..wire::event(1) };
    let wrong = BatchAppendReq { id: id.clone(), events: vec![nameless], is_final: true, ..BatchAppendReq::default() };
    let answer = batch_answer(&world, &[first, wrong]).await;
    assert!(answer.error.is_some(), "{answer:?}");
    assert_eq!((answer.id, answer.stream), (id, Some(wire::stream(&stream))));
}

#[tokio::test]
async fn a_batched_append_whose_deadline_has_passed_on_arrival_is_not_written() {
    let world = world().await;
    for late in [
        BatchOptions { until: Some(Moment { seconds: 1, nanos: 0 }), ..BatchOptions::default() },
        BatchOptions { within: Some(Moment { seconds: 0, nanos: 0 }), ..BatchOptions::default() },
    ] {
        let (stream, id) = (unique("order"), Some(wire::new_id()));
        let options = Some(BatchOptions { stream: Some(wire::stream(&stream)), any: Some(()), ..late });
        let events = vec![wire::event(1)];
        let answer = batch_answer(&world, &[BatchAppendReq { id: id.clone(), options, events, is_final: true }]).await;
        assert_eq!(answer.error.as_ref().map(|error| error.message.as_str()), Some("Timeout"), "{answer:?}");
        assert_eq!((answer.id, answer.stream), (id, Some(wire::stream(&stream))));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(world.store.read_stream(&stream, 0, 1).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_read_that_is_refused_before_any_message_is_answered_by_trailers_only() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(1)).await;
    let channel = grpc::channel(&world.connection_string).await;
    let any = AboutStreamOptions { stream: Some(wire::stream(&stream)), any: Some(()) };
    grpc::call::<_, ()>(&channel, TOMBSTONE, AboutStream { options: Some(any) }).await.unwrap();

    let mut sender = connection(&address(&world)).await.unwrap();
    let (answer, mut body) = begin(&mut sender, READ);
    body.send_data(framed(&wire::read(&stream)), true).unwrap();
    let answer = timeout(LIMIT, answer).await.unwrap().unwrap();
    assert_eq!(answer.headers().get("exception").unwrap(), "stream-deleted");
    assert!(answer.headers().contains_key("grpc-status"));
    assert!(answer.body().is_end_stream());
}

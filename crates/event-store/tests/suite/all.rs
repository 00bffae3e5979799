//! Reading `$all`.

use event_store::{Expected, Position};
use eventstore::{ReadAllOptions, StreamPosition};

use super::support::{all_of, events, unique};
use super::world::{World, world};

fn at(position: Position) -> StreamPosition<eventstore::Position> {
    StreamPosition::Position(eventstore::Position { commit: position.commit, prepare: position.prepare })
}

/// Three streams with three appends of two events each, and the positions of the appends.
async fn written(world: &World) -> (Vec<String>, Vec<Position>) {
    let streams: Vec<_> = (0..3).map(|_| unique("order")).collect();
    let mut positions = Vec::new();
    for _ in 0..3 {
        for stream in &streams {
            positions.push(world.append(stream, Expected::Any, events(2)).await.position);
        }
    }
    (streams, positions)
}

#[tokio::test]
async fn events_of_all_streams_are_in_the_order_of_their_positions() {
    let world = world().await;
    let (streams, positions) = written(&world).await;
    let options = ReadAllOptions::default().position(at(positions[0])).forwards();
    let read = all_of(world.raw.read_all(&options).await.unwrap()).await.unwrap();
    let read: Vec<_> = read.into_iter().filter(|event| streams.contains(&event.stream_id)).collect();
    assert!(read.is_sorted_by(|a, b| a.position < b.position));
    let seen: Vec<_> = read.iter().map(|event| event.position.commit).collect();
    assert!(positions.iter().all(|position| seen.contains(&position.commit)));
    // The first append's first event has an earlier position than the one that the append reported.
    assert_eq!(read.len(), 17);
}

#[tokio::test]
async fn backwards_is_the_reverse_of_forwards() {
    let world = world().await;
    let (streams, positions) = written(&world).await;
    let of_ours = |events: Vec<eventstore::RecordedEvent>| -> Vec<_> {
        events.into_iter().filter(|e| streams.contains(&e.stream_id)).map(|e| e.position.commit).collect()
    };
    let forwards = ReadAllOptions::default().position(at(positions[2])).forwards();
    let mut there = of_ours(all_of(world.raw.read_all(&forwards).await.unwrap()).await.unwrap());
    let backwards = ReadAllOptions::default().position(StreamPosition::End).backwards().max_count(10_000);
    let back = of_ours(all_of(world.raw.read_all(&backwards).await.unwrap()).await.unwrap());
    there.reverse();
    assert_eq!(there[..], back[..there.len()]);
}

#[tokio::test]
async fn a_position_is_included_forwards_and_left_out_backwards() {
    let world = world().await;
    let (_, positions) = written(&world).await;
    let forwards = ReadAllOptions::default().position(at(positions[4])).forwards().max_count(1);
    let there = all_of(world.raw.read_all(&forwards).await.unwrap()).await.unwrap();
    assert_eq!(there[0].position.commit, positions[4].commit);
    let backwards = ReadAllOptions::default().position(at(positions[4])).backwards().max_count(1);
    let back = all_of(world.raw.read_all(&backwards).await.unwrap()).await.unwrap();
    assert!(back[0].position.commit < positions[4].commit);
}

#[tokio::test]
async fn a_read_returns_no_more_events_than_requested() {
    let world = world().await;
    written(&world).await;
    for count in [1, 3, 10] {
        let options = ReadAllOptions::default().position(StreamPosition::End).backwards().max_count(count);
        assert_eq!(all_of(world.raw.read_all(&options).await.unwrap()).await.unwrap().len(), count);
    }
}

#[tokio::test]
async fn the_head_is_the_position_of_the_last_event() {
    let world = world().await;
    let appended = world.append(&unique("order"), Expected::NoStream, events(3)).await;
    assert!(world.store.head().await.unwrap() >= Some(appended.position));
}

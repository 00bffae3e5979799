//! Appending: expected revisions, repeats, limits.

use bytes::Bytes;
use event_store::{AppendError, Expected, NewEvent};
use futures::future::join_all;
use uuid::Uuid;

use super::support::{event, events, ids, new_ids, unique};
use super::world::world;

fn conflict(outcome: Result<impl std::fmt::Debug, AppendError>) -> Option<u64> {
    match outcome.expect_err("the append should have been refused") {
        AppendError::WrongExpectedRevision { actual, .. } => actual,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_first_append_begins_a_stream_at_revision_zero() {
    let world = world().await;
    let stream = unique("order");
    let appended = world.append(&stream, Expected::NoStream, vec![event("OrderPlaced")]).await;
    assert_eq!(appended.revision, 0);
    let read = world.store.read_stream(&stream, 0, 10).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!((read[0].stream.as_str(), read[0].revision), (stream.as_str(), 0));
}

#[tokio::test]
async fn the_events_of_one_append_have_consecutive_revisions() {
    let world = world().await;
    let stream = unique("order");
    let new = events(5);
    let appended = world.append(&stream, Expected::NoStream, new.clone()).await;
    assert_eq!(appended.revision, 4);
    let read = world.store.read_stream(&stream, 0, 10).await.unwrap();
    assert_eq!(ids(&read), new_ids(&new));
    assert_eq!(read.iter().map(|event| event.revision).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn each_append_has_a_later_position_than_the_one_before() {
    let world = world().await;
    let mut last = None;
    for _ in 0..5 {
        let appended = world.append(&unique("order"), Expected::NoStream, events(2)).await;
        assert!(Some(appended.position) > last);
        last = Some(appended.position);
    }
}

#[tokio::test]
async fn events_are_read_back_byte_for_byte() {
    let world = world().await;
    let stream = unique("order");
    let new = NewEvent {
        id: Uuid::new_v4(),
        event_type: "Größe".into(),
        data: Bytes::from_static("{ \"amount\" : 14.00, \"city\":\"Zürich\" }".as_bytes()),
        metadata: Bytes::from_static(b"{\"$correlationId\" : \"x\"}"),
    };
    world.append(&stream, Expected::Any, vec![new.clone()]).await;
    let read = world.store.read_stream(&stream, 0, 1).await.unwrap().remove(0);
    assert_eq!((read.id, read.event_type, read.data, read.metadata), (new.id, new.event_type, new.data, new.metadata));
}

#[tokio::test]
async fn a_stream_name_may_have_any_characters() {
    let world = world().await;
    for name in [unique("Ωmega ünd"), unique("a/b?c=d#e"), unique("-"), unique("名前")] {
        world.append(&name, Expected::NoStream, events(1)).await;
        assert_eq!(world.store.read_stream(&name, 0, 10).await.unwrap()[0].stream, name);
    }
}

#[tokio::test]
async fn expecting_no_stream_conflicts_with_an_existing_one() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    assert_eq!(conflict(world.store.append(&stream, Expected::NoStream, events(1)).await), Some(2));
}

#[tokio::test]
async fn expecting_a_revision_conflicts_with_any_other() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    for wrong in [0, 1, 3, 100] {
        assert_eq!(conflict(world.store.append(&stream, Expected::Revision(wrong), events(1)).await), Some(2));
    }
    assert_eq!(world.append(&stream, Expected::Revision(2), events(1)).await.revision, 3);
}

#[tokio::test]
async fn expecting_a_revision_conflicts_with_a_missing_stream() {
    let world = world().await;
    assert_eq!(conflict(world.store.append(&unique("order"), Expected::Revision(0), events(1)).await), None);
}

#[tokio::test]
async fn expecting_a_stream_conflicts_only_with_a_missing_one() {
    let world = world().await;
    let stream = unique("order");
    assert_eq!(conflict(world.store.append(&stream, Expected::Exists, events(1)).await), None);
    world.append(&stream, Expected::NoStream, events(1)).await;
    assert_eq!(world.append(&stream, Expected::Exists, events(1)).await.revision, 1);
}

#[tokio::test]
async fn expecting_any_state_never_conflicts() {
    let world = world().await;
    let stream = unique("order");
    assert_eq!(world.append(&stream, Expected::Any, events(1)).await.revision, 0);
    assert_eq!(world.append(&stream, Expected::Any, events(2)).await.revision, 2);
}

#[tokio::test]
async fn a_refused_append_writes_nothing() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(1)).await;
    conflict(world.store.append(&stream, Expected::NoStream, events(3)).await);
    assert_eq!(world.store.read_stream(&stream, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_with_the_same_expected_revision_one_wins() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(1)).await;
    let attempts = (0..100).map(|_| world.store.append(&stream, Expected::Revision(0), events(2)));
    let outcomes = join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(conflict(outcome), Some(2));
    }
    assert_eq!(world.store.read_stream(&stream, 0, 100).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_appends_may_be_in_flight_at_once() {
    let world = world().await;
    let streams: Vec<_> = (0..500).map(|_| unique("order")).collect();
    let appends = streams.iter().map(|stream| world.store.append(stream, Expected::NoStream, events(2)));
    let mut positions: Vec<_> = join_all(appends).await.into_iter().map(|outcome| outcome.unwrap().position).collect();
    positions.sort();
    positions.dedup();
    assert_eq!(positions.len(), 500);
}

#[tokio::test]
async fn a_repeated_append_changes_nothing_and_gets_the_same_answer() {
    let world = world().await;
    let stream = unique("order");
    let first = events(2);
    let begun = world.append(&stream, Expected::NoStream, first.clone()).await;
    let second = events(2);
    let continued = world.append(&stream, Expected::Revision(1), second.clone()).await;
    world.append(&stream, Expected::Any, events(1)).await;

    assert_eq!(world.append(&stream, Expected::NoStream, first.clone()).await, begun);
    assert_eq!(world.append(&stream, Expected::Revision(1), second.clone()).await, continued);
    assert_eq!(world.append(&stream, Expected::Any, second.clone()).await, continued);
    assert_eq!(world.append(&stream, Expected::Exists, first.clone()).await, begun);
    assert_eq!(world.store.read_stream(&stream, 0, 10).await.unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_append_made_many_times_concurrently_is_made_once() {
    let world = world().await;
    let stream = unique("order");
    let new = events(3);
    let attempts = (0..50).map(|_| world.store.append(&stream, Expected::NoStream, new.clone()));
    for outcome in join_all(attempts).await {
        assert_eq!(outcome.unwrap().revision, 2);
    }
    assert_eq!(ids(&world.store.read_stream(&stream, 0, 10).await.unwrap()), new_ids(&new));
}

#[tokio::test]
async fn an_append_of_which_a_part_exists_is_refused() {
    let world = world().await;
    let stream = unique("order");
    let made = events(2);
    world.append(&stream, Expected::NoStream, made.clone()).await;
    let more = [made.clone(), events(1)].concat();
    for expected in [Expected::NoStream, Expected::Any] {
        assert_eq!(conflict(world.store.append(&stream, expected, more.clone()).await), Some(1));
    }
    let turned = made.into_iter().rev().collect();
    assert_eq!(conflict(world.store.append(&stream, Expected::NoStream, turned).await), Some(1));
}

#[tokio::test]
async fn the_same_ids_in_another_stream_are_other_events() {
    let world = world().await;
    let new = events(2);
    world.append(&unique("order"), Expected::Any, new.clone()).await;
    let other = unique("order");
    world.append(&other, Expected::Any, new.clone()).await;
    assert_eq!(ids(&world.store.read_stream(&other, 0, 10).await.unwrap()), new_ids(&new));
}

#[tokio::test]
async fn an_append_may_be_just_under_the_limit_and_not_over_it() {
    let world = world().await;
    let stream = unique("order");
    let sized = |bytes: usize| NewEvent { data: format!("\"{}\"", "x".repeat(bytes)).into(), ..event("Big") };
    world.append(&stream, Expected::NoStream, vec![sized(1_000_000)]).await;
    for too_large in [vec![1_100_000], vec![600_000, 600_000]] {
        let append = async |times: usize| {
            let new = too_large.iter().map(|size| sized(size * times)).collect();
            world.store.append(&unique("order"), Expected::Any, new).await
        };
        let refused = match append(1).await {
            // Servers since 25.1 accept 16 MiB for an event, and more for an append.
            Ok(_) => append(60).await,
            refused => refused,
        };
        assert!(matches!(refused, Err(AppendError::TooLarge(_))), "{refused:?}");
    }
    assert_eq!(world.store.read_stream(&stream, 0, 10).await.unwrap()[0].data.len(), 1_000_002);
}

#[tokio::test]
async fn data_that_is_not_json_is_refused() {
    let world = world().await;
    for data in ["", "{", "{}{}", "undefined"] {
        let wrong = NewEvent { data: data.into(), ..event("Wrong") };
        let refused = world.store.append(&unique("order"), Expected::Any, vec![wrong]).await;
        assert!(matches!(refused, Err(AppendError::Refused(_))), "{data}: {refused:?}");
    }
}

#[tokio::test]
async fn an_append_without_events_is_refused() {
    let world = world().await;
    let refused = world.store.append(&unique("order"), Expected::Any, Vec::new()).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn an_append_to_all_or_to_a_stream_without_a_name_is_refused() {
    let world = world().await;
    for stream in ["$all", ""] {
        let refused = world.store.append(stream, Expected::Any, events(1)).await;
        assert!(matches!(refused, Err(AppendError::Refused(_))), "{stream}: {refused:?}");
    }
}

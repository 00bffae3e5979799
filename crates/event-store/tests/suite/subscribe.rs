//! Subscriptions: from old events to new ones, without gaps or duplicates.

use std::time::Duration;

use bytes::Bytes;
use event_store::{Expected, Filter, NewEvent, SubscriptionItem};
use eventstore::{
    StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions, SubscriptionEvent, SubscriptionFilter,
};
use futures::future::join_all;

use super::support::{LIMIT, event, events, ids, new_ids, next, next_event, next_events, unique, until_caught_up};
use super::world::world;

fn only(stream: &str) -> Filter {
    Filter::StreamPrefixes(vec![stream.into()])
}

#[tokio::test]
async fn a_subscriber_gets_the_old_events_then_caught_up_then_the_new_ones() {
    let world = world().await;
    let stream = unique("order");
    let old = events(3);
    world.append(&stream, Expected::NoStream, old.clone()).await;
    let mut subscription = world.store.subscribe_all(only(&stream), None);
    assert_eq!(ids(&until_caught_up(&mut subscription).await), new_ids(&old));
    let new = events(2);
    world.append(&stream, Expected::Any, new.clone()).await;
    assert_eq!(ids(&next_events(&mut subscription, 2).await), new_ids(&new));
}

#[tokio::test]
async fn a_subscriber_begins_after_the_named_position() {
    let world = world().await;
    let stream = unique("order");
    let new = events(4);
    world.append(&stream, Expected::NoStream, new.clone()).await;
    let second = world.store.read_stream(&stream, 1, 1).await.unwrap()[0].position;
    let mut subscription = world.store.subscribe_all(only(&stream), Some(second));
    assert_eq!(ids(&next_events(&mut subscription, 2).await), new_ids(&new)[2..]);
}

#[tokio::test]
async fn a_subscriber_sees_what_a_reader_sees() {
    let world = world().await;
    let stream = unique("order");
    let mut subscription = world.subscribe_from_here(only(&stream)).await;
    world.append(&stream, Expected::NoStream, events(3)).await;
    let read = world.store.read_stream(&stream, 0, 10).await.unwrap();
    assert_eq!(next_events(&mut subscription, 3).await, read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_misses_nothing_and_gets_no_duplicates_during_writes() {
    const WRITERS: usize = 8;
    const APPENDS: usize = 60;
    let world = world().await;
    let prefix = unique("order");
    let start = world.store.head().await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let (store, stream) = (world.store.clone(), format!("{prefix}-{writer}"));
        tokio::spawn(async move {
            for number in 0..APPENDS {
                store.append(&stream, Expected::Any, events(1 + number % 3)).await.unwrap();
            }
        })
    });
    let writing = join_all(writers.collect::<Vec<_>>());

    // Some begin before the writes, some during them, some after an event in their middle. All must
    // receive the same events.
    let total = WRITERS * APPENDS * 2;
    let readers = (0..6).map(|reader| {
        let mut subscription = world.store.subscribe_all(only(&prefix), start);
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < total {
                seen.push(next_event(&mut subscription).await);
                if seen.len() % 100 == reader {
                    tokio::task::yield_now().await;
                }
            }
            seen
        })
    });
    let seen = join_all(readers.collect::<Vec<_>>()).await;
    for outcome in writing.await {
        outcome.unwrap();
    }
    let first = seen[0].as_ref().unwrap();
    assert!(first.is_sorted_by(|a, b| a.position < b.position));
    for other in &seen {
        assert_eq!(ids(other.as_ref().unwrap()), ids(first));
    }
    for writer in 0..WRITERS {
        let stream = format!("{prefix}-{writer}");
        let revisions: Vec<_> = first.iter().filter(|e| e.stream == stream).map(|e| e.revision).collect();
        assert!(revisions.iter().copied().eq(0..APPENDS as u64 * 2), "{revisions:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_does_not_read_delays_no_other_one_and_misses_nothing() {
    let world = world().await;
    let stream = unique("order");
    let mut slow = world.subscribe_from_here(only(&stream)).await;
    let mut quick = world.subscribe_from_here(only(&stream)).await;
    let large =
        |number: usize| NewEvent { data: Bytes::from(format!("\"{number}{}\"", "x".repeat(20_000))), ..event("Large") };
    for part in 0..60 {
        let new: Vec<_> = (0..40).map(|number| large(part * 40 + number)).collect();
        world.append(&stream, Expected::Any, new).await;
    }
    let seen = next_events(&mut quick, 2400).await;
    assert_eq!(ids(&next_events(&mut slow, 2400).await), ids(&seen));
}

#[tokio::test]
async fn a_dropped_wait_for_the_next_item_loses_no_item() {
    let world = world().await;
    let stream = unique("order");
    let mut subscription = world.subscribe_from_here(only(&stream)).await;
    let new = events(20);
    let mut seen = Vec::new();
    for (number, event) in new.iter().enumerate() {
        world.append(&stream, Expected::Any, vec![event.clone()]).await;
        while seen.len() <= number {
            if let Ok(SubscriptionItem::Event(event)) =
                tokio::time::timeout(Duration::from_micros(200), subscription.next()).await
            {
                seen.push(event);
            }
        }
    }
    assert_eq!(ids(&seen), new_ids(&new));
}

#[tokio::test]
async fn a_subscriber_at_the_end_is_notified_that_it_has_caught_up() {
    let world = world().await;
    world.append(&unique("order"), Expected::NoStream, events(1)).await;
    let mut subscription = world.subscribe_from_here(only(&unique("none"))).await;
    while next(&mut subscription).await != SubscriptionItem::CaughtUp {}
}

async fn next_of(subscription: &mut eventstore::Subscription) -> Result<eventstore::RecordedEvent, eventstore::Error> {
    let next = tokio::time::timeout(LIMIT, subscription.next()).await.expect("nothing came in time");
    Ok(next?.event.unwrap())
}

#[tokio::test]
async fn a_subscription_to_a_stream_may_begin_at_its_beginning() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(300)).await;
    let mut subscription = world
        .raw
        .subscribe_to_stream(stream.as_str(), &SubscribeToStreamOptions::default().start_from(StreamPosition::Start))
        .await;
    for revision in 0..300 {
        assert_eq!(next_of(&mut subscription).await.unwrap().revision, revision);
    }
    world.append(&unique("other"), Expected::NoStream, events(1)).await;
    world.append(&stream, Expected::Any, events(2)).await;
    assert_eq!(next_of(&mut subscription).await.unwrap().revision, 300);
    assert_eq!(next_of(&mut subscription).await.unwrap().revision, 301);
}

#[tokio::test]
async fn a_subscription_to_a_stream_may_begin_after_a_revision() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(5)).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Position(2));
    let mut subscription = world.raw.subscribe_to_stream(stream, &options).await;
    assert_eq!(next_of(&mut subscription).await.unwrap().revision, 3);
}

#[tokio::test]
async fn a_subscription_to_a_stream_may_begin_at_its_end_and_before_the_stream_exists() {
    let world = world().await;
    let (there, not_there) = (unique("order"), unique("order"));
    world.append(&there, Expected::NoStream, events(5)).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::End);
    let mut at_end = world.raw.subscribe_to_stream(there.as_str(), &options).await;
    let mut before = world
        .raw
        .subscribe_to_stream(not_there.as_str(), &SubscribeToStreamOptions::default().start_from(StreamPosition::Start))
        .await;
    for subscription in [&mut at_end, &mut before] {
        while !matches!(subscription.next_subscription_event().await.unwrap(), SubscriptionEvent::CaughtUp) {}
    }
    world.append(&there, Expected::Any, events(1)).await;
    world.append(&not_there, Expected::NoStream, events(1)).await;
    assert_eq!(next_of(&mut at_end).await.unwrap().revision, 5);
    assert_eq!(next_of(&mut before).await.unwrap().revision, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_to_a_stream_has_no_gap_during_writes() {
    let world = world().await;
    let stream = unique("order");
    let writing = {
        let (store, stream) = (world.store.clone(), stream.clone());
        tokio::spawn(async move {
            for _ in 0..200 {
                store.append(&stream, Expected::Any, events(2)).await.unwrap();
            }
        })
    };
    let readers = (0..4).map(|_| async {
        let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
        let mut subscription = world.raw.subscribe_to_stream(stream.as_str(), &options).await;
        for revision in 0..400 {
            assert_eq!(next_of(&mut subscription).await.unwrap().revision, revision);
        }
    });
    join_all(readers).await;
    writing.await.unwrap();
}

#[tokio::test]
async fn the_largest_position_and_revision_mean_the_end() {
    let world = world().await;
    let stream = unique("order");
    world.append(&stream, Expected::NoStream, events(3)).await;
    let end = eventstore::Position { commit: u64::MAX, prepare: u64::MAX };
    let filter = SubscriptionFilter::on_stream_name().add_prefix(&stream);
    let options = SubscribeToAllOptions::default().position(StreamPosition::Position(end)).filter(filter);
    let mut of_all = world.raw.subscribe_to_all(&options).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Position(u64::MAX));
    let mut of_stream = world.raw.subscribe_to_stream(stream.as_str(), &options).await;
    for subscription in [&mut of_all, &mut of_stream] {
        while !matches!(subscription.next_subscription_event().await.unwrap(), SubscriptionEvent::CaughtUp) {}
    }
    world.append(&stream, Expected::Any, events(1)).await;
    assert_eq!(next_of(&mut of_all).await.unwrap().revision, 3);
    assert_eq!(next_of(&mut of_stream).await.unwrap().revision, 3);
}

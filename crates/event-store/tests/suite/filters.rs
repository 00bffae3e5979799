//! Filters of `$all`.

use event_store::{Expected, Filter};
use eventstore::{AppendToStreamOptions, Error, StreamMetadataBuilder, SubscribeToAllOptions, SubscriptionFilter};

use super::support::{event, events, next_checkpoint, next_event, next_events, unique, until_caught_up};
use super::world::{World, world};

/// Appends one event to each stream and returns the streams of the first `count` events that pass
/// the filter.
async fn passing(world: &World, filter: Filter, written: &[(String, &str)], count: usize) -> Vec<String> {
    let mut subscription = world.subscribe_from_here(filter).await;
    for (stream, event_type) in written {
        world.append(stream, Expected::Any, vec![event(event_type)]).await;
    }
    next_events(&mut subscription, count).await.into_iter().map(|event| event.stream).collect()
}

#[tokio::test]
async fn streams_are_chosen_by_their_prefixes() {
    let world = world().await;
    let (a, b, c) = (unique("alpha"), unique("beta"), unique("gamma"));
    let filter = Filter::StreamPrefixes(vec![a[..12].into(), c[..12].into()]);
    let written = [(b.clone(), "X"), (a.clone(), "X"), (b, "X"), (c.clone(), "X")];
    assert_eq!(passing(&world, filter, &written, 2).await, [a, c]);
}

#[tokio::test]
async fn streams_are_chosen_by_an_expression() {
    let world = world().await;
    let tag = unique("tag");
    let (yes, no) = (format!("order-{tag}-17"), format!("order-{tag}-x"));
    let filter = Filter::StreamRegex(format!("^order-{tag}-[0-9]+$"));
    let written = [(no.clone(), "X"), (yes.clone(), "X"), (no, "X"), (yes.clone(), "X")];
    assert_eq!(passing(&world, filter, &written, 2).await, [yes.clone(), yes]);
}

#[tokio::test]
async fn event_types_are_chosen_by_their_prefixes() {
    let world = world().await;
    let tag = unique("Order");
    let (placed, other) = (format!("{tag}Placed"), unique("Payment"));
    let (a, b) = (unique("a"), unique("b"));
    let written = [(b, other.as_str()), (a.clone(), placed.as_str())];
    assert_eq!(passing(&world, Filter::EventTypePrefixes(vec![tag]), &written, 1).await, [a]);
}

#[tokio::test]
async fn event_types_are_chosen_by_an_expression() {
    let world = world().await;
    let tag = unique("T");
    let (yes, no) = (format!("{tag}Done"), format!("{tag}Begun"));
    let (a, b) = (unique("a"), unique("b"));
    let written = [(b, no.as_str()), (a.clone(), yes.as_str())];
    assert_eq!(passing(&world, Filter::EventTypeRegex(format!("{tag}.*Done$")), &written, 1).await, [a]);
}

#[tokio::test]
async fn an_expression_may_look_ahead() {
    let world = world().await;
    let tag = unique("T");
    let (yes, no) = (format!("{tag}Done"), format!("{tag}Begun"));
    let (a, b) = (unique("a"), unique("b"));
    let written = [(b, no.as_str()), (a.clone(), yes.as_str())];
    assert_eq!(passing(&world, Filter::EventTypeRegex(format!("^(?!.*Begun$){tag}")), &written, 1).await, [a]);
}

#[tokio::test]
async fn the_servers_own_events_can_be_left_out() {
    let world = world().await;
    let stream = unique("order");
    let mut subscription = world.subscribe_from_here(Filter::ExcludeSystem).await;
    let metadata = StreamMetadataBuilder::new().max_count(10).build();
    world.raw.set_stream_metadata(stream.as_str(), &AppendToStreamOptions::default(), &metadata).await.unwrap();
    world.append(&stream, Expected::NoStream, vec![event("OrderPlaced")]).await;
    let about_it = [stream.clone(), format!("$${stream}")];
    loop {
        let event = next_event(&mut subscription).await;
        assert!(!event.event_type.starts_with('$'), "{event:?}");
        if about_it.contains(&event.stream) {
            return;
        }
    }
}

#[tokio::test]
async fn a_checkpoint_has_the_position_up_to_which_the_server_has_searched() {
    let world = world().await;
    let (wanted, other) = (unique("wanted"), unique("other"));
    world.append(&wanted, Expected::NoStream, events(1)).await;
    let mut last = None;
    for _ in 0..4 {
        last = Some(world.append(&other, Expected::Any, events(100)).await.position);
    }
    let mut subscription = world.store.subscribe_all(Filter::StreamPrefixes(vec![wanted.clone()]), None);
    let mut checkpoint = next_checkpoint(&mut subscription).await;
    while Some(checkpoint) < last {
        checkpoint = next_checkpoint(&mut subscription).await;
    }
    drop(subscription);

    let mut resumed = world.store.subscribe_all(Filter::StreamPrefixes(vec![wanted.clone()]), Some(checkpoint));
    assert!(until_caught_up(&mut resumed).await.is_empty());
    let new = world.append(&wanted, Expected::Revision(0), events(1)).await;
    assert_eq!(next_event(&mut resumed).await.position, new.position);
}

#[tokio::test]
async fn checkpoints_continue_while_no_event_passes_the_filter() {
    let world = world().await;
    let mut subscription = world.subscribe_from_here(Filter::StreamPrefixes(vec![unique("never")])).await;
    until_caught_up(&mut subscription).await;
    let mut last = None;
    for _ in 0..6 {
        last = Some(world.append(&unique("other"), Expected::Any, events(100)).await.position);
    }
    let checkpoint = next_checkpoint(&mut subscription).await;
    assert!(Some(checkpoint) <= last);
}

#[tokio::test]
async fn an_invalid_expression_is_refused() {
    let world = world().await;
    let filter = SubscriptionFilter::on_stream_name().regex("(");
    let mut subscription = world.raw.subscribe_to_all(&SubscribeToAllOptions::default().filter(filter)).await;
    let refused = subscription.next().await;
    assert!(matches!(refused, Err(Error::Grpc { .. } | Error::ServerError(_))), "{refused:?}");
}

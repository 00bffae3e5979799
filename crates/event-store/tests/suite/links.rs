//! Events that point to another event, resolved for readers who want it.

use bytes::Bytes;
use event_store::Expected;
use eventstore::{
    AppendToStreamOptions, DeleteStreamOptions, EventData, ReadAllOptions, ReadStreamOptions, ResolvedEvent,
    StreamMetadataBuilder, StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions, SubscriptionEvent,
    SubscriptionFilter, TombstoneStreamOptions,
};

use super::support::{events, unique};
use super::world::{World, world};

/// A stream with a link to each of these places, and its name.
async fn links_to(world: &World, places: &[String]) -> String {
    let stream = unique("links");
    let links: Vec<_> = places.iter().map(|place| EventData::binary("$>", Bytes::from(place.clone()))).collect();
    world.raw.append_to_stream(stream.as_str(), &AppendToStreamOptions::default(), links).await.unwrap();
    stream
}

async fn read(world: &World, stream: &str, options: ReadStreamOptions) -> Vec<ResolvedEvent> {
    let mut reading = world.raw.read_stream(stream, &options).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = reading.next().await.unwrap() {
        events.push(event);
    }
    events
}

fn revisions(events: &[ResolvedEvent]) -> Vec<Option<u64>> {
    events.iter().map(|event| event.event.as_ref().map(|event| event.revision)).collect()
}

#[tokio::test]
async fn a_reader_who_resolves_links_gets_the_event_and_the_link() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(3)).await;
    let stream = links_to(&world, &[format!("2@{order}"), format!("0@{order}")]).await;

    let followed = read(&world, &stream, ReadStreamOptions::default().resolve_link_tos()).await;
    assert_eq!(revisions(&followed), [Some(2), Some(0)]);
    for (number, resolved) in followed.iter().enumerate() {
        let (event, link) = (resolved.event.as_ref().unwrap(), resolved.link.as_ref().unwrap());
        assert_eq!((event.stream_id.as_str(), event.event_type.as_str()), (order.as_str(), "Happened"));
        assert_eq!((link.stream_id.as_str(), link.revision), (stream.as_str(), number as u64));
        assert_eq!(resolved.commit_position, Some(link.position.commit));
    }
}

#[tokio::test]
async fn a_reader_who_does_not_resolve_links_gets_the_link_as_an_event() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(1)).await;
    let stream = links_to(&world, &[format!("0@{order}")]).await;
    let [resolved] = &read(&world, &stream, ReadStreamOptions::default()).await[..] else { panic!("one event") };
    assert!(resolved.link.is_none());
    let event = resolved.event.as_ref().unwrap();
    assert_eq!((event.event_type.as_str(), &event.data[..]), ("$>", format!("0@{order}").as_bytes()));
}

#[tokio::test]
async fn links_are_resolved_backwards_too() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(3)).await;
    let stream = links_to(&world, &[format!("1@{order}"), format!("2@{order}")]).await;
    let options = ReadStreamOptions::default().backwards().position(StreamPosition::End).resolve_link_tos();
    assert_eq!(revisions(&read(&world, &stream, options).await), [Some(2), Some(1)]);
}

#[tokio::test]
async fn a_link_to_nothing_has_no_event() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(1)).await;
    let places = [format!("7@{order}"), format!("0@{}", unique("no-order")), format!("0@{order}")];
    let stream = links_to(&world, &places).await;
    let followed = read(&world, &stream, ReadStreamOptions::default().resolve_link_tos()).await;
    assert_eq!(revisions(&followed), [None, None, Some(0)]);
    assert!(followed.iter().all(|resolved| resolved.link.is_some()));
}

#[tokio::test]
async fn a_link_into_a_deleted_stream_has_no_event() {
    let world = world().await;
    let (deleted, tombstoned) = (unique("order"), unique("order"));
    for order in [&deleted, &tombstoned] {
        world.append(order, Expected::NoStream, events(1)).await;
    }
    world.raw.delete_stream(deleted.as_str(), &DeleteStreamOptions::default()).await.unwrap();
    world.raw.tombstone_stream(tombstoned.as_str(), &TombstoneStreamOptions::default()).await.unwrap();
    let stream = links_to(&world, &[format!("0@{deleted}"), format!("0@{tombstoned}")]).await;
    let followed = read(&world, &stream, ReadStreamOptions::default().resolve_link_tos()).await;
    assert_eq!(revisions(&followed), [None, None]);
}

#[tokio::test]
async fn a_link_to_a_hidden_event_has_no_event() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(3)).await;
    let metadata = StreamMetadataBuilder::new().truncate_before(2).build();
    let any = AppendToStreamOptions::default();
    world.raw.set_stream_metadata(order.as_str(), &any, &metadata).await.unwrap();
    let stream = links_to(&world, &[format!("1@{order}"), format!("2@{order}")]).await;
    let followed = read(&world, &stream, ReadStreamOptions::default().resolve_link_tos()).await;
    assert_eq!(revisions(&followed), [None, Some(2)]);
}

#[tokio::test]
async fn links_are_resolved_in_all() {
    let world = world().await;
    let order = unique("order");
    let before = world.append(&order, Expected::NoStream, events(1)).await.position;
    let stream = links_to(&world, &[format!("0@{order}")]).await;
    let from = eventstore::Position { commit: before.commit, prepare: before.prepare };
    let options = ReadAllOptions::default().position(StreamPosition::Position(from)).resolve_link_tos();
    let mut reading = world.raw.read_all(&options).await.unwrap();
    loop {
        let resolved = reading.next().await.unwrap().expect("the link is in $all");
        if resolved.link.as_ref().is_some_and(|link| link.stream_id == stream) {
            return assert_eq!(resolved.event.unwrap().stream_id, order);
        }
    }
}

#[tokio::test]
async fn a_subscriber_to_a_stream_may_resolve_links() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(2)).await;
    let stream = links_to(&world, &[format!("1@{order}")]).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start).resolve_link_tos();
    let mut subscription = world.raw.subscribe_to_stream(stream.as_str(), &options).await;
    let old = subscription.next().await.unwrap();
    assert_eq!((old.event.unwrap().revision, old.link.unwrap().stream_id), (1, stream.clone()));
    let link = EventData::binary("$>", Bytes::from(format!("0@{order}")));
    world.raw.append_to_stream(stream.as_str(), &AppendToStreamOptions::default(), link).await.unwrap();
    let live = subscription.next().await.unwrap();
    assert_eq!((live.event.unwrap().revision, live.link.unwrap().revision), (0, 1));
}

#[tokio::test]
async fn a_subscriber_to_all_may_resolve_links_and_its_filter_sees_the_link() {
    let world = world().await;
    let order = unique("order");
    world.append(&order, Expected::NoStream, events(1)).await;
    let stream = links_to(&world, &[format!("0@{order}")]).await;
    let filter = SubscriptionFilter::on_stream_name().add_prefix(&stream);
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter).resolve_link_tos();
    let mut subscription = world.raw.subscribe_to_all(&options).await;
    loop {
        if let SubscriptionEvent::EventAppeared(resolved) = subscription.next_subscription_event().await.unwrap() {
            assert_eq!(resolved.event.unwrap().stream_id, order);
            return assert_eq!(resolved.link.unwrap().stream_id, stream);
        }
    }
}

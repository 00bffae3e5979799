//! Helpers for the tests of a log.

use std::time::Duration;

use bytes::Bytes;
use event_store::{NewEvent, Position, RecordedEvent, Subscription, SubscriptionItem};
use uuid::Uuid;

/// The time limit of each wait in a test.
pub const LIMIT: Duration = Duration::from_secs(20);

pub fn raw(connection_string: &str) -> eventstore::Client {
    let quickly = format!("{connection_string}&discoveryInterval=10");
    eventstore::Client::new(quickly.parse().unwrap()).unwrap()
}

/// A name that is unique even on a server that is used repeatedly.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4().simple())
}

pub fn event(event_type: &str) -> NewEvent {
    numbered(event_type, 0)
}

pub fn numbered(event_type: &str, number: usize) -> NewEvent {
    NewEvent {
        id: Uuid::new_v4(),
        event_type: event_type.into(),
        data: Bytes::from(format!(r#"{{"number":{number}}}"#)),
        metadata: Bytes::from_static(br#"{"$correlationId":"c"}"#),
    }
}

pub fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|number| numbered("Happened", number)).collect()
}

pub fn ids(events: &[RecordedEvent]) -> Vec<Uuid> {
    events.iter().map(|event| event.id).collect()
}

pub fn new_ids(events: &[NewEvent]) -> Vec<Uuid> {
    events.iter().map(|event| event.id).collect()
}

pub async fn next(subscription: &mut Subscription) -> SubscriptionItem {
    tokio::time::timeout(LIMIT, subscription.next()).await.expect("nothing came from the subscription in time")
}

pub async fn next_event(subscription: &mut Subscription) -> RecordedEvent {
    loop {
        if let SubscriptionItem::Event(event) = next(subscription).await {
            return event;
        }
    }
}

pub async fn next_events(subscription: &mut Subscription, count: usize) -> Vec<RecordedEvent> {
    let mut events = Vec::with_capacity(count);
    while events.len() < count {
        events.push(next_event(subscription).await);
    }
    events
}

pub async fn next_checkpoint(subscription: &mut Subscription) -> Position {
    loop {
        if let SubscriptionItem::Checkpoint(position) = next(subscription).await {
            return position;
        }
    }
}

/// Waits until the subscriber has caught up, and returns the events before that.
pub async fn until_caught_up(subscription: &mut Subscription) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    loop {
        match next(subscription).await {
            SubscriptionItem::Event(event) => events.push(event),
            SubscriptionItem::CaughtUp => return events,
            SubscriptionItem::Checkpoint(_) | SubscriptionItem::Resumed => {}
        }
    }
}

/// Reads to the end with the other client.
pub async fn all_of(mut reading: eventstore::ReadStream) -> Result<Vec<eventstore::RecordedEvent>, eventstore::Error> {
    let mut events = Vec::new();
    while let Some(resolved) = reading.next().await? {
        events.extend(resolved.event);
    }
    Ok(events)
}

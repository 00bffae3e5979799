//! Reads the log from its beginning, and returns each order with all its events.
//!
//! In `$all` the events of all orders are mixed, so the events of an order are held until the order
//! ends. The memory for held events is bounded. Past the bound, the order that has been held for
//! the longest time is returned by the name of its stream, to be read from there. Its later events
//! in `$all` are skipped: an order is held from its first event on, or not at all.

use std::collections::{BTreeMap, HashMap};

use domain::stream_prefix;
use domain::wire::{self, ENDS};
use event_store::{EventStore, Filter, Position, ReadError, RecordedEvent, SubscriptionItem};

/// The memory that an event takes in addition to its data.
const OVERHEAD: usize = 256;

/// An order.
#[derive(Debug)]
pub enum Found {
    /// With all its events.
    Whole(Vec<RecordedEvent>),
    /// By the name of its stream, which has to be read.
    Named(String),
}

/// Reads the log, order by order.
pub struct Scan {
    subscription: event_store::Subscription,
    /// The end of the log when the scan began.
    head: Option<Position>,
    at: Option<Position>,
    held: Held,
    ended: bool,
    /// Only the first event of each order is read.
    only_placed: bool,
}

impl Scan {
    /// All orders, with all their events. The events of orders that have not ended take at most
    /// `max_held` bytes of memory.
    pub async fn all(store: &EventStore, max_held: usize) -> Result<Self, ReadError> {
        let filter = Filter::StreamPrefixes(vec![stream_prefix::get().to_owned()]);
        Self::start(store, filter, false, max_held).await
    }

    /// All orders, with their first event.
    pub async fn placed(store: &EventStore) -> Result<Self, ReadError> {
        let filter = Filter::EventTypePrefixes(vec!["OrderPlaced".to_owned()]);
        Self::start(store, filter, true, 0).await
    }

    async fn start(store: &EventStore, filter: Filter, only_placed: bool, max_held: usize) -> Result<Self, ReadError> {
        let head = store.head().await?;
        let subscription = store.subscribe_all(filter, None);
        let ended = head.is_none();
        Ok(Self { subscription, head, at: None, held: Held::within(max_held), ended, only_placed })
    }

    /// The next order. Orders that have not ended come last.
    pub async fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(stream) = self.held.give_way() {
                return Some(Found::Named(stream));
            }
            if self.ended {
                return self.held.oldest().map(Found::Whole);
            }
            match self.subscription.next().await {
                SubscriptionItem::Event(event) => {
                    self.passes(event.position);
                    // Another application may have streams and types of the same names.
                    if event.revision == 0 && !wire::is_ours(&event.metadata) {
                        continue;
                    }
                    if self.only_placed {
                        return Some(Found::Whole(vec![event]));
                    }
                    if let Some(whole) = self.held.take(event) {
                        return Some(Found::Whole(whole));
                    }
                }
                SubscriptionItem::Checkpoint(position) => self.passes(position),
                SubscriptionItem::CaughtUp => self.ended = true,
                // The subscription continues at the position where the connection was lost.
                SubscriptionItem::Resumed => {}
            }
        }
    }

    /// How much of the log is read, from 0 to 100.
    pub fn percent(&self) -> u64 {
        match (self.at, self.head) {
            (Some(at), Some(head)) if head.commit > 0 => {
                u64::try_from(u128::from(at.commit) * 100 / u128::from(head.commit)).unwrap_or(100).min(100)
            }
            _ => 0,
        }
    }

    fn passes(&mut self, position: Position) {
        self.at = Some(position);
        self.ended |= self.head.is_none_or(|head| position >= head);
    }
}

/// Orders that have not ended.
#[derive(Debug, Default)]
struct Held {
    orders: HashMap<String, Order>,
    /// Their streams, by age.
    ages: BTreeMap<u64, String>,
    next_age: u64,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Order {
    age: u64,
    events: Vec<RecordedEvent>,
    bytes: usize,
}

impl Held {
    fn within(max_bytes: usize) -> Self {
        Self { max_bytes, ..Self::default() }
    }

    /// Holds an event. Returns the whole order if this is its last event.
    fn take(&mut self, event: RecordedEvent) -> Option<Vec<RecordedEvent>> {
        let (bytes, ends) = (size(&event), ENDS.contains(&event.event_type.as_str()));
        if event.revision == 0 {
            let age = self.next_age;
            self.next_age += 1;
            self.ages.insert(age, event.stream.clone());
            self.orders.insert(event.stream.clone(), Order { age, events: Vec::with_capacity(24), bytes: 0 });
        }
        let stream = if ends { event.stream.clone() } else { String::new() };
        let order = self.orders.get_mut(&event.stream)?;
        order.bytes += bytes;
        self.bytes += bytes;
        order.events.push(event);
        if ends { self.release(&stream) } else { None }
    }

    /// If too much is held: releases the oldest order, and returns its stream.
    fn give_way(&mut self) -> Option<String> {
        if self.bytes <= self.max_bytes {
            return None;
        }
        let stream = self.ages.first_key_value().map(|(_, stream)| stream.clone())?;
        self.release(&stream).map(|_| stream)
    }

    fn oldest(&mut self) -> Option<Vec<RecordedEvent>> {
        let stream = self.ages.first_key_value().map(|(_, stream)| stream.clone())?;
        self.release(&stream)
    }

    fn release(&mut self, stream: &str) -> Option<Vec<RecordedEvent>> {
        let order = self.orders.remove(stream)?;
        self.ages.remove(&order.age);
        self.bytes -= order.bytes;
        Some(order.events)
    }
}

fn size(event: &RecordedEvent) -> usize {
    event.data.len() + event.metadata.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use event_store::Position;

    use super::*;

    fn event(stream: &str, revision: u64, event_type: &str, bytes: usize) -> RecordedEvent {
        RecordedEvent {
            id: uuid::Uuid::nil(),
            stream: stream.to_owned(),
            revision,
            position: Position { commit: 1, prepare: 1 },
            event_type: event_type.to_owned(),
            data: vec![b' '; bytes].into(),
            metadata: bytes::Bytes::new(),
            created: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_order_is_returned_with_its_last_event() {
        let mut held = Held::within(100);
        assert!(held.take(event("order-1", 0, "OrderPlaced", 1)).is_none());
        assert!(held.take(event("order-2", 0, "OrderPlaced", 1)).is_none());
        let whole = held.take(event("order-1", 1, "OrderCompleted", 1)).unwrap();
        assert_eq!(whole.len(), 2);
        assert_eq!(held.oldest().unwrap().len(), 1);
        assert!(held.oldest().is_none());
        assert_eq!(held.bytes, 0);
    }

    #[test]
    fn past_the_bound_the_oldest_order_is_released_and_its_later_events_are_skipped() {
        let mut held = Held::within(10_000);
        held.take(event("order-1", 0, "OrderPlaced", 5_000));
        held.take(event("order-2", 0, "OrderPlaced", 5_001));
        assert_eq!(held.give_way().as_deref(), Some("order-1"));
        assert!(held.give_way().is_none());
        assert!(held.take(event("order-1", 1, "OrderCanceled", 1)).is_none());
        assert_eq!(held.take(event("order-2", 1, "OrderCanceled", 1)).unwrap().len(), 2);
        assert_eq!((held.bytes, held.orders.len(), held.ages.len()), (0, 0, 0));
    }
}

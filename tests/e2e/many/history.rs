//! The log's history of all orders: whether each history is consistent, and how long orders waited
//! for due work.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::OrderId;
use domain::order::{Event, Order, evolve};
use domain::proof::chain::{Head, RawEvent, follow};
use domain::wire;
use event_store::{EventStore, RecordedEvent};

use super::windows::Windows;

/// One event, as recorded.
pub struct Entry {
    pub event: Event,
    pub recorded: DateTime<Utc>,
    /// When the order's next work was due, before this event.
    due: Option<DateTime<Utc>>,
}

/// How long due work of an order waited.
pub struct Wait {
    /// The part of the wait during which the system was up.
    pub lasted: TimeDelta,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The order and the event.
    pub what: String,
}

/// Every order's events, in order.
pub struct History(pub BTreeMap<String, Vec<Entry>>);

/// One order while its events are read.
#[derive(Default)]
struct Reading {
    state: Option<Order>,
    head: Option<Head>,
    entries: Vec<Entry>,
}

impl Reading {
    /// Checks that each event follows from the earlier ones, in the fold and in the chain of
    /// hashes.
    fn add(&mut self, order: &OrderId, recorded: &RecordedEvent) {
        let RecordedEvent { stream, revision, .. } = recorded;
        let (head, flaw) = follow(order, self.head.as_ref(), &raw(recorded));
        assert_eq!(flaw, None, "event {revision} of {stream} follows the one before");
        self.head = Some(head);
        let decoded = wire::decode(&recorded.event_type, &recorded.data, &recorded.metadata).unwrap();
        let due = self.state.as_ref().and_then(Order::due_at);
        let state = evolve(self.state.take(), &decoded.event);
        self.state = Some(state.unwrap_or_else(|misfit| panic!("event {revision} of {stream}: {misfit}")));
        self.entries.push(Entry { event: decoded.event, recorded: recorded.created, due });
    }
}

fn raw(event: &RecordedEvent) -> RawEvent<'_> {
    RawEvent {
        revision: event.revision,
        position: event.position.commit,
        id: event.id,
        event_type: &event.event_type,
        data: &event.data,
        metadata: &event.metadata,
    }
}

impl History {
    pub async fn read(log: &str) -> Self {
        let mut all = EventStore::connect(log).unwrap().history(None);
        let mut orders: BTreeMap<OrderId, Reading> = BTreeMap::new();
        while let Some(record) = all.next().await.unwrap() {
            if let Some(id) = OrderId::from_stream(&record.event.stream) {
                orders.entry(id.clone()).or_default().add(&id, &record.event);
            }
        }
        Self(orders.into_iter().map(|(id, reading)| (id.into(), reading.entries)).collect())
    }

    /// The longest wait of due work while the system was up.
    pub fn longest_wait(&self, down: &Windows) -> Option<Wait> {
        let waits = self.0.iter().flat_map(|(id, entries)| {
            entries.iter().enumerate().filter_map(move |(revision, entry)| {
                let (from, to) = (entry.due?, entry.recorded);
                let what = format!("order {id}, event {revision}, {}", entry.event.type_name());
                Some(Wait { lasted: down.there_between(from, to), from, to, what })
            })
        });
        waits.max_by_key(|wait| wait.lasted)
    }

    /// The attempts that were lost, each with its order and the recorded reason.
    pub fn lost(&self) -> Vec<(&str, &str)> {
        let entries = self.0.iter().flat_map(|(id, entries)| entries.iter().map(move |entry| (id, &entry.event)));
        let lost = entries.filter_map(|(id, event)| match event {
            Event::StepAttemptFailed(failed) if failed.lost => Some((id.as_str(), failed.error.as_str())),
            _ => None,
        });
        lost.collect()
    }
}

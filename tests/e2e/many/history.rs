//! What the log says of all orders: whether each history holds together, and how long orders waited for what was due.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::order::{Event, OrderState, evolve};
use domain::wire;
use event_store::client::{EventStore, RecordedEvent};
use serde_json::Value;
use uuid::Uuid;

use super::windows::Windows;

/// One event, as recorded.
pub struct Entry {
    pub event: Event,
    pub recorded: DateTime<Utc>,
    /// When somebody had to look at the order, before this event came.
    due: Option<DateTime<Utc>>,
}

/// Every order's events, in order.
pub struct History(pub BTreeMap<String, Vec<Entry>>);

/// One order while its events are read.
#[derive(Default)]
struct Reading {
    state: Option<OrderState>,
    hash: String,
    entries: Vec<Entry>,
}

impl Reading {
    /// Each event follows from those before it, in the fold and in the chain of hashes.
    fn add(&mut self, recorded: &RecordedEvent) {
        let RecordedEvent { stream, revision, .. } = recorded;
        assert_eq!(*revision, self.entries.len() as u64, "{stream} has no gap");
        let decoded = wire::decode(&recorded.event_type, &recorded.data, &recorded.metadata).unwrap();
        let link = link(&self.hash, recorded.id, &recorded.event_type, &recorded.data, &recorded.metadata);
        assert_eq!(decoded.metadata.hash, link, "event {revision} of {stream} follows the one before");
        let due = self.state.as_ref().and_then(OrderState::due_at);
        let state = evolve(self.state.take(), &decoded.event);
        self.state = Some(state.unwrap_or_else(|misfit| panic!("event {revision} of {stream}: {misfit}")));
        self.hash = decoded.metadata.hash;
        self.entries.push(Entry { event: decoded.event, recorded: recorded.created, due });
    }
}

fn link(before: &str, id: Uuid, event_type: &str, data: &[u8], metadata: &[u8]) -> String {
    let mut metadata: Value = serde_json::from_slice(metadata).unwrap();
    metadata["hash"] = "".into();
    wire::link(before, id, event_type, data, &metadata)
}

impl History {
    pub async fn read(log: &str) -> Self {
        let mut all = EventStore::connect(log).unwrap().history(None);
        let mut orders: BTreeMap<String, Reading> = BTreeMap::new();
        while let Some(record) = all.next().await.unwrap() {
            if let Some(id) = record.event.stream.strip_prefix("order-") {
                orders.entry(id.to_owned()).or_default().add(&record.event);
            }
        }
        Self(orders.into_iter().map(|(id, reading)| (id, reading.entries)).collect())
    }

    /// The longest that an order waited for what was due, while the system was up; and which it was, and for what.
    pub fn longest_wait(&self, down: &Windows) -> (TimeDelta, String) {
        let waits = self.0.iter().flat_map(|(id, entries)| {
            entries.iter().enumerate().filter_map(move |(revision, entry)| {
                let wait = down.there_between(entry.due?, entry.recorded);
                Some((wait, format!("order {id}, event {revision}, {}", entry.event.type_name())))
            })
        });
        waits.max().unwrap_or_default()
    }

    /// The attempts that were lost, each with its order and what was said of it.
    pub fn lost(&self) -> Vec<(&str, &str)> {
        let entries = self.0.iter().flat_map(|(id, entries)| entries.iter().map(move |entry| (id, &entry.event)));
        let lost = entries.filter_map(|(id, event)| match event {
            Event::StepAttemptFailed(failed) if failed.lost => Some((id.as_str(), failed.error.as_str())),
            _ => None,
        });
        lost.collect()
    }
}

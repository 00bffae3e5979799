//! An event on its way to a consumer.

use std::sync::Arc;

use uuid::Uuid;

use crate::storage::{Event, Resolved};

/// An event that the group delivers.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The id of the original event. Consumers answer with it.
    pub(crate) id: Uuid,
    pub(crate) event: Resolved,
    /// The event at its place in what the group reads: the link, if one was resolved.
    pub(super) original: Arc<Event>,
    /// Its revision or position in what the group reads. `None`: it was parked before.
    pub(crate) place: Option<u64>,
    /// Its revision in the stream of parked events, if it was parked before.
    pub(crate) parked_at: Option<u64>,
    pub(crate) retries: u32,
}

impl Message {
    /// A message for an event that was read.
    pub(super) fn new(event: Resolved, place: Option<u64>, parked_at: Option<u64>) -> Option<Self> {
        let original = event.original()?.clone();
        let id = Uuid::from_slice(&original.record.id).unwrap_or_default();
        Some(Self { id, event, original, place, parked_at, retries: 0 })
    }

    pub(super) fn size(&self) -> usize {
        let target = self.event.link.as_ref().and(self.event.event.as_ref());
        self.original.size() + target.map_or(0, |event| event.size())
    }
}

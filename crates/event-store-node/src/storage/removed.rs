//! What a scavenge has removed, and the events that record it.
//!
//! A removal and its record are one batch. The record names each removed event, so a gap in the log
//! without a record is damage, and the events alone are enough to copy the log. Only the node
//! writes these streams.

use event_store_protocol::scavenge::{Removed, recorded};
use fjall::Readable;

use super::{Event, StorageError, View, keys};

/// The removals that the event records.
pub(super) fn recorded_by(event: &Event) -> Vec<Removed> {
    recorded(&event.record.stream, &event.record.event_type, &event.record.data)
}

impl View<'_> {
    /// Whether a scavenge has removed the event at this position.
    pub(crate) fn is_removed(&self, position: u64) -> Result<bool, StorageError> {
        Ok(self.snapshot.contains_key(&self.keyspaces.removed, keys::position(position))?)
    }

    /// Whether a scavenge has removed anything.
    pub(crate) fn has_removed(&self) -> Result<bool, StorageError> {
        Ok(!self.snapshot.is_empty(&self.keyspaces.removed)?)
    }
}

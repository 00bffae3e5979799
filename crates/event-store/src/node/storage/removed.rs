//! What a scavenge has removed, and the events that record it.
//!
//! A removal and its record are one batch: the record names each removed event, so that a gap in the log without a record
//! is damage, and a copy of the log follows from its events alone. Only the node writes these streams.

use fjall::Readable;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::event::described_by;
use super::{Event, StorageError, View, keys};
use crate::node::change::Proposed;

/// Links to what began and what ended each scavenge. The streams of the scavenges themselves begin with the same name.
pub(crate) const SCAVENGES: &str = "$scavenges";
pub(crate) const REMOVED_TYPE: &str = "$scavengeEventsRemoved";

/// Whether the stream is one of the scavenges' own, or their metadata.
pub(crate) fn is_of_scavenges(stream: &str) -> bool {
    described_by(stream).unwrap_or(stream).starts_with(SCAVENGES)
}

/// Events of one stream that were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Removed {
    pub(crate) stream: String,
    pub(crate) from_revision: u64,
    pub(crate) to_revision: u64,
    /// First and last of each run of positions, in order.
    pub(crate) positions: Vec<(u64, u64)>,
}

impl Removed {
    pub(super) fn begin(stream: &str, revision: u64, position: u64) -> Self {
        Self {
            stream: stream.into(),
            from_revision: revision,
            to_revision: revision,
            positions: vec![(position, position)],
        }
    }

    /// Adds the stream's next event.
    pub(super) fn add(&mut self, revision: u64, position: u64) {
        self.to_revision = revision;
        match self.positions.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            _ => self.positions.push((position, position)),
        }
    }

    pub(crate) fn each_position(&self) -> impl Iterator<Item = u64> + '_ {
        self.positions.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Whether this record names the event.
    pub(super) fn names(&self, event: &Event) -> bool {
        event.record.stream == self.stream && (self.from_revision..=self.to_revision).contains(&event.record.revision)
    }
}

/// What a scavenge has done so far, with what it has just removed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    pub(crate) scavenge_id: String,
    pub(crate) events_removed: u64,
    /// In bytes.
    pub(crate) space_saved: u64,
    #[serde(default)]
    pub(crate) removed: Vec<Removed>,
}

impl Progress {
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }

    pub(crate) fn event(&self) -> Proposed {
        Proposed::own(REMOVED_TYPE, &json!(self))
    }
}

/// What the event records as removed.
pub(super) fn recorded_by(event: &Event) -> Vec<Removed> {
    recorded(&event.record.stream, &event.record.event_type, &event.record.data)
}

/// What an event of this stream and type records as removed. What is no such record removes nothing.
pub(crate) fn recorded(stream: &str, event_type: &str, data: &[u8]) -> Vec<Removed> {
    if event_type != REMOVED_TYPE || !stream.starts_with(SCAVENGES) {
        return Vec::new();
    }
    Progress::of(data).map(|progress| progress.removed).unwrap_or_default()
}

impl View<'_> {
    /// Whether a scavenge has removed the event at this position.
    pub(crate) fn is_removed(&self, position: u64) -> Result<bool, StorageError> {
        Ok(self.snapshot.contains_key(&self.storage.removed, keys::position(position))?)
    }

    /// Whether a scavenge has removed anything.
    pub(crate) fn has_removed(&self) -> Result<bool, StorageError> {
        Ok(!self.snapshot.is_empty(&self.storage.removed)?)
    }
}

//! One commit to the log, and the index rows that its events produce.
//!
//! Every row in the log other than the events is derived from the events, and only here. So a copy
//! of the events gives a copy of the log, and the log can be checked against its events.

use std::collections::HashMap;
use std::sync::Arc;

use event_store_protocol::metadata::described_by;
use event_store_protocol::scavenge::Removed;

use super::event::TOMBSTONE_REVISION;
use super::removed::recorded_by;
use super::{Event, StorageError, StoredEvent, StoredLimits, StoredStream, View};

/// Events with their streams' numbers, in the order of their positions, and the rows derived from
/// them.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<(u64, Arc<Event>)>,
    pub(crate) streams: HashMap<String, StoredStream>,
    pub(crate) limits: HashMap<String, StoredLimits>,
    /// The removals that the events record.
    pub(crate) removed: Vec<Removed>,
}

impl Batch {
    /// Adds an event to a stream whose state is `before`, and returns the stream's new state.
    pub(crate) fn add(&mut self, before: Option<StoredStream>, event: Event) -> StoredStream {
        let number = before.map_or(event.position, |stream| stream.number);
        let revision = event.record.revision;
        let after = if revision == TOMBSTONE_REVISION {
            let last_revision = before.and_then(|stream| stream.last_revision);
            StoredStream { number, last_revision, tombstoned: true }
        } else {
            if let Some(described) = described_by(&event.record.stream) {
                self.limits.insert(described.into(), StoredLimits::in_metadata(&event.record.data));
            }
            StoredStream { number, last_revision: Some(revision), tombstoned: false }
        };
        self.removed.extend(recorded_by(&event));
        self.streams.insert(event.record.stream.clone(), after);
        self.events.push((number, Arc::new(event)));
        after
    }
}

/// A batch of events copied from another log, with the same positions.
pub(crate) struct Replay<'a> {
    view: View<'a>,
    last: u64,
    /// A scavenge removed some positions before the next event, so revisions may be missing too.
    has_gaps: bool,
    batch: Batch,
}

impl<'a> Replay<'a> {
    pub(crate) fn onto(view: View<'a>) -> Result<Self, StorageError> {
        let last = view.last_position()?;
        let has_gaps = view.has_removed()?;
        Ok(Self { view, last, has_gaps, batch: Batch::default() })
    }

    /// Adds the next event of the other log.
    pub(crate) fn add(&mut self, position: u64, record: StoredEvent) -> Result<(), StorageError> {
        let before = match self.batch.streams.get(&record.stream) {
            Some(stream) => Some(*stream),
            None => self.view.stream(&record.stream)?,
        };
        let next = before.and_then(|stream| stream.last_revision).map_or(0, |last| last + 1);
        let comes_next = position == self.last + 1 || self.are_removed(position)?;
        let goes_on = record.revision == next || self.has_gaps && record.revision > next;
        if !comes_next || !goes_on && record.revision != TOMBSTONE_REVISION {
            let StoredEvent { stream, revision, .. } = &record;
            let last = self.last;
            return Err(StorageError::Damaged(format!(
                "an event at position {position}, revision {revision} of {stream:?}, does not follow position {last}"
            )));
        }
        self.last = position;
        self.batch.add(before, Event { position, record });
        Ok(())
    }

    /// Whether every position between the last event and this one was removed.
    fn are_removed(&self, position: u64) -> Result<bool, StorageError> {
        for between in self.last + 1..position {
            if !self.view.is_removed(between)? {
                return Ok(false);
            }
        }
        Ok(position > self.last)
    }

    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }
}

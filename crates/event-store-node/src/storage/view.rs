//! The log at one moment, over all keyspaces.

use std::ops::Range;

use event_store_protocol::metadata::{SOFT_DELETED, described_by};
use fjall::{Readable, Snapshot};
use prost::Message;

use super::keyspaces::Keyspaces;
use super::{Event, StorageError, StoredLimits, StoredStream, event, keys};

pub(crate) struct View<'a> {
    pub(super) keyspaces: &'a Keyspaces,
    pub(super) snapshot: Snapshot,
}

impl<'a> View<'a> {
    pub(super) fn new(keyspaces: &'a Keyspaces, snapshot: Snapshot) -> Self {
        Self { keyspaces, snapshot }
    }

    /// The position of the last event; 0 if the log is empty.
    pub(crate) fn last_position(&self) -> Result<u64, StorageError> {
        match self.snapshot.last_key_value(&self.keyspaces.events) {
            Some(last) => keys::number_from(&last.key()?),
            None => Ok(0),
        }
    }

    pub(crate) fn stream(&self, name: &str) -> Result<Option<StoredStream>, StorageError> {
        let Some(value) = self.snapshot.get(&self.keyspaces.streams, name)? else { return Ok(None) };
        Ok(Some(StoredStream::decode(&*value)?))
    }

    pub(crate) fn limits(&self, name: &str) -> Result<StoredLimits, StorageError> {
        let Some(value) = self.snapshot.get(&self.keyspaces.limits, name)? else { return Ok(StoredLimits::default()) };
        Ok(StoredLimits::decode(&*value)?)
    }

    /// Whether the stream, or the stream that it describes, is deleted for good.
    pub(crate) fn is_tombstoned(&self, name: &str) -> Result<bool, StorageError> {
        let deleted = |name: &str| Ok::<_, StorageError>(self.stream(name)?.is_some_and(|stream| stream.tombstoned));
        Ok(deleted(name)? || described_by(name).map_or(Ok(false), deleted)?)
    }

    pub(crate) fn position_of(&self, number: u64, revision: u64) -> Result<Option<u64>, StorageError> {
        let found = self.snapshot.get(&self.keyspaces.revisions, keys::revision(number, revision))?;
        found.map(|position| keys::number_from(&position)).transpose()
    }

    pub(crate) fn revision_of(&self, number: u64, id: &[u8]) -> Result<Option<u64>, StorageError> {
        let found = self.snapshot.get(&self.keyspaces.ids, keys::id(number, id))?;
        found.map(|revision| keys::number_from(&revision)).transpose()
    }

    pub(crate) fn event(&self, position: u64) -> Result<Option<Event>, StorageError> {
        let found = self.snapshot.get(&self.keyspaces.events, keys::position(position))?;
        found.map(|value| Event::decode(position, value.into())).transpose()
    }

    /// What a reader of a stream may see of it.
    pub(crate) fn visible(&self, name: &str) -> Result<Visible, StorageError> {
        if self.is_tombstoned(name)? {
            return Ok(Visible::Deleted);
        }
        let Some(StoredStream { number, last_revision: Some(last), .. }) = self.stream(name)? else {
            return Ok(Visible::Nothing);
        };
        // Of a metadata stream only the last event counts and is visible.
        let limits = match described_by(name) {
            Some(_) => StoredLimits { max_count: Some(1), ..StoredLimits::default() },
            None => self.limits(name)?,
        };
        if limits.truncate_before == Some(SOFT_DELETED) {
            return Ok(Visible::Nothing);
        }
        let first = self.first_within(limits, number, last)?;
        Ok(Visible::Events { number, first, last })
    }

    /// The first revision of a stream that these limits leave visible. One after the last if they
    /// hide everything.
    pub(super) fn first_within(&self, limits: StoredLimits, number: u64, last: u64) -> Result<u64, StorageError> {
        let StoredLimits { truncate_before, max_count, max_age } = limits;
        let counted = max_count.map_or(0, |max| (last + 1).saturating_sub(max));
        let first = truncate_before.unwrap_or(0).max(counted);
        max_age.map_or(Ok(first), |seconds| self.first_not_older(number, first..last + 1, seconds))
    }

    /// An event that a reader of its stream may see.
    pub(crate) fn visible_event(&self, stream: &str, revision: u64) -> Result<Option<Event>, StorageError> {
        match self.visible(stream)? {
            Visible::Events { number, first, last } if (first..=last).contains(&revision) => {
                let position = self.position_of(number, revision)?;
                Ok(position.map(|position| self.event(position)).transpose()?.flatten())
            }
            _ => Ok(None),
        }
    }

    /// The first of these revisions that is at most this many seconds old. A stream's events are in
    /// the order of their time.
    fn first_not_older(&self, number: u64, mut within: Range<u64>, seconds: u64) -> Result<u64, StorageError> {
        let oldest = event::now().saturating_sub(seconds.saturating_mul(event::TICKS_PER_SECOND));
        while within.start < within.end {
            let middle = within.start + (within.end - within.start) / 2;
            let position = self.position_of(number, middle)?;
            let event = position.map(|position| self.event(position)).transpose()?.flatten();
            if event.is_some_and(|event| event.record.created >= oldest) {
                within.end = middle;
            } else {
                within.start = middle + 1;
            }
        }
        Ok(within.start)
    }
}

/// What a reader may see of a stream.
pub(crate) enum Visible {
    /// It was never written, or was deleted and may be written again.
    Nothing,
    /// It was deleted for good.
    Deleted,
    /// The visible revisions. `first` is after `last` if none is visible.
    Events { number: u64, first: u64, last: u64 },
}

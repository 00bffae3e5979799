//! The log at one moment, over all keyspaces.

use fjall::{Readable, Snapshot};
use prost::Message;

use super::{Event, Storage, StorageError, StoredLimits, StoredStream, event, keys};

/// The truncation that means: deleted, but may be written anew.
pub(crate) const SOFT_DELETED: u64 = i64::MAX.unsigned_abs();

pub(crate) struct View<'a> {
    pub(super) storage: &'a Storage,
    pub(super) snapshot: Snapshot,
}

impl<'a> View<'a> {
    pub(super) fn new(storage: &'a Storage, snapshot: Snapshot) -> Self {
        Self { storage, snapshot }
    }

    /// The position of the last event; 0 while there is none.
    pub(crate) fn last_position(&self) -> Result<u64, StorageError> {
        match self.snapshot.last_key_value(&self.storage.events) {
            Some(last) => keys::number_from(&last.key()?),
            None => Ok(0),
        }
    }

    pub(crate) fn stream(&self, name: &str) -> Result<Option<StoredStream>, StorageError> {
        let Some(value) = self.snapshot.get(&self.storage.streams, name)? else { return Ok(None) };
        Ok(Some(StoredStream::decode(&*value)?))
    }

    pub(crate) fn limits(&self, name: &str) -> Result<StoredLimits, StorageError> {
        let Some(value) = self.snapshot.get(&self.storage.limits, name)? else { return Ok(StoredLimits::default()) };
        Ok(StoredLimits::decode(&*value)?)
    }

    /// Whether the stream, or the one that it describes, is deleted for good.
    pub(crate) fn is_tombstoned(&self, name: &str) -> Result<bool, StorageError> {
        let deleted = |name: &str| Ok::<_, StorageError>(self.stream(name)?.is_some_and(|stream| stream.tombstoned));
        Ok(deleted(name)? || event::described_by(name).map_or(Ok(false), deleted)?)
    }

    pub(crate) fn position_of(&self, number: u64, revision: u64) -> Result<Option<u64>, StorageError> {
        let found = self.snapshot.get(&self.storage.revisions, keys::revision(number, revision))?;
        found.map(|position| keys::number_from(&position)).transpose()
    }

    pub(crate) fn revision_of(&self, number: u64, id: &[u8]) -> Result<Option<u64>, StorageError> {
        let found = self.snapshot.get(&self.storage.ids, keys::id(number, id))?;
        found.map(|revision| keys::number_from(&revision)).transpose()
    }

    pub(crate) fn event(&self, position: u64) -> Result<Option<Event>, StorageError> {
        let found = self.snapshot.get(&self.storage.events, keys::position(position))?;
        found.map(|value| Event::decode(position, value.into())).transpose()
    }
}

/// The first revision that a reader may see.
pub(crate) fn first_visible(last: u64, limits: StoredLimits) -> u64 {
    let counted = limits.max_count.map_or(0, |max| (last + 1).saturating_sub(max));
    limits.truncate_before.unwrap_or(0).max(counted)
}

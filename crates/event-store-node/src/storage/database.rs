//! The open log: opened with its repairs, read through views, written in batches.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use event_store_protocol::scavenge::Removed;
use fjall::compaction::filter::Factory;
use fjall::{Database, OwnedWriteBatch, PersistMode};
use prost::Message;
use tracing::warn;

use super::compaction::{Stop, Stoppable, stoppable};
use super::error::guarded;
use super::folder::{acknowledged, lock, remove_half_made};
use super::journal::{self, Acknowledged, HEAD_KEY, Repairs};
use super::keyspaces::Keyspaces;
use super::mark::Mark;
use super::{Batch, StorageError, StoredEvent, StoredStream, View, keys, private, tables, walk};

/// The smallest size that `fjall` allows: it bounds the time that opening takes.
const JOURNAL_BYTES: u64 = 64 << 20;
const CACHE_BYTES: u64 = 32 << 20;
/// How many positions are noted in one batch, so that a batch stays small.
const NOTED_AT_ONCE: usize = 4096;
/// How long compaction waits until data in memory is on disk. The next compaction handles the rest.
const FLUSHING: Duration = Duration::from_secs(5);
/// How often it checks.
const FLUSH_CHECK_INTERVAL: Duration = Duration::from_millis(10);

pub(crate) struct Storage {
    database: Database,
    pub(super) keyspaces: Keyspaces,
    mark: Mutex<Mark>,
    /// What opening repaired in the journals, and what they hold.
    pub(super) repairs: Repairs,
}

impl Storage {
    /// Opens the log of a folder, as the last process left it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StorageError> {
        private::make_folder(folder).map_err(StorageError::Folder)?;
        let storage = Self::open_repaired(folder, acknowledged(folder)?)?.checked()?;
        private::close_to_others(folder)?;
        Ok(storage)
    }

    /// Opens the log again after a failed write, and drops what was not acknowledged.
    pub(crate) fn open_again(folder: &Path, acknowledged: u64) -> Result<Self, StorageError> {
        Self::open_repaired(folder, Acknowledged::Exactly(acknowledged))?.checked()
    }

    pub(super) fn open_repaired(folder: &Path, acknowledged: Acknowledged) -> Result<Self, StorageError> {
        remove_half_made(folder, acknowledged)?;
        let repairs = {
            let _lock = lock(folder)?;
            tables::verify(folder, acknowledged.position() > 0)?;
            journal::repair(folder, acknowledged)?
        };
        guarded(|| {
            let storage = Self { repairs, ..Self::open_engine(folder)? };
            storage.verify(acknowledged)?;
            Ok(storage)
        })
    }

    /// Checks that the engine has read the first batch of its journals.
    fn checked(self) -> Result<Self, StorageError> {
        guarded(|| walk::verify_events(&self.view(), self.repairs.first.clone()))?;
        Ok(self)
    }

    fn open_engine(folder: &Path) -> Result<Self, StorageError> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .with_compaction_filter_factories(Arc::new(|_| Some(Arc::new(Stoppable) as Arc<dyn Factory>)))
            .open()?;
        Ok(Self {
            keyspaces: Keyspaces::open(&database)?,
            mark: Mutex::new(Mark::open(folder)?),
            repairs: Repairs::default(),
            database,
        })
    }

    /// Whether the log ends at the right position.
    fn verify(&self, acknowledged: Acknowledged) -> Result<(), StorageError> {
        let last = self.view().last_position()?;
        let acknowledged_position = acknowledged.position();
        if last < acknowledged_position {
            return Err(self.repairs.falls_short(last, acknowledged_position));
        }
        match self.keyspaces.format.get(HEAD_KEY)?.map(|head| keys::number_from(&head)).transpose()? {
            Some(head) if head != last => {
                Err(StorageError::Damaged(format!("its last event is at position {last}, but {head} was written")))
            }
            _ => Ok(()),
        }
    }

    /// The log at this moment. Later commits are not visible in it.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(&self.keyspaces, self.database.snapshot())
    }

    /// Writes a batch and returns when it is on disk. After a failure the state of the disk is
    /// unknown, so nothing can be written until the log is reopened.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<(), StorageError> {
        let Some((_, last)) = batch.events.last() else { return Ok(()) };
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncData));
        writes.insert(&self.keyspaces.format, HEAD_KEY, keys::position(last.position));
        let removed: HashSet<u64> = batch.removed.iter().flat_map(Removed::each_position).collect();
        for (number, event) in batch.events.iter().filter(|(_, event)| !removed.contains(&event.position)) {
            let position = keys::position(event.position);
            writes.insert(&self.keyspaces.events, position, event.record.encode_to_vec());
            writes.insert(&self.keyspaces.revisions, keys::revision(*number, event.record.revision), position);
            writes.insert(
                &self.keyspaces.ids,
                keys::id(*number, &event.record.id),
                event.record.revision.to_be_bytes(),
            );
        }
        for (name, stream) in &batch.streams {
            writes.insert(&self.keyspaces.streams, name.as_str(), stream.encode_to_vec());
        }
        for (name, limits) in &batch.limits {
            writes.insert(&self.keyspaces.limits, name.as_str(), limits.encode_to_vec());
        }
        for removed in &batch.removed {
            self.remove(removed, &mut writes)?;
        }
        writes.commit()?;
        // An older mark is still true: it only guarantees less.
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        mark.set(last.position).unwrap_or_else(|error| warn!(%error, "the log's mark could not be written"));
        Ok(())
    }

    /// Removes events and their index rows. Events that are missing were never in this copy of the
    /// log.
    fn remove(&self, removed: &Removed, writes: &mut OwnedWriteBatch) -> Result<(), StorageError> {
        let view = self.view();
        for position in removed.each_position() {
            let key = keys::position(position);
            writes.insert(&self.keyspaces.removed, key, []);
            let Some(event) = view.event(position)? else { continue };
            let stream = view.stream(&event.record.stream)?;
            let Some(StoredStream { number, .. }) =
                stream.filter(|_| removed.names(&event.record.stream, event.record.revision))
            else {
                let StoredEvent { stream, revision, .. } = &event.record;
                return Err(StorageError::Damaged(format!(
                    "position {position} is to be removed from {:?}, but holds revision {revision} of {stream:?}",
                    removed.stream
                )));
            };
            writes.remove(&self.keyspaces.events, key);
            writes.remove(&self.keyspaces.revisions, keys::revision(number, event.record.revision));
            if view.revision_of(number, &event.record.id)? == Some(event.record.revision) {
                writes.remove(&self.keyspaces.ids, keys::id(number, &event.record.id));
            }
        }
        Ok(())
    }

    /// Notes that these positions were removed before they could be copied here.
    pub(crate) fn note_removed(&self, positions: impl IntoIterator<Item = u64>) -> Result<(), StorageError> {
        let mut positions = positions.into_iter().peekable();
        while positions.peek().is_some() {
            let mut writes = self.database.batch().durability(Some(PersistMode::SyncData));
            for position in positions.by_ref().take(NOTED_AT_ONCE) {
                writes.insert(&self.keyspaces.removed, keys::position(position), []);
            }
            writes.commit()?;
        }
        Ok(())
    }

    /// Frees the disk space of removed events. `false`: stopped before the end. Reads all tables,
    /// and may take long.
    pub(crate) fn compact(&self, stop: &Stop) -> Result<bool, StorageError> {
        let until = Instant::now() + FLUSHING;
        for keyspace in [&self.keyspaces.events, &self.keyspaces.revisions, &self.keyspaces.ids] {
            keyspace.rotate_memtable()?;
            // The engine's own wait for this never ends if its workers have stopped.
            while keyspace.sealed_memtable_count() > 0 && Instant::now() < until && !stop() {
                std::thread::sleep(FLUSH_CHECK_INTERVAL);
            }
            if stop() {
                return Ok(false);
            }
            match stoppable(stop, || keyspace.major_compact()) {
                Err(_) if stop() => return Ok(false),
                compacted => compacted?,
            }
        }
        Ok(true)
    }
}

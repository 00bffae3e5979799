//! The log on disk.
//!
//! Seven keyspaces of one `fjall` database. A group of appends goes into all of them in one batch,
//! which is written to the journal and synced before any append is acknowledged. After a crash the
//! batch exists completely or not at all. The [`journal`] is checked for damage before the engine
//! opens it, with the help of a [`mark`] that has the acknowledged position. Older data is in
//! [`tables`] of blocks with checksums, which the engine compares on each read. What the engine
//! does not compare is checked before it opens them. A [`check`] covers everything.
//!
//! | keyspace    | key                | value                                       |
//! |-------------|--------------------|---------------------------------------------|
//! | `events`    | position           | the event                                   |
//! | `streams`   | stream name        | the stream's number and last revision       |
//! | `limits`    | stream name        | the truncation that its metadata sets       |
//! | `revisions` | number, revision   | position                                    |
//! | `ids`       | number, event id   | revision                                    |
//! | `format`    | `version`, `head`  | the format's version; the last position     |
//! | `removed`   | position           | nothing: a scavenge has removed the event   |
//!
//! Positions are 1, 2, 3, …: dense, so that a part of the log in memory can be addressed by
//! position. A scavenge leaves a row in `removed` for each event that it removes ([`removed`]), and
//! no other position changes. Opening counts and scans nothing: the last position is the last key.
//! The cost of opening is the replay of the journal, whose size is bounded ([`JOURNAL_BYTES`]).
//!
//! `fjall` and not `redb`: measured with these keys and 600-byte events, synced per batch, on ext4.
//! A single append took 0.6 ms with `fjall` and 0.4 ms with `redb`, but 16 in a batch took 0.3 ms
//! against 2.7 ms, and 128 took 4 ms against 9.5 ms, with half the bytes written. Under load
//! appends come in groups, so the group counts.

mod batch;
mod check;
mod compaction;
pub(crate) mod event;
mod journal;
mod keys;
mod links;
mod mark;
mod pages;
mod private;
mod removed;
mod stored;
mod tables;
mod view;
mod waste;

use std::any::Any;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use event_store_protocol::scavenge::Removed;
use fjall::compaction::filter::Factory;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, LsmError, OwnedWriteBatch, PersistMode};
use prost::Message;
use tracing::warn;

use journal::{Acknowledged, HEAD_KEY, Repairs};
use mark::Mark;

use super::filter::TooHard;
pub(crate) use batch::{Batch, Replay};
pub use check::{CheckReport, check_log};
pub(crate) use compaction::Stop;
use compaction::Stoppable;
pub(crate) use event::Event;
pub(crate) use links::Resolved;
pub(crate) use pages::{AllPage, Direction, PageLimits, StreamPage};
pub(crate) use stored::{StoredEvent, StoredLimits, StoredStream};
pub(crate) use view::{View, Visible};
pub(crate) use waste::Waste;

/// The smallest size that `fjall` allows: it bounds the time that opening takes.
const JOURNAL_BYTES: u64 = 64 << 20;
const CACHE_BYTES: u64 = 32 << 20;
const MEMTABLE_BYTES: u64 = 8 << 20;
/// The files by which the engine recognises its folder: the last one that it writes when it creates
/// a folder, and the one that it locks.
const ENGINE_VERSION: &str = "version";
const ENGINE_LOCK: &str = "lock";
/// How many positions are noted in one batch, so that a batch stays small.
const NOTED_AT_ONCE: usize = 4096;
/// The version of the format of the keyspaces. A folder with another version is left alone.
const FORMAT: &[u8] = b"1";

/// Why the log could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The folder has no log.
    #[error("there is no log")]
    Missing,
    /// Another node uses the folder.
    #[error("another node is using it")]
    InUse,
    /// The log has another format, for example a newer one.
    #[error("it holds a log of format {0}, which this version cannot read")]
    Format(String),
    /// The engine failed.
    #[error("{0}")]
    Engine(fjall::Error),
    /// The system failed.
    #[error("{}{}", .0, remedy(.0))]
    System(#[from] io::Error),
    /// The folder could not be created.
    #[error("the folder cannot be made: {}{}", .0, remedy_of_folder(.0))]
    Folder(io::Error),
    /// The log is being reopened after a failed write.
    #[error("the log is being reopened")]
    Reopening,
    /// No fault of the disk: a reader's filter takes too long.
    #[error("the filter's expression takes too long")]
    FilterTooHard,
    /// The disk holds something that the node did not write.
    #[error("the log is damaged: {0}")]
    Damaged(String),
}

/// What to do about a system error.
fn remedy(error: &io::Error) -> &'static str {
    /// Too many open files, in the process or in the whole system.
    const TOO_MANY_OPEN: [Option<i32>; 2] = [Some(24), Some(23)];
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            ": the user that runs this needs the right to read and write the folder and all that is in it"
        }
        io::ErrorKind::ReadOnlyFilesystem => ": the log needs a folder that can be written",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": make room on the disk, or move the folder",
        _ if TOO_MANY_OPEN.contains(&error.raw_os_error()) => ": raise the limit of open files (`ulimit -n`)",
        _ => "",
    }
}

/// What to do if a folder cannot be created.
fn remedy_of_folder(error: &io::Error) -> &'static str {
    match remedy(error) {
        "" => ": choose a folder that can be made and written",
        remedy => remedy,
    }
}

impl From<fjall::Error> for StorageError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::InUse,
            fjall::Error::InvalidVersion(_) => {
                Self::Damaged(format!("the file {ENGINE_VERSION:?} does not name the version of the engine"))
            }
            fjall::Error::Storage(LsmError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Self::System(error)
            }
            fjall::Error::Storage(fault) => Self::Damaged(format!("what a table holds cannot be read: {fault:?}")),
            fault @ (fjall::Error::JournalRecovery(_)
            | fjall::Error::Decompress(_)
            | fjall::Error::InvalidTrailer
            | fjall::Error::InvalidTag(_)
            | fjall::Error::Unrecoverable) => Self::Damaged(format!("the engine cannot read it: {fault:?}")),
            fjall::Error::Io(error) => Self::System(error),
            error => Self::Engine(error),
        }
    }
}

impl StorageError {
    /// Whether it means that the disk does not hold what was written.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }
}

impl From<TooHard> for StorageError {
    fn from(_: TooHard) -> Self {
        Self::FilterTooHard
    }
}

impl From<prost::DecodeError> for StorageError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Damaged(error.to_string())
    }
}

pub(crate) struct Storage {
    database: Database,
    events: Keyspace,
    streams: Keyspace,
    limits: Keyspace,
    revisions: Keyspace,
    ids: Keyspace,
    removed: Keyspace,
    format: Keyspace,
    mark: Mutex<Mark>,
    /// What opening repaired in the journals, and what they hold.
    repairs: Repairs,
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

    fn open_repaired(folder: &Path, acknowledged: Acknowledged) -> Result<Self, StorageError> {
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
        guarded(|| check::verify_events(&self.view(), self.repairs.first.clone()))?;
        Ok(self)
    }

    fn open_engine(folder: &Path) -> Result<Self, StorageError> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .with_compaction_filter_factories(Arc::new(|_| Some(Arc::new(Stoppable) as Arc<dyn Factory>)))
            .open()?;
        let keyspace =
            |name: &str| database.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES));
        // Must be created first: the journal's check knows it by its number.
        let format = keyspace("format")?;
        match format.get("version")? {
            None => format.insert("version", FORMAT)?,
            Some(version) if *version == *FORMAT => {}
            Some(version) => return Err(StorageError::Format(String::from_utf8_lossy(&version).into_owned())),
        }
        Ok(Self {
            events: keyspace("events")?,
            streams: keyspace("streams")?,
            limits: keyspace("limits")?,
            revisions: keyspace("revisions")?,
            ids: keyspace("ids")?,
            removed: keyspace("removed")?,
            format,
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
        match self.format.get(HEAD_KEY)?.map(|head| keys::number_from(&head)).transpose()? {
            Some(head) if head != last => {
                Err(StorageError::Damaged(format!("its last event is at position {last}, but {head} was written")))
            }
            _ => Ok(()),
        }
    }

    #[cfg(test)]
    fn keyspaces(&self) -> [&Keyspace; 7] {
        [&self.format, &self.events, &self.streams, &self.limits, &self.revisions, &self.ids, &self.removed]
    }

    /// The log at this moment. Later commits are not visible in it.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(self, self.database.snapshot())
    }

    /// Writes a batch and returns when it is on disk. After a failure the state of the disk is
    /// unknown, so nothing can be written until the log is reopened.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<(), StorageError> {
        let Some((_, last)) = batch.events.last() else { return Ok(()) };
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncData));
        writes.insert(&self.format, HEAD_KEY, keys::position(last.position));
        let removed: HashSet<u64> = batch.removed.iter().flat_map(Removed::each_position).collect();
        for (number, event) in batch.events.iter().filter(|(_, event)| !removed.contains(&event.position)) {
            let position = keys::position(event.position);
            writes.insert(&self.events, position, event.record.encode_to_vec());
            writes.insert(&self.revisions, keys::revision(*number, event.record.revision), position);
            writes.insert(&self.ids, keys::id(*number, &event.record.id), event.record.revision.to_be_bytes());
        }
        for (name, stream) in &batch.streams {
            writes.insert(&self.streams, name.as_str(), stream.encode_to_vec());
        }
        for (name, limits) in &batch.limits {
            writes.insert(&self.limits, name.as_str(), limits.encode_to_vec());
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
            writes.insert(&self.removed, key, []);
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
            writes.remove(&self.events, key);
            writes.remove(&self.revisions, keys::revision(number, event.record.revision));
            if view.revision_of(number, &event.record.id)? == Some(event.record.revision) {
                writes.remove(&self.ids, keys::id(number, &event.record.id));
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
                writes.insert(&self.removed, keys::position(position), []);
            }
            writes.commit()?;
        }
        Ok(())
    }
}

/// How much of the log in a folder is known to be acknowledged.
fn acknowledged(folder: &Path) -> io::Result<Acknowledged> {
    Ok(Acknowledged::AtLeast(mark::read(folder)?.unwrap_or(0)))
}

/// Whether the engine has begun to create its files here.
fn is_made(folder: &Path) -> io::Result<bool> {
    Ok(folder.join(ENGINE_VERSION).try_exists()? || folder.join(ENGINE_LOCK).try_exists()?)
}

/// Runs a call of the engine. The engine panics on some unexpected content of its files. That is
/// damage, and is reported as damage.
pub(crate) fn guarded<T>(act: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let message = said_by(panic.as_ref());
        Err(StorageError::Damaged(format!("reading it ended in a panic: {message}")))
    })
}

fn said_by(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// The engine cannot open a folder whose creation was interrupted. Such a folder has no events yet.
fn remove_half_made(folder: &Path, acknowledged: Acknowledged) -> Result<(), StorageError> {
    if folder.join(ENGINE_VERSION).try_exists()? || !folder.join(ENGINE_LOCK).try_exists()? {
        return Ok(());
    }
    let _lock = lock(folder)?;
    if acknowledged != Acknowledged::AtLeast(0) {
        return Err(StorageError::Damaged(format!("the file {ENGINE_VERSION:?} is missing")));
    }
    for made in ["0.jnl", "keyspaces"] {
        let path = folder.join(made);
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    Ok(std::fs::remove_file(folder.join(ENGINE_LOCK))?)
}

/// Removes the log in a folder that no node is using.
pub fn remove_log(folder: &Path) -> Result<(), StorageError> {
    let _lock = lock(folder)?;
    Ok(std::fs::remove_dir_all(folder)?)
}

/// The engine's lock, held while the folder is read without the engine. `None`: the engine has no
/// folder here yet.
fn lock(folder: &Path) -> Result<Option<File>, StorageError> {
    match File::open(folder.join(ENGINE_LOCK)) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(StorageError::InUse),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;

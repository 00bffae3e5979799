//! The keyspaces of the log.

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::StorageError;

const MEMTABLE_BYTES: u64 = 8 << 20;
/// The version of the format of the keyspaces. A folder with another version is left alone.
const FORMAT: &[u8] = b"1";

pub(super) struct Keyspaces {
    pub(super) events: Keyspace,
    pub(super) streams: Keyspace,
    pub(super) limits: Keyspace,
    pub(super) revisions: Keyspace,
    pub(super) ids: Keyspace,
    pub(super) removed: Keyspace,
    pub(super) format: Keyspace,
}

impl Keyspaces {
    /// Opens them, and creates those that are missing.
    pub(super) fn open(database: &Database) -> Result<Self, StorageError> {
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
        })
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> [&Keyspace; 7] {
        [&self.format, &self.events, &self.streams, &self.limits, &self.revisions, &self.ids, &self.removed]
    }
}

//! The log while the node runs: open, being reopened after a failed write, or out of disk space.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::storage::{Stop, Storage, StorageError, guarded};

/// The disk has less free space than the node must leave free.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the disk has {} MiB left, and {} MiB are kept free", free >> 20, kept >> 20)]
pub(crate) struct NoRoom {
    free: u64,
    kept: u64,
}

pub(crate) struct Log {
    folder: PathBuf,
    /// Bytes. The engine needs some for data that it already accepted. Without any, the log would
    /// have to be reopened.
    kept_free: u64,
    /// `None` while it is closed in order to be reopened.
    storage: RwLock<Option<Storage>>,
    /// The storage is about to be reopened, so a compaction has to stop.
    is_reopening: Arc<AtomicBool>,
}

impl Log {
    pub(crate) fn open(folder: &Path, kept_free: u64) -> Result<Self, StorageError> {
        let storage = Storage::open(folder)?;
        Ok(Self { folder: folder.into(), kept_free, storage: RwLock::new(Some(storage)), is_reopening: Arc::default() })
    }

    /// Works on the storage, which stays open meanwhile. May block.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&Storage) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let storage = self.storage.read().unwrap_or_else(PoisonError::into_inner);
        let storage = storage.as_ref().ok_or(StorageError::Reopening)?;
        guarded(|| act(storage))
    }

    /// The same without waiting. `None`: the storage is being reopened.
    pub(crate) fn try_with<T>(
        &self,
        act: impl FnOnce(&Storage) -> Result<T, StorageError>,
    ) -> Option<Result<T, StorageError>> {
        let storage = self.storage.try_read().ok()?;
        let storage = storage.as_ref()?;
        Some(guarded(|| act(storage)))
    }

    /// Compacts the tables. `false`: stopped before the end. It also stops when the log has to be
    /// reopened: reopening waits for it, and all reads wait for reopening.
    pub(crate) fn compact(&self, stop: &Stop) -> Result<bool, StorageError> {
        let (is_reopening, is_told) = (self.is_reopening.clone(), stop.clone());
        let stop: Stop = Arc::new(move || is_reopening.load(Ordering::Acquire) || is_told());
        self.with(|storage| match storage.compact(&stop)? {
            false if self.is_reopening.load(Ordering::Acquire) => Err(StorageError::Reopening),
            is_whole => Ok(is_whole),
        })
    }

    /// Closes the storage when the last reader has finished, and opens it again with the
    /// acknowledged events.
    pub(crate) fn reopen(&self, acknowledged: u64) -> Result<(), StorageError> {
        self.is_reopening.store(true, Ordering::Release);
        let mut storage = self.storage.write().unwrap_or_else(PoisonError::into_inner);
        self.is_reopening.store(false, Ordering::Release);
        *storage = None;
        *storage = Some(Storage::open_again(&self.folder, acknowledged)?);
        Ok(())
    }

    /// Whether the disk has room. If the system does not report it, the node assumes room until a
    /// write fails.
    pub(crate) fn room(&self) -> Result<(), NoRoom> {
        let Some(free) = self.free() else { return Ok(()) };
        if free < self.kept_free { Err(NoRoom { free, kept: self.kept_free }) } else { Ok(()) }
    }

    /// The free space of the disk, in bytes, if the system reports it.
    pub(crate) fn free(&self) -> Option<u64> {
        free_space(&self.folder).ok()
    }

    /// The space that is left free, in bytes.
    pub(crate) fn kept_free(&self) -> u64 {
        self.kept_free
    }
}

/// The free space of the disk of a folder, in bytes, as far as this user may fill it.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

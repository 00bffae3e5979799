//! The folder of a log: its lock, and what the engine has created in it.

use std::fs::File;
use std::io;
use std::path::Path;

use super::files::{ENGINE_LOCK, ENGINE_VERSION};
use super::journal::Acknowledged;
use super::{StorageError, mark};

/// How much of the log in a folder is known to be acknowledged.
pub(super) fn acknowledged(folder: &Path) -> io::Result<Acknowledged> {
    Ok(Acknowledged::AtLeast(mark::read(folder)?.unwrap_or(0)))
}

/// Whether the engine has begun to create its files here.
pub(super) fn is_made(folder: &Path) -> io::Result<bool> {
    Ok(folder.join(ENGINE_VERSION).try_exists()? || folder.join(ENGINE_LOCK).try_exists()?)
}

/// The engine cannot open a folder whose creation was interrupted. Such a folder has no events yet.
pub(super) fn remove_half_made(folder: &Path, acknowledged: Acknowledged) -> Result<(), StorageError> {
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
pub(super) fn lock(folder: &Path) -> Result<Option<File>, StorageError> {
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

//! Why the log could not be opened, read or written.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fjall::LsmError;

use super::files::ENGINE_VERSION;
use crate::filter::TooHard;

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

//! Checks whether the embedded log is whole.

use command_line::data_folder::DataFolder;
use command_line::running::{self, Running};
use event_store_node::{CheckReport, StorageError, check_log};

/// Why a log was not checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Two processes cannot have a log open at once.
    #[error(
        "the event log in {folder} is in use by process {}: stop it, or check a copy, which `tenuto event-store backup --from '{}' \
         --to FOLDER` makes and checks", running.pid, running.event_store
    )]
    InUse {
        /// The folder of the log.
        folder: String,
        /// The process that uses it.
        running: Running,
    },
    /// The log cannot be opened or read.
    #[error("the event log in {folder} cannot be checked")]
    NotChecked {
        /// The folder of the log.
        folder: String,
        /// Why.
        source: StorageError,
    },
}

/// Checks the log in a data folder that no node is using.
pub fn check(data: &DataFolder) -> Result<CheckReport, CheckError> {
    let folder = data.event_store();
    let name = folder.display().to_string();
    if let Ok(Some(running)) = running::in_folder(&data.data, "") {
        return Err(CheckError::InUse { folder: name, running });
    }
    check_log(&folder).map_err(|source| CheckError::NotChecked { folder: name, source })
}

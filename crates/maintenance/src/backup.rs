//! Copies the log of a running node into a data folder, and checks the copy.

use std::fs;
use std::path::Path;

use command_line::data_folder::DataFolder;
use event_store::EventStore;
use event_store_node::backup::{self, BackupError, BackupReport};
use event_store_node::check_log;

/// Copies the log. A copy without events is removed again, because it would look like a backup.
pub async fn backup(log: &EventStore, to: &DataFolder) -> Result<BackupReport, BackupError> {
    let folder = to.event_store();
    let is_new = !folder.exists();
    let done = backup::backup(log, &folder).await;
    if is_new && is_empty(&folder, &done) {
        remove(&folder, &to.data);
    }
    done
}

/// Whether the copy has no event. A finished backup has counted its events; the copy of a failed
/// one is counted here.
fn is_empty(folder: &Path, done: &Result<BackupReport, BackupError>) -> bool {
    match done {
        Ok(report) => report.check.events == 0,
        Err(_) => check_log(folder).is_ok_and(|copy| copy.events == 0),
    }
}

/// Removes the copy, and the data folder if nothing else is in it.
fn remove(folder: &Path, data: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "the copy holds no event and could not be removed");
    }
    // A folder that holds anything else stays.
    let _ = fs::remove_dir(data);
}

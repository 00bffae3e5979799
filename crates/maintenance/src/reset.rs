//! Removes the data that belongs to a data folder, also if it is stored elsewhere.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use command_line::data_folder::DataFolder;
use command_line::running;
use event_store_node::{StorageError, remove_log};
use postgres_cluster::Belongings;

/// Why nothing was removed, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// No operator is at the terminal to confirm.
    #[error("nothing was removed: this is not a terminal, so no one can confirm; give --yes to remove what is listed")]
    NotConfirmed,
    /// The log was not removed.
    #[error("the log in {folder} was not removed")]
    Log {
        /// The folder of the log.
        folder: String,
        /// Why.
        source: StorageError,
    },
    /// A database was not found or not removed.
    #[error(transparent)]
    Database(#[from] postgres_cluster::Error),
    /// A file was not removed.
    #[error("cannot remove {path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The data to remove.
#[derive(Debug)]
pub struct Removable {
    /// The folder of the log.
    pub log: Option<PathBuf>,
    /// The databases.
    pub databases: Vec<Belongings>,
}

impl Removable {
    /// The data of this folder.
    pub fn of(data: &DataFolder) -> Result<Self, ResetError> {
        let log = Some(data.event_store()).filter(|folder| folder.is_dir());
        Ok(Self { log, databases: Belongings::of(&data.postgres())?.into_iter().collect() })
    }

    /// The databases of data folders that do not exist any more.
    pub fn orphans() -> Result<Self, ResetError> {
        Ok(Self { log: None, databases: Belongings::orphans()? })
    }

    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.log.is_none() && self.databases.is_empty()
    }

    /// Removes all of it, or nothing if a part of it is in use.
    pub async fn remove(self) -> Result<(), ResetError> {
        let databases = self.databases.into_iter().map(Belongings::claim).collect::<Result<Vec<_>, _>>()?;
        if let Some(log) = self.log {
            let folder = log.display().to_string();
            remove_log(&log).map_err(|source| ResetError::Log { folder, source })?;
        }
        for database in databases {
            database.remove().await?;
        }
        Ok(())
    }
}

/// Removes the record of an ended process, and then the folder if nothing else is in it.
pub fn remove_folder(data: &Path) -> Result<(), ResetError> {
    let failed = |source| ResetError::File { path: data.display().to_string(), source };
    running::forget_ended(data).map_err(failed)?;
    match fs::remove_dir(data) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => Ok(()),
        removed => removed.map_err(failed),
    }
}

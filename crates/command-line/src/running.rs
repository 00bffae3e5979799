//! The record of what runs in a data folder: `tenuto dev` and `tenuto event-store` write the
//! addresses of their servers there. Commands in the same folder find the servers by it.
//!
//! The process keeps a lock on the record for as long as it lives. A record that is not locked is
//! of a process that was killed.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::data_folder::{DataFolder, USUAL_DATA};

const FILE: &str = "running.json";
/// URLs may hold passwords.
const PRIVATE: u32 = 0o600;
/// No record is larger.
const MAX_BYTES: u64 = 64 * 1024;
/// How often the lock is tried, and the pause after each try.
const LOCK_TRIES: usize = 25;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// The log, if none is named and no process runs in this folder.
const USUAL_LOG: &str = "esdb://127.0.0.1:2113?tls=false";
/// The server, if none is named and no process runs in this folder.
const USUAL_SERVER: &str = "http://127.0.0.1:7007";

/// Where the servers of a running process are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// The process.
    pub pid: u32,
    /// The server of commands and queries. `None`: the process is a log alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The log.
    pub event_store: String,
    /// The database of the views. `None`: the process is a log alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
}

/// Its URLs may hold passwords.
impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// Why the servers that a command needs were not found.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Its process was killed.
    #[error(
        "the process that used {} (process {pid}) is not running any more: start it again, or name other servers ({options}); \
         `tenuto replay` and `tenuto audit` read its log where it lies, with --data {}", data.display(), data.display()
    )]
    Ended {
        /// The data folder.
        data: PathBuf,
        /// The process that was killed.
        pid: u32,
        /// The options that name other servers.
        options: &'static str,
    },
    /// No process runs in a folder that holds a log.
    #[error(
        "{} is the data folder of `tenuto dev`, which is not running: start it, or name other servers ({options}); \
         `tenuto replay` and `tenuto audit` read its log where it lies, with --data {}", data.display(), data.display()
    )]
    NotRunning {
        /// The data folder.
        data: PathBuf,
        /// The options that name other servers.
        options: &'static str,
    },
    /// The record cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable {
        /// The file of the record.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The record of this process. Dropping it removes the record.
#[derive(Debug)]
pub struct Record {
    file: PathBuf,
    /// Keeps the lock.
    _locked: File,
}

impl Running {
    /// Writes the record. A process that cannot write it still runs: commands then need the
    /// addresses as options.
    pub fn record(&self, data: &Path) -> Option<Record> {
        let written = Record::write(data, self);
        let warn = |error: &std::io::Error| {
            tracing::warn!(%error, folder = %data.display(), "the addresses of the servers cannot be recorded: name them to commands, with --server or --event-store");
        };
        written.inspect_err(warn).ok()
    }
}

impl Record {
    /// Writes the record, and locks it.
    pub fn write(data: &Path, running: &Running) -> std::io::Result<Self> {
        let file = data.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, PRIVATE);
        std::fs::create_dir_all(data)?;
        let mut locked = options.open(&file)?;
        // A file that exists keeps its mode when it is opened.
        locked.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(PRIVATE))?;
        lock(&locked)?;
        locked.set_len(0)?;
        locked.rewind()?;
        locked.write_all(&serde_json::to_vec_pretty(running)?)?;
        locked.flush()?;
        Ok(Self { file, _locked: locked })
    }
}

/// A command that reads the record locks it for a moment, so this is tried again.
fn lock(file: &File) -> std::io::Result<()> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(std::io::Error::other("another process of this folder is running"))
}

impl Drop for Record {
    fn drop(&mut self) {
        // A record that cannot be removed is not locked any more: it counts as that of an ended
        // process.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The record in a data folder, if there is one, and whether its process still runs.
fn look(data: &Path) -> Result<Option<Found>, NotFound> {
    let file = data.join(FILE);
    let unreadable = |source| NotFound::Unreadable { file: file.clone(), source };
    let opened = match File::open(&file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let lives = match opened.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => return Err(unreadable(error)),
    };
    let mut text = String::new();
    opened.take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    let running = serde_json::from_str(&text).map_err(|error| unreadable(error.into()))?;
    Ok(Some(Found { running, lives }))
}

struct Found {
    running: Running,
    lives: bool,
}

/// Removes the record that a killed process has left.
pub fn forget_ended(data: &Path) -> std::io::Result<()> {
    if let Ok(None | Some(Found { lives: true, .. })) = look(data) {
        return Ok(());
    }
    std::fs::remove_file(data.join(FILE))
}

/// The folder in which commands look by default.
fn usual_folder() -> PathBuf {
    std::env::var_os("TENUTO_DATA").map_or_else(|| PathBuf::from(USUAL_DATA), PathBuf::from)
}

/// The process that runs in this folder. The record of a killed one is an error, which names these
/// options.
pub fn in_folder(data: &Path, options: &'static str) -> Result<Option<Running>, NotFound> {
    match look(data)? {
        Some(Found { running, lives: true }) => Ok(Some(running)),
        Some(Found { running, lives: false }) => {
            Err(NotFound::Ended { data: data.to_owned(), pid: running.pid, options })
        }
        None => Ok(None),
    }
}

/// The process that runs in the folder in which commands look.
pub fn in_usual_folder(options: &'static str) -> Result<Option<Running>, NotFound> {
    in_folder(&usual_folder(), options)
}

/// A server of the process that runs in the folder in which commands look. `None`: no process has
/// run there. If the folder holds a log and its process does not run, that is an error: the default
/// servers would belong to another installation.
fn of_folder<T>(of: impl FnOnce(Running) -> Option<T>, options: &'static str) -> Result<Option<T>, NotFound> {
    let data = usual_folder();
    if let Some(running) = in_folder(&data, options)? {
        return Ok(of(running));
    }
    if (DataFolder { data: data.clone() }).event_store().is_dir() {
        return Err(NotFound::NotRunning { data, options });
    }
    Ok(None)
}

/// The log that a command reads: the named one, the log of the process in this folder, or the
/// default.
pub fn event_store(named: Option<&str>) -> Result<String, NotFound> {
    let found = match named {
        Some(named) => Some(named.to_owned()),
        None => of_folder(|running| Some(running.event_store), "--event-store")?,
    };
    Ok(found.unwrap_or_else(|| USUAL_LOG.to_owned()))
}

/// The database that a command uses: the named one, or the database of the process in this folder.
pub fn postgres(named: Option<&str>) -> Result<Option<String>, NotFound> {
    match named {
        Some(named) => Ok(Some(named.to_owned())),
        None => Ok(in_usual_folder("--postgres")?.and_then(|running| running.postgres)),
    }
}

/// The server that a client command calls: the named one, the process in this folder, or the
/// default.
pub fn server(named: Option<&str>) -> Result<String, NotFound> {
    let found = match named {
        Some(named) => Some(named.to_owned()),
        None => of_folder(|running| running.server, "--server")?,
    };
    Ok(found.unwrap_or_else(|| USUAL_SERVER.to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn running() -> Running {
        let own = |place: &str| Some(place.to_owned());
        Running {
            pid: 7,
            server: own("http://h:1"),
            event_store: "esdb://h:2".to_owned(),
            postgres: own("postgres://h"),
        }
    }

    #[test]
    fn a_record_is_found_while_its_process_lives_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert_eq!(in_folder(&data, "").unwrap(), None);
        let record = Record::write(&data, &running()).unwrap();
        assert_eq!(in_folder(&data, "").unwrap(), Some(running()));
        assert_eq!(std::fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777, PRIVATE);
        assert!(Record::write(&data, &running()).is_err(), "one process a folder");
        drop(record);
        assert_eq!(in_folder(&data, "").unwrap(), None);
    }

    #[test]
    fn a_record_of_a_process_that_was_killed_says_so() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), serde_json::to_vec(&running()).unwrap()).unwrap();
        let error = in_folder(folder.path(), "--event-store").unwrap_err().to_string();
        assert!(
            error.contains("process 7") && error.contains("not running") && error.contains("--event-store"),
            "{error}"
        );
        let again = Record::write(folder.path(), &running()).unwrap();
        assert!(in_folder(folder.path(), "").unwrap().is_some());
        drop(again);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        let error = in_folder(folder.path(), "").unwrap_err().to_string();
        assert!(error.contains(FILE), "{error}");
    }
}

//! The errors of a cluster. Each message tells the reader what to do next.

use std::{io, path::PathBuf, time::Duration};

use crate::exit::Exit;

/// Why no cluster is running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable server binaries were found.
    #[error("no PostgreSQL server found (looked in: {looked}; {download}). Install one: {install}")]
    NoBinaries {
        /// The searched folders.
        looked: String,
        /// The result of the download.
        download: String,
        /// The command that installs a server on this platform.
        install: String,
    },
    /// `PG_BIN` names a folder without usable binaries.
    #[error("PG_BIN names {}, where no usable `initdb` and `postgres` are. Correct it, or unset it and install PostgreSQL: {install}", path.display())]
    UnusablePgBin {
        /// The named folder.
        path: PathBuf,
        /// The command that installs a server on this platform.
        install: String,
    },
    /// Binaries were found, but not of the version that the data needs, or none recent enough.
    #[error("{needed} is needed, found: {found}. Install it, or name its folder in PG_BIN")]
    WrongVersion {
        /// The needed version.
        needed: String,
        /// The found versions.
        found: String,
    },
    /// Another process runs this cluster.
    #[error("the Postgres cluster in {} is in use by another process", folder.display())]
    InUse {
        /// The cluster's folder.
        folder: PathBuf,
    },
    /// This process runs as root, and no other user exists to run the server.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor a user `nobody` to run it as"
    )]
    NoServerUser,
    /// The user of this process has no name, by which the server knows who connects.
    #[error("the user of this process has no name (`id -nu` gives none); give it an entry in /etc/passwd")]
    NoUserName,
    /// A folder that must be private belongs to another user.
    #[error("{} must belong to this user, but belongs to another user", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed ({status}): {output}")]
    Initialise {
        /// The exit status.
        status: std::process::ExitStatus,
        /// The output.
        output: String,
    },
    /// The server of an earlier process cannot be stopped.
    #[error("the server of an earlier run (process {pid}) does not stop")]
    LeftoverStays {
        /// The process id.
        pid: i32,
    },
    /// The server ended instead of answering.
    #[error("postgres {0}")]
    Exited(Exit),
    /// The server runs but does not answer.
    #[error("postgres gave no answer within {limit:?}; its log ends with: {log}")]
    NotReady {
        /// The limit of the wait.
        limit: Duration,
        /// The end of its log.
        log: String,
    },
    /// Not a valid name of a database.
    #[error("{0:?} cannot name a database: 1 to 63 bytes, no NUL")]
    DatabaseName(String),
    /// The server answered with an error.
    #[error("postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// A file or process operation failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// The operation.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Adds the operation to an IO error.
pub(crate) trait Doing<T> {
    fn doing(self, describe: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, describe: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { doing: describe(), source })
    }
}

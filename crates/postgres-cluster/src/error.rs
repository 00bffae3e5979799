//! Everything that can go wrong, said so that the reader knows what to do next.

use std::{io, path::PathBuf, time::Duration};

use crate::Exit;

/// Why there is no running cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable server binaries anywhere.
    #[error("no PostgreSQL server found (looked in: {looked}; {download}). Install one: {install}")]
    NoBinaries {
        /// The places that were looked at.
        looked: String,
        /// What became of fetching them.
        download: String,
        /// The one command that installs a server on this platform.
        install: String,
    },
    /// `PG_BIN` names a folder without usable binaries.
    #[error("PG_BIN names {}, where no usable `initdb` and `postgres` are. Correct it, or unset it and install PostgreSQL: {install}", path.display())]
    UnusablePgBin {
        /// The folder it names.
        path: PathBuf,
        /// The one command that installs a server on this platform.
        install: String,
    },
    /// Binaries were found, but none of the version that the data needs, or none recent enough.
    #[error("{needed} is needed, found: {found}. Install it, or name its folder in PG_BIN")]
    WrongVersion {
        /// What would do.
        needed: String,
        /// What there is.
        found: String,
    },
    /// Another process runs this cluster.
    #[error("the Postgres cluster in {} is in use by another process", folder.display())]
    InUse {
        /// The cluster's folder.
        folder: PathBuf,
    },
    /// We are root, and there is nobody else to run the server as.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor a user `nobody` to run it as"
    )]
    NoServerUser,
    /// A folder that must be private belongs to somebody else.
    #[error("{} must be a folder of our own, but belongs to somebody else", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed ({status}): {output}")]
    Initialise {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        output: String,
    },
    /// A server left behind by an earlier process cannot be stopped.
    #[error("the server of an earlier run (process {pid}) does not stop")]
    LeftoverStays {
        /// Its process.
        pid: i32,
    },
    /// The server ended instead of answering.
    #[error("postgres {0}")]
    Exited(Exit),
    /// The server runs but does not answer.
    #[error("postgres gave no answer within {limit:?}; it said: {log}")]
    NotReady {
        /// How long it was waited for.
        limit: Duration,
        /// The end of its log.
        log: String,
    },
    /// Not a name a database can have.
    #[error("{0:?} cannot name a database: 1 to 63 bytes, no NUL")]
    DatabaseName(String),
    /// The server answered with an error.
    #[error("postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// A file or process operation failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// Says what was being tried when an IO operation failed.
pub(crate) trait Doing<T> {
    fn doing(self, describe: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, describe: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { doing: describe(), source })
    }
}

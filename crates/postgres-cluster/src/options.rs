//! What a caller may choose about a cluster.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// How and where a cluster is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of this cluster, created when missing. One process at a time may run it.
    pub folder: PathBuf,
    /// Whether a committed transaction must outlive a power cut. `false` is for tests: it trades that for speed.
    pub durable: bool,
    /// Where the server's binaries are looked for.
    pub search: Search,
    /// How long the server may take to answer its first query. Recovery after a crash is part of it.
    pub start_limit: Duration,
}

impl Options {
    /// A durable cluster in `folder`, with binaries from wherever the environment has them.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            durable: true,
            search: Search::from_environment(),
            start_limit: Duration::from_mins(2),
        }
    }
}

/// Where the server's binaries are looked for, in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// A folder named by the user. When given, it is the only one looked at, so that a wrong one is noticed.
    pub pg_bin: Option<PathBuf>,
    /// Folders in the form of the variable `PATH`.
    pub path: Option<OsString>,
    /// Whether to look where distributions and Homebrew put them.
    pub usual_places: bool,
    /// Where fetched binaries are kept; `None` forbids fetching them.
    pub download_to: Option<PathBuf>,
}

impl Search {
    /// `PG_BIN`, `PATH`, the usual places, and then a download into the user's cache folder.
    pub fn from_environment() -> Self {
        Self {
            pg_bin: std::env::var_os("PG_BIN").filter(|value| !value.is_empty()).map(PathBuf::from),
            path: std::env::var_os("PATH"),
            usual_places: true,
            download_to: cache_folder(),
        }
    }
}

/// Root's own cache would be out of reach of the user that the server runs as, so root uses the machine's.
fn cache_folder() -> Option<PathBuf> {
    let base = if rustix::process::geteuid().is_root() {
        Some(PathBuf::from("/var/cache"))
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("tenuto/postgres"))
}

fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| Path::is_absolute(path))
}

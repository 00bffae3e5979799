//! The options of a cluster.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use crate::download::Download;

/// How and where to run a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the cluster, created if missing. One process at a time may run it.
    pub folder: PathBuf,
    /// Whether a committed transaction must survive a power cut. `false` is for tests: it is
    /// faster.
    pub durable: bool,
    /// Where to find the server's binaries.
    pub search: Search,
    /// The limit until the first answer, with recovery after a crash.
    pub start_limit: Duration,
    /// Further settings of the server, as name and value. The last value of a name counts.
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// A durable cluster in `folder`, with binaries from the environment.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            durable: true,
            search: Search::from_environment(),
            start_limit: Duration::from_mins(2),
            settings: Vec::new(),
        }
    }
}

/// Where to find the server's binaries, in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// A folder named by the user. Then no other folder is searched, so that a wrong one is
    /// noticed.
    pub pg_bin: Option<PathBuf>,
    /// Folders in the form of the variable `PATH`.
    pub path: Option<OsString>,
    /// Whether to search the folders of distributions and Homebrew.
    pub usual_places: bool,
    /// Downloads; `None` forbids them.
    pub download: Option<Download>,
}

impl Search {
    /// `PG_BIN`, `PATH`, the usual places, and then a download into the user's cache folder.
    pub fn from_environment() -> Self {
        Self {
            pg_bin: std::env::var_os("PG_BIN").filter(|value| !value.is_empty()).map(PathBuf::from),
            path: std::env::var_os("PATH"),
            usual_places: true,
            download: Download::from_environment(),
        }
    }
}

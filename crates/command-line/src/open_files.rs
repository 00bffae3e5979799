//! How many files the process may open, and who may read those that it makes.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// The least that a role needs: for the log, the connections to the database, and some clients.
const NEEDED: u64 = 256;

/// What is enough for every role.
const MANY: u64 = 65_536;

/// The process may open too few files.
#[derive(Debug, thiserror::Error)]
#[error(
    "this process may open {allowed} files, and needs {NEEDED}: raise the limit, by `ulimit -n 4096` in the shell or \
     `LimitNOFILE=4096` in the systemd unit"
)]
pub struct TooFewFiles {
    allowed: u64,
}

/// Closes all files and folders that this process makes to other users. They hold orders, keys and
/// URLs.
pub fn keep_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Raises the limit as far as the system allows. Shells have a low limit because of old programs.
pub fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(MANY, |maximum| maximum.min(MANY));
    if limit.current.is_some_and(|current| current < most) {
        // Roles check afterwards whether it is enough.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit }).is_ok();
    }
}

/// Checks that a role has enough. Without this check it would fail later, with an error about
/// something else.
pub fn suffice() -> Result<(), TooFewFiles> {
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < NEEDED => Err(TooFewFiles { allowed }),
        _ => Ok(()),
    }
}

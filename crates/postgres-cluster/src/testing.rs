//! For tests: a fresh database per call, all in one cluster per test process; and clusters of a test's own, to be killed.
//!
//! The cluster starts with the first database asked for. Nothing is dropped at the end of a test process, so the kernel
//! stops the server then, and the next test process removes what it left.

use std::{
    fs::{File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::OnceCell;

use crate::{Cluster, Error, Options, error::Doing, leftover::stop_leftover};

/// One per process, whatever number of runtimes its tests have.
static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);
/// Many times what a cluster with its tests' databases takes: with less, files in memory are none of our business.
const MEMORY_BYTES_MIN: u64 = 4 << 30;

struct TestCluster {
    cluster: Cluster,
    /// Held for as long as the process lives: it says to others that the folder is in use.
    _owner: File,
}

/// A database of one test's own. It is dropped, connections or not, when this value is.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
}

impl TestDatabase {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A new, empty database.
///
/// # Panics
/// When there can be no cluster: a test without its database has failed, and the message says why.
pub async fn database() -> TestDatabase {
    match fresh_database().await {
        Ok(database) => database,
        Err(error) => panic!("no test database: {error}"),
    }
}

async fn fresh_database() -> Result<TestDatabase, Error> {
    let TestCluster { cluster, .. } = CLUSTER.get_or_try_init(start).await?;
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    cluster.create_database(&name).await?;
    Ok(TestDatabase { url: cluster.url(&name), name })
}

impl Drop for TestDatabase {
    /// On a thread and runtime of its own, because the test's runtime may be ending. What the end of the process leaves
    /// undone, it also makes needless.
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        let _ = thread::Builder::new().name("drop-test-database".into()).spawn(move || {
            let (Some(test), Ok(runtime)) =
                (CLUSTER.get(), tokio::runtime::Builder::new_current_thread().enable_all().build())
            else {
                return;
            };
            if let Err(error) = runtime.block_on(test.cluster.drop_database(&name)) {
                tracing::debug!("test database {name} stays: {error}");
            }
        });
    }
}

/// A cluster of one test's own, which can be stopped, killed and started again. What was committed is kept.
#[derive(Debug)]
pub struct OwnCluster {
    cluster: Option<Cluster>,
    options: Options,
    url: String,
    folder: PathBuf,
    /// Held for as long as the value lives: it says to others that the folder is in use.
    _owner: File,
}

impl OwnCluster {
    /// Starts one, with an empty database.
    pub async fn start() -> Result<Self, Error> {
        let (folder, owner) = own_folder().await?;
        let options = Options::new(folder.join("cluster"));
        let cluster = Cluster::start(options.clone()).await?;
        cluster.create_database("test").await?;
        Ok(Self { url: cluster.url("test"), cluster: Some(cluster), options, folder, _owner: owner })
    }

    /// The database's URL: the same after every start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server as an administrator would: what is under way is broken off.
    pub async fn stop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await;
        }
    }

    /// Kills the server, as running out of memory would.
    pub async fn kill(&mut self) {
        let Some(cluster) = self.cluster.take() else { return };
        if let Some(pid) = cluster.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            // It may be ending by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
        cluster.exited().await;
    }

    /// Starts it again.
    pub async fn start_again(&mut self) -> Result<(), Error> {
        if self.cluster.is_none() {
            self.cluster = Some(Cluster::start(self.options.clone()).await?);
        }
        Ok(())
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        // What is still being written there is removed by the next test process.
        drop(self.cluster.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn start() -> Result<TestCluster, Error> {
    let (folder, owner) = own_folder().await?;
    let options = Options { durable: false, ..Options::new(folder.join("cluster")) };
    Ok(TestCluster { cluster: Cluster::start(options).await?, _owner: owner })
}

/// A folder for a cluster, and what says that it is in use.
async fn own_folder() -> Result<(PathBuf, File), Error> {
    let base = base()?;
    let doing = || format!("prepare {}", base.display());
    // While this is held nobody sweeps, so a folder that is new and not yet owned is safe.
    let turn = open(&base.join("turn")).doing(doing)?;
    turn.lock().doing(doing)?;
    sweep(&base).await?;
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&base).doing(doing)?.keep();
    enterable(&folder)?;
    let owner = open(&folder.join("owner")).doing(doing)?;
    owner.lock().doing(doing)?;
    drop(turn);
    Ok((folder, owner))
}

/// In memory where there is plenty, so that tests do not wait for a disk that builds keep busy; else under `/tmp`. Any
/// user can reach either, and both names are short enough for a socket's address.
fn base() -> Result<PathBuf, Error> {
    let us = rustix::process::geteuid().as_raw();
    let memory = Path::new("/dev/shm");
    let parent = if bytes_free(memory) >= MEMORY_BYTES_MIN { memory } else { Path::new("/tmp") };
    let base = parent.join(format!("tenuto-tests-{us}"));
    if let Err(error) = std::fs::create_dir(&base)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error).doing(|| format!("create {}", base.display()));
    }
    let found = base.symlink_metadata().doing(|| format!("look at {}", base.display()))?;
    if !found.is_dir() || found.uid() != us {
        return Err(Error::NotOurs { path: base });
    }
    enterable(&base)?;
    Ok(base)
}

fn bytes_free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |system| system.f_bavail.saturating_mul(system.f_frsize))
}

/// For the server's user, whatever our own habits are.
fn enterable(folder: &Path) -> Result<(), Error> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o755)).doing(|| format!("open {}", folder.display()))
}

/// Removes the folders of test processes that are no more, and their servers where the kernel did not stop them.
async fn sweep(base: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(base).doing(|| format!("list {}", base.display()))?.flatten() {
        let folder = entry.path();
        let abandoned = folder.is_dir() && open(&folder.join("owner")).is_ok_and(|owner| owner.try_lock().is_ok());
        if !abandoned {
            continue;
        }
        let data = folder.join("cluster/data");
        // What cannot be stopped or removed now (a backend is just writing there) is left to the next.
        let _ = stop_leftover(&data).await;
        let _ = std::fs::remove_dir_all(&folder);
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

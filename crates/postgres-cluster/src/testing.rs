//! For tests: a fresh database for each call, all in one cluster for each test process; and
//! clusters that a test can kill.
//!
//! The cluster starts with the first database. Nothing is dropped when a test process ends, so the
//! kernel stops the server then, and the next test process removes the files.

use std::{
    fs::{File, OpenOptions, Permissions},
    io,
    net::Ipv4Addr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::OnceCell;

use crate::{Cluster, Error, Options, error::Doing, identity::Identity, leftover::stop_leftover};

/// One for each process, with any number of runtimes.
static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);
static ADDRESSES: AtomicU32 = AtomicU32::new(0);
/// Many times the size of a cluster with its tests' databases. With less free memory, files in
/// memory could harm others.
const MEMORY_BYTES_MIN: u64 = 4 << 30;

struct TestCluster {
    cluster: Cluster,
    /// Held until the process ends: it marks the folder as in use.
    _owner: File,
}

/// A database for one test. It is dropped with this value, even with open connections.
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
/// If no cluster can start: a test without its database has failed, and the message has the reason.
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
    /// In another thread and runtime, because the test's runtime may be ending. The end of the
    /// process makes unfinished drops needless.
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

/// What a server speaks TLS with, in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Its certificate.
    pub certificate: String,
    /// The key of the certificate.
    pub key: String,
    /// The authority of clients' certificates.
    pub client_ca: String,
}

/// A loopback address that no other test of this machine listens on: where the system has more than
/// one, as Linux has.
pub fn loopback_address() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    // Tests of a process have the second part for themselves.
    let nth = ADDRESSES.fetch_add(1, Ordering::Relaxed) % 200;
    Ipv4Addr::new(127, 1 + u8::try_from(nth).unwrap_or_default(), high, low)
}

/// A cluster for one test, which can be stopped, killed and started again. Committed data are kept.
#[derive(Debug)]
pub struct OwnCluster {
    cluster: Option<Cluster>,
    options: Options,
    url: String,
    folder: PathBuf,
    /// Held as long as the value: it marks the folder as in use.
    _owner: File,
}

impl OwnCluster {
    /// Starts a cluster with an empty database.
    pub async fn start() -> Result<Self, Error> {
        let (folder, owner) = own_folder().await?;
        let options = Options::new(folder.join("cluster"));
        Self::start_with(folder, owner, options).await
    }

    async fn start_with(folder: PathBuf, owner: File, options: Options) -> Result<Self, Error> {
        let cluster = Cluster::start(options.clone()).await?;
        cluster.create_database("test").await?;
        Ok(Self { url: cluster.url("test"), cluster: Some(cluster), options, folder, _owner: owner })
    }

    /// The same, and other hosts reach it at these loopback addresses, on port 5432, with TLS if
    /// there are files for it. `access` is its `pg_hba.conf`.
    pub async fn on_the_network(addresses: &[Ipv4Addr], tls: Option<&TlsFiles>, access: &str) -> Result<Self, Error> {
        let (folder, owner) = own_folder().await?;
        let cluster = folder.join("cluster");
        let identity = Identity::choose(&cluster.join("data"))?;
        let write = |name: &str, content: &str| {
            let path = folder.join(name);
            std::fs::write(&path, content).doing(|| format!("write {}", path.display()))?;
            // The server refuses a key that others can read.
            std::fs::set_permissions(&path, Permissions::from_mode(0o600))
                .doing(|| format!("protect {}", path.display()))?;
            identity.own(&path)?;
            Ok::<_, Error>(path.display().to_string())
        };
        let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let mut settings = vec![("listen_addresses", addresses), ("hba_file", write("pg_hba.conf", access)?)];
        if let Some(TlsFiles { certificate, key, client_ca }) = tls {
            settings.push(("ssl", "on".to_owned()));
            settings.push(("ssl_cert_file", write("server.pem", certificate)?));
            settings.push(("ssl_key_file", write("server.key", key)?));
            settings.push(("ssl_ca_file", write("clients.pem", client_ca)?));
        }
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self::start_with(folder, owner, Options { settings, ..Options::new(cluster) }).await
    }

    /// The database's URL: the same after every start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server as an administrator would: running transactions are aborted.
    pub async fn stop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await;
        }
    }

    /// Kills the server, as the kernel does without memory.
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
        // The next test process removes files that are still being written.
        drop(self.cluster.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn start() -> Result<TestCluster, Error> {
    let (folder, owner) = own_folder().await?;
    let options = Options { durable: false, ..Options::new(folder.join("cluster")) };
    Ok(TestCluster { cluster: Cluster::start(options).await?, _owner: owner })
}

/// A folder for a cluster, and the mark that it is in use.
async fn own_folder() -> Result<(PathBuf, File), Error> {
    let base = base()?;
    let doing = || format!("prepare {}", base.display());
    // While this lock is held no process sweeps, so a new folder without an owner is safe.
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

/// In memory if plenty is free, so that tests do not wait for a disk that builds keep busy;
/// otherwise under `/tmp`. Any user can reach both, and both names are short enough for a socket's
/// address.
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

/// For the server's user, regardless of our umask.
fn enterable(folder: &Path) -> Result<(), Error> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o755)).doing(|| format!("open {}", folder.display()))
}

/// Removes the folders of ended test processes, and their servers if the kernel did not stop them.
async fn sweep(base: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(base).doing(|| format!("list {}", base.display()))?.flatten() {
        let folder = entry.path();
        let abandoned = folder.is_dir() && open(&folder.join("owner")).is_ok_and(|owner| owner.try_lock().is_ok());
        if !abandoned {
            continue;
        }
        let data = folder.join("cluster/data");
        // What cannot be stopped or removed now (a backend may still write there) is left to the
        // next process.
        let _ = stop_leftover(&data).await;
        let _ = std::fs::remove_dir_all(&folder);
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

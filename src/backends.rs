//! The log and the database: the ones that are named, or embedded ones under the data folder.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::stream_prefix;
use domain::wire::participants::{REPLY_STREAM_PREFIX, REQUEST_STREAM_PREFIX};
use domain::wire::{KEY_STREAM_PREFIX, WORKFLOW_STREAM_PREFIX};
use event_store::client::{AppendError, EventStore, LOG_STREAM, ReadError};
use event_store::node::{Node, NodeHandle, NodeOptions};
use postgres_cluster::Cluster;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::time::timeout;

use crate::args::ServerUrls;
use crate::running::{self, NotFound};
use crate::stream_prefix::{adopt_begun, adopt_in_time};

/// The prefixes of the streams that participants append to, where they are asked by events.
pub(crate) const PARTICIPANT_STREAMS: [&str; 1] = [REPLY_STREAM_PREFIX];
/// The database of the embedded cluster.
const DATABASE: &str = "tenuto";
/// Connections a process keeps.
const MOST_CONNECTIONS: u32 = 16;
/// A role that cannot tell so soon whether it may read the log goes on without knowing.
const LOG_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How often in a row the embedded database is started again.
const MOST_RESTARTS: u32 = 6;
/// The pause before a restart grows by this much each time.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// A database that runs for this long counts as started.
const LASTING: Duration = Duration::from_mins(1);
/// How long the first connection may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection: a command is answered within five seconds, also during
/// an outage.
const ACQUIRING: Duration = Duration::from_secs(4);

/// A role on its own needs servers that others reach too.
#[derive(Debug, thiserror::Error)]
#[error("{what} is not named: give {flag} or {variable}")]
pub(crate) struct NotNamed {
    what: &'static str,
    flag: &'static str,
    variable: &'static str,
}

impl NotNamed {
    /// The log is not.
    pub const EVENT_STORE: Self = Self { what: "the log", flag: "--event-store", variable: "TENUTO_EVENTSTORE" };
    /// The database is not.
    pub const POSTGRES: Self = Self { what: "the database", flag: "--postgres", variable: "TENUTO_POSTGRES" };
}

impl ServerUrls {
    /// The log's connection string.
    pub fn named_event_store(&self) -> Result<&str, NotNamed> {
        self.event_store.as_deref().ok_or(NotNamed::EVENT_STORE)
    }

    /// The servers of a command: the ones that are named, or else those of the process that runs in
    /// this folder.
    pub fn or_running(self) -> Result<Self, NotFound> {
        if self.event_store.is_some() || self.postgres.is_some() {
            return Ok(self);
        }
        let Some(running) = running::in_usual_folder("--event-store and --postgres")? else { return Ok(self) };
        Ok(Self { event_store: Some(running.event_store), postgres: running.postgres, ..self })
    }

    /// The database's URL.
    pub fn named_postgres(&self) -> Result<&str, NotNamed> {
        self.postgres.as_deref().ok_or(NotNamed::POSTGRES)
    }
}

/// The prefixes of the streams that a command handler appends to.
pub(crate) fn command_streams() -> [&'static str; 4] {
    [stream_prefix::get(), WORKFLOW_STREAM_PREFIX, REQUEST_STREAM_PREFIX, KEY_STREAM_PREFIX]
}

/// Takes the stream prefix of a log that was found to be the right one. Another role may have begun
/// the log since this one started, with another prefix.
pub(crate) async fn adopt_verified(log: &EventStore, given: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {
    let before = stream_prefix::get();
    adopt_begun(log, given).await?;
    let adopted = stream_prefix::get();
    if adopted != before {
        may_append(log, &[adopted]).await?;
    }
    Ok(())
}

/// Checks that the log may be read. Only an administrator can give a missing right, so the role
/// does not wait for it: it ends.
pub(crate) async fn may_read(log: &EventStore) -> Result<(), NoRight> {
    may_append(log, &[]).await
}

/// Checks the same, and that events may be appended to streams with these prefixes and to the log's
/// own stream.
pub(crate) async fn may_append(log: &EventStore, prefixes: &[&str]) -> Result<(), NoRight> {
    // A log that does not answer yet may still be starting, on another machine.
    timeout(LOG_ANSWERS_WITHIN, rights(log, prefixes)).await.unwrap_or(Ok(()))
}

async fn rights(log: &EventStore, prefixes: &[&str]) -> Result<(), NoRight> {
    if let Err(error @ ReadError::Refused(_)) = log.head().await {
        return Err(NoRight::Read(error));
    }
    // No order, workflow or participant has such a name.
    let probes = prefixes.iter().map(|prefix| format!("{prefix}.rights"));
    let own = (!prefixes.is_empty()).then(|| LOG_STREAM.to_owned());
    for stream in own.into_iter().chain(probes) {
        if let Err(source @ AppendError::Refused(_)) = log.may_append(&stream).await {
            return Err(NoRight::Append { stream, source });
        }
    }
    Ok(())
}

/// What the user of the connection string may not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRight {
    #[error("$all cannot be read by the user of --event-store (TENUTO_EVENTSTORE): {0}")]
    Read(ReadError),
    #[error("the stream {stream} cannot be appended to by the user of --event-store (TENUTO_EVENTSTORE): {source}")]
    Append { stream: String, source: AppendError },
}

/// The database, with the views' schema up to date, and a log that may be read.
pub(crate) async fn views_beside(log: &EventStore, url: &str) -> Result<PgPool, Box<dyn std::error::Error>> {
    let may_read = async { Ok(may_read(log).await?) };
    Ok(tokio::try_join!(views(url), may_read)?.0)
}

/// The database, with the views' schema up to date.
pub(crate) async fn views(url: &str) -> Result<PgPool, Box<dyn std::error::Error>> {
    let pool = connect(url).await?;
    views::migrate(&pool).await?;
    Ok(pool)
}

/// The database.
pub(crate) async fn connect(url: &str) -> Result<PgPool, PostgresError> {
    let options: PgConnectOptions = url.parse().map_err(PostgresError::Url)?;
    // A rebuild has slow statements. Its progress and the views' lag tell an operator more than a
    // log of them.
    let options = options.disable_statement_logging();
    let place = format!("{}:{}", options.get_host(), options.get_port());
    // A pool retries until its time is up, and then reports only the timeout. A single connection
    // reports the cause.
    match timeout(CONNECTING, options.connect()).await {
        Ok(Ok(connection)) => connection.close().await.unwrap_or_default(),
        Ok(Err(source)) => return Err(PostgresError::Connect { place, source }),
        Err(_) => return Err(PostgresError::Silent { place }),
    }
    Ok(PgPoolOptions::new().max_connections(MOST_CONNECTIONS).acquire_timeout(ACQUIRING).connect_lazy_with(options))
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostgresError {
    #[error("--postgres (TENUTO_POSTGRES) is no URL of a Postgres: {0}; give postgres://USER@HOST:PORT/DATABASE")]
    Url(#[source] sqlx::Error),
    #[error("Postgres at {place}, named by --postgres (TENUTO_POSTGRES), cannot be used: {source}")]
    Connect { place: String, source: sqlx::Error },
    #[error("Postgres at {place}, named by --postgres (TENUTO_POSTGRES), does not answer within {CONNECTING:?}")]
    Silent { place: String },
}

/// Makes the data folder, closed to others. Root's database runs as another user, which must be
/// able to enter it.
fn make_private(data: &Path) -> Result<(), NoFolder> {
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    let created = DirBuilder::new().recursive(true).mode(mode).create(data);
    created.map_err(|source| NoFolder { folder: data.display().to_string(), source })
}

/// The data folder cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the data folder {folder} cannot be made: {source}; give one that can be written, with --data or TENUTO_DATA")]
struct NoFolder {
    folder: String,
    source: std::io::Error,
}

/// The log and the database of `tenuto dev`.
pub(crate) struct Backends {
    pub event_store: EventStore,
    pub event_store_url: String,
    pub pool: PgPool,
    pub postgres_url: String,
    node: Option<NodeHandle>,
    cluster: Option<Cluster>,
}

impl Backends {
    /// Connects to the servers that are named, and starts the others.
    pub async fn start(urls: &ServerUrls, data: &Path, node: SocketAddr) -> Result<Self, Box<dyn std::error::Error>> {
        make_private(data)?;
        let (event_store_url, node) = if let Some(url) = &urls.event_store {
            (url.clone(), None)
        } else {
            let options = NodeOptions { address: node, ..NodeOptions::in_folder(data.join("event-store")) };
            let node = Node::start(options).await?;
            (node.connection_string(), Some(node))
        };
        let (postgres_url, cluster) = if let Some(url) = &urls.postgres {
            (url.clone(), None)
        } else {
            let cluster = Cluster::start(postgres_cluster::Options::new(data.join("postgres"))).await?;
            cluster.create_database(DATABASE).await?;
            (cluster.url(DATABASE), Some(cluster))
        };
        let event_store = match &node {
            Some(node) => EventStore::embedded(node)?,
            None => EventStore::connect(&event_store_url)?,
        };
        adopt_in_time(&event_store, urls.stream_prefix.as_deref()).await?;
        if node.is_none() {
            may_append(&event_store, &[command_streams().as_slice(), &PARTICIPANT_STREAMS].concat()).await?;
        }
        let pool = views(&postgres_url).await?;
        Ok(Self { event_store, event_store_url, pool, postgres_url, node, cluster })
    }

    /// Restarts the embedded database whenever it ends unexpectedly. Returns when the restarts have
    /// failed.
    pub async fn broken(&mut self) -> String {
        let Some(cluster) = &mut self.cluster else { return std::future::pending().await };
        let mut tries = 0;
        loop {
            let exit = cluster.exited().await;
            let begun = Instant::now();
            loop {
                if tries == MOST_RESTARTS {
                    return format!("the embedded Postgres has stopped, and does not start again: {exit}");
                }
                tokio::time::sleep(RESTART_PAUSE * tries).await;
                tries += 1;
                match cluster.restart().await {
                    Ok(()) => break,
                    Err(error) => tracing::warn!(%error, tries, "the embedded Postgres does not start again yet"),
                }
            }
            tracing::warn!(%exit, after_ms = begun.elapsed().as_millis(), "the embedded Postgres was started again");
            // Failures count only while they follow one another.
            if timeout(LASTING, cluster.exited()).await.is_err() {
                tries = 0;
            }
        }
    }

    /// Stops what was started here.
    pub async fn stop(self) {
        self.pool.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
        if let Some(node) = self.node {
            node.shutdown().await;
        }
    }
}

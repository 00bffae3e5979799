//! The log and the database: the ones that are named, or embedded ones under the data folder.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::stream_prefix;
use domain::wire::participants::{REPLY_STREAM_PREFIX, REQUEST_STREAM_PREFIX};
use domain::wire::{KEY_STREAM_PREFIX, WORKFLOW_STREAM_PREFIX};
use event_store::EventStore;
use event_store_node::{Node, NodeHandle, NodeOptions};
use postgres_cluster::Cluster;
use servers::stream_prefix::{adopt_begun, adopt_in_time};
use servers::{ServerUrls, may_append, views};
use sqlx::PgPool;
use tokio::time::timeout;

/// The prefixes of the streams that participants append to, where they are asked by events.
pub(crate) const PARTICIPANT_STREAMS: [&str; 1] = [REPLY_STREAM_PREFIX];
/// The database of the embedded cluster.
const DATABASE: &str = "tenuto";
/// How often in a row the embedded database is started again.
const MAX_RESTARTS: u32 = 6;
/// The pause before a restart grows by this much each time.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// A database that runs for this long counts as started.
const LASTING: Duration = Duration::from_mins(1);

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
            Some(node) => EventStore::in_process(node.in_process())?,
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
                if tries == MAX_RESTARTS {
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

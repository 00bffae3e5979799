//! The log and the database: the ones that are named, or embedded ones under the data folder.

use std::net::SocketAddr;

use command_line::data_folder::DataFolder;
use domain::wire::participants::REPLY_STREAM_PREFIX;
use event_store::EventStore;
use event_store_node::{Node, NodeHandle, NodeOptions};
use postgres_cluster::Cluster;
use secrets::exposed;
use servers::stream_prefix::adopt_in_time;
use servers::{ServerUrls, may_append, views};
use sqlx::PgPool;

/// The database of the embedded cluster.
const DATABASE: &str = "tenuto";

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
    pub async fn start(
        urls: &ServerUrls,
        data: &DataFolder,
        node: SocketAddr,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        data.create()?;
        let (event_store_url, node) = if let Some(url) = exposed(urls.event_store.as_ref()) {
            (url.to_owned(), None)
        } else {
            let options = NodeOptions { address: node, ..NodeOptions::in_folder(data.event_store()) };
            let node = Node::start(options).await?;
            (node.connection_string(), Some(node))
        };
        let (postgres_url, cluster) = if let Some(url) = exposed(urls.postgres.as_ref()) {
            (url.to_owned(), None)
        } else {
            let cluster = Cluster::start(postgres_cluster::Options::new(data.postgres())).await?;
            cluster.create_database(DATABASE).await?;
            (cluster.url(DATABASE), Some(cluster))
        };
        let event_store = match &node {
            Some(node) => EventStore::in_process(node.in_process())?,
            None => EventStore::connect(&event_store_url)?,
        };
        adopt_in_time(&event_store, urls.stream_prefix.as_deref()).await?;
        if node.is_none() {
            may_append(&event_store, &[command_handler::streams().as_slice(), &[REPLY_STREAM_PREFIX]].concat()).await?;
        }
        let pool = views(&postgres_url).await?;
        Ok(Self { event_store, event_store_url, pool, postgres_url, node, cluster })
    }

    /// Restarts the embedded database whenever it ends unexpectedly. Returns when the restarts have
    /// failed.
    pub async fn broken(&mut self) -> String {
        let Some(cluster) = &mut self.cluster else { return std::future::pending().await };
        let exit = cluster.keep_running().await;
        format!("the embedded Postgres has stopped, and does not start again: {exit}")
    }

    /// Stops the servers that were started.
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

//! The log, for commands that ask it and not the views: from a server, or from the folder of an embedded log that no node is using.

use std::path::PathBuf;

use clap::Args;
use event_store::client::{ConnectError, EventStore, Position, ReadError, RecordedEvent};
use event_store::node::{Node, NodeError, NodeHandle, NodeOptions};

use crate::args::DataFolder;

/// Which log.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// The `EventStoreDB` (or `KurrentDB`) that holds the log, as a connection string
    #[arg(
        long,
        env = "TENUTO_EVENTSTORE",
        default_value = "esdb://127.0.0.1:2113?tls=false",
        value_name = "esdb://HOST:PORT?tls=…",
        hide_env_values = true
    )]
    event_store: String,
    /// Instead: the data folder of an embedded log that no node is using, a backup for one. It is read where it lies
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// Why there is no log to ask.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("there is no log in {}", .0.display())]
    NoLog(PathBuf),
    #[error("the log in {} cannot be opened", folder.display())]
    Node { folder: PathBuf, source: NodeError },
}

/// The log, open.
pub struct Log {
    pub store: EventStore,
    node: Option<NodeHandle>,
}

impl LogArgs {
    /// Connects to the log, or opens it.
    pub async fn open(&self) -> Result<Log, OpenError> {
        let Some(data) = &self.data else {
            return Ok(Log { store: EventStore::connect(&self.event_store)?, node: None });
        };
        let folder = DataFolder { data: data.clone() }.event_store();
        if !folder.is_dir() {
            return Err(OpenError::NoLog(folder));
        }
        let options = NodeOptions { resumes_scavenges: false, ..NodeOptions::in_folder(&folder) };
        let node = Node::start(options).await;
        let node = node.map_err(|source| OpenError::Node { folder, source })?;
        Ok(Log { store: EventStore::embedded(&node)?, node: Some(node) })
    }
}

impl Log {
    /// The position of the last event; 0: there is none.
    pub async fn end(&self) -> Result<u64, ReadError> {
        Ok(self.store.head().await?.map_or(0, |position| position.commit))
    }

    /// All events of a stream, up to a position.
    pub async fn stream(&self, stream: &str, to: u64) -> Result<Vec<RecordedEvent>, ReadError> {
        self.store.read_stream_to(stream, Position { commit: to, prepare: to }).await
    }

    /// Lets go of it.
    pub async fn close(self) {
        if let Some(node) = self.node {
            node.shutdown().await;
        }
    }
}

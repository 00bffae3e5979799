//! The log, for commands that ask it and not the views: from a server, or from the folder of an
//! embedded log that no node is using.

use std::path::{Path, PathBuf};

use clap::Args;
use event_store::{ConnectError, EventStore, IdentityError, Position, ReadError, RecordedEvent};
use event_store_node::{Node, NodeError, NodeHandle, NodeOptions};
use secrets::{SecretString, exposed};

use crate::rights::{NoRight, may_read};
use crate::stream_prefix::{PrefixError, adopt};
use command_line::data_folder::DataFolder;
use command_line::running::{self, NotFound};

/// Which log.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// The `EventStoreDB` (or `KurrentDB`) that holds the log, as a connection string [default: the
    /// log of what runs in the folder .tenuto, or `esdb://127.0.0.1:2113?tls=false`]
    #[arg(long, env = "TENUTO_EVENTSTORE", value_name = "esdb://HOST:PORT?tls=…", hide_env_values = true)]
    event_store: Option<SecretString>,
    /// Instead: the data folder of an embedded log, a backup for one. It is read where it lies,
    /// unless a process that runs there has it
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// Why there is no log to ask.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log may not be read.
    #[error(transparent)]
    NoRight(#[from] NoRight),
    /// Its stream prefix cannot be used.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// It cannot be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It was not named, and what ran in this folder does not run.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The data folder has no log.
    #[error("there is no log in {}", .0.display())]
    NoLog(PathBuf),
    /// The log of a data folder cannot be opened.
    #[error("the log in {} cannot be opened", folder.display())]
    Node {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        source: NodeError,
    },
}

/// The log, open.
pub struct Log {
    /// What reads it.
    pub store: EventStore,
    node: Option<NodeHandle>,
}

impl LogArgs {
    /// The views of the same process, where the log is that of what runs in this folder.
    pub fn views(&self) -> Result<Option<String>, NotFound> {
        match (&self.event_store, &self.data) {
            (None, None) => running::postgres(None),
            (None, Some(data)) => {
                Ok(running::in_folder(data, "--postgres").ok().flatten().and_then(|found| found.postgres))
            }
            (Some(_), _) => Ok(None),
        }
    }

    /// Connects to the log, or opens it, and takes the stream prefix from it.
    pub async fn open(&self) -> Result<Log, OpenError> {
        let log = self.connect().await?;
        match adopt(&log.store, None).await {
            Ok(_) => Ok(log),
            // Damage is what an audit is there to report.
            Err(PrefixError::Log(IdentityError::Read(error @ ReadError::Refused(_)))) => {
                tracing::warn!(%error, "what orders' streams are called cannot be read: the usual name is taken");
                Ok(log)
            }
            Err(error) => {
                log.close().await;
                Err(error.into())
            }
        }
    }

    async fn connect(&self) -> Result<Log, OpenError> {
        match &self.data {
            Some(data) => Log::in_folder(data).await,
            None => Log::of_server(&running::event_store(exposed(self.event_store.as_ref()))?).await,
        }
    }
}

/// The log of a server.
impl From<EventStore> for Log {
    fn from(store: EventStore) -> Self {
        Self { store, node: None }
    }
}

impl Log {
    /// The log that a connection string or a data folder names.
    pub async fn at(place: &str) -> Result<Self, OpenError> {
        if place.contains("://") { Self::of_server(place).await } else { Self::in_folder(Path::new(place)).await }
    }

    async fn of_server(place: &str) -> Result<Self, OpenError> {
        let store = EventStore::connect(place)?;
        may_read(&store).await?;
        Ok(store.into())
    }

    async fn in_folder(data: &Path) -> Result<Self, OpenError> {
        // After a process was killed, no one uses the log, and it can be opened.
        if let Ok(Some(running)) = running::in_folder(data, "--event-store") {
            return Ok(EventStore::connect(&running.event_store)?.into());
        }
        let folder = DataFolder { data: data.to_owned() }.event_store();
        if !folder.is_dir() {
            return Err(OpenError::NoLog(folder));
        }
        let options = NodeOptions { resumes_scavenges: false, ..NodeOptions::in_folder(&folder) };
        let node = Node::start(options).await;
        let node = node.map_err(|source| OpenError::Node { folder, source })?;
        Ok(Self { store: EventStore::in_process(node.in_process())?, node: Some(node) })
    }

    /// The position of the last event; 0 if the log is empty.
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

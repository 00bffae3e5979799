//! The log, for commands that ask it and not the views.

use std::path::PathBuf;

use clap::Args;
use domain::ids::OrderId;
use domain::order::WorkflowRef;
use domain::replay::Recorded;
use domain::wire::{self, WORKFLOW_STREAM_PREFIX};
use domain::workflow::Workflow;
use event_store::client::{ConnectError, EventStore, ReadError, RecordedEvent};
use event_store::node::{Node, NodeError, NodeHandle, NodeOptions};

use crate::args::DataFolder;

/// Events read at once.
const PAGE: usize = 500;

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

/// Why the log gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("there is no log in {}", .0.display())]
    NoLog(PathBuf),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("event {revision} of {stream} cannot be read: {reason}")]
    Event { stream: String, revision: u64, reason: String },
    #[error("workflow {name:?} in the log cannot be read: {reason}")]
    Workflow { name: String, reason: String },
}

/// The log, open.
pub struct Log {
    pub store: EventStore,
    node: Option<NodeHandle>,
}

impl LogArgs {
    /// Connects to the log, or opens it.
    pub async fn open(&self) -> Result<Log, LogError> {
        let Some(data) = &self.data else {
            return Ok(Log { store: EventStore::connect(&self.event_store)?, node: None });
        };
        let folder = DataFolder { data: data.clone() }.event_store();
        if !folder.is_dir() {
            return Err(LogError::NoLog(folder));
        }
        let node = Node::start(NodeOptions::in_folder(folder)).await?;
        Ok(Log { store: EventStore::embedded(&node)?, node: Some(node) })
    }
}

impl Log {
    /// The order's whole history; empty where there is none.
    pub async fn order(&self, id: &OrderId) -> Result<Vec<Recorded>, LogError> {
        self.stream(&id.stream()).await?.iter().map(recorded).collect()
    }

    /// All events of a stream.
    pub async fn stream(&self, stream: &str) -> Result<Vec<RecordedEvent>, LogError> {
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let from = events.last().map_or(0, |last| last.revision + 1);
            let page = self.store.read_stream(stream, from, PAGE).await?;
            let count = page.len();
            events.extend(page);
            if count < PAGE {
                return Ok(events);
            }
        }
    }

    /// A definition; `None` where it was never registered.
    pub async fn workflow(&self, reference: &WorkflowRef) -> Result<Option<Workflow>, LogError> {
        let WorkflowRef { name, version } = reference;
        let faulty = |reason: String| LogError::Workflow { name: name.clone(), reason };
        for event in self.stream(&format!("{WORKFLOW_STREAM_PREFIX}{name}")).await? {
            let registered =
                wire::decode_workflow(&event.event_type, &event.data).map_err(|error| faulty(error.to_string()))?;
            if registered.version == *version {
                return Workflow::parse(&registered.source).map(Some).map_err(|faults| faulty(faults.to_string()));
            }
        }
        Ok(None)
    }

    /// Lets go of it.
    pub async fn close(self) {
        if let Some(node) = self.node {
            node.shutdown().await;
        }
    }
}

/// An event of an order, read.
pub fn recorded(event: &RecordedEvent) -> Result<Recorded, LogError> {
    let unreadable = |reason| LogError::Event { stream: event.stream.clone(), revision: event.revision, reason };
    let read = wire::decode(&event.event_type, &event.data, &event.metadata);
    let read = read.map_err(|error| unreadable(error.to_string()))?;
    Ok(Recorded { id: event.id, revision: event.revision, event: read.event, metadata: read.metadata })
}

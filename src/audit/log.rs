//! The log, as an auditor reads it: from a server, or from the folder of an embedded log that no node is using.

use std::path::PathBuf;

use clap::Args;
use domain::ids::OrderId;
use domain::proof::chain::{self, Fault, Head, RawEvent};
use event_store::client::{EventStore, ReadError, RecordedEvent};
use event_store::node::{Node, NodeHandle, NodeOptions};

use super::error::AuditError;
use crate::args::DataFolder;
use crate::backends::NotNamed;

/// Events read at a time.
const PAGE: usize = 500;

/// Where the log is.
#[derive(Debug, Clone, Args)]
pub(super) struct LogArgs {
    /// The `EventStoreDB` (or `KurrentDB`) that holds the log, as a connection string
    #[arg(long, env = "TENUTO_EVENTSTORE", value_name = "esdb://HOST:PORT?tls=…", hide_env_values = true)]
    event_store: Option<String>,
    /// The data folder of an embedded log that no node is using, instead of a server
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// An open log.
pub(super) struct Log {
    pub store: EventStore,
    node: Option<NodeHandle>,
}

impl LogArgs {
    pub async fn open(&self) -> Result<Log, AuditError> {
        if let Some(data) = &self.data {
            let folder = DataFolder { data: data.clone() }.event_store();
            if !folder.exists() {
                let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no embedded log");
                return Err(AuditError::File { file: folder, source });
            }
            let node = Node::start(NodeOptions::in_folder(&folder)).await;
            let node = node.map_err(|source| AuditError::Node { folder, source })?;
            return Ok(Log { store: EventStore::embedded(&node)?, node: Some(node) });
        }
        let url = self.event_store.as_deref().ok_or(NotNamed::EVENT_STORE)?;
        Ok(Log { store: EventStore::connect(url)?, node: None })
    }
}

impl Log {
    /// The position of the last event; 0: there is none.
    pub async fn end(&self) -> Result<u64, ReadError> {
        Ok(self.store.head().await?.map_or(0, |position| position.commit))
    }

    /// All events of a stream, up to a position.
    pub async fn stream(&self, stream: &str, to: u64) -> Result<Vec<RecordedEvent>, ReadError> {
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let from = events.last().map_or(0, |last| last.revision + 1);
            let page = self.store.read_stream(stream, from, PAGE).await?;
            let is_last = page.len() < PAGE;
            events.extend(page.into_iter().filter(|event| event.position.commit <= to));
            if is_last || events.last().is_none_or(|last| last.revision < from) {
                return Ok(events);
            }
        }
    }

    /// All events of an order, up to a position.
    pub async fn order(&self, order: &OrderId, to: u64) -> Result<Vec<RecordedEvent>, ReadError> {
        self.stream(&order.stream(), to).await
    }

    /// Lets the folder go.
    pub async fn close(self) {
        if let Some(node) = self.node {
            node.shutdown().await;
        }
    }
}

/// What is wrong with all events of an order, of which `known` is the latest head that it is known to have had.
pub(super) fn faults(order: &OrderId, events: &[RecordedEvent], known: Option<&Head>) -> Vec<Fault> {
    chain::check(order, &events.iter().map(raw).collect::<Vec<_>>(), known)
}

/// An event for the chain to look at.
pub(super) fn raw(event: &RecordedEvent) -> RawEvent<'_> {
    RawEvent {
        revision: event.revision,
        position: event.position.commit,
        id: event.id,
        event_type: &event.event_type,
        data: &event.data,
        metadata: &event.metadata,
    }
}

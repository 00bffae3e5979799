//! Reads orders' histories and their definitions from the log.

use domain::ids::OrderId;
use domain::order::WorkflowRef;
use domain::replay::Recorded;
use domain::wire::{self, WORKFLOW_STREAM_PREFIX};
use domain::workflow::Workflow;
use event_store::{ReadError, RecordedEvent};
use order_stream::OrderFault;

use servers::log::{Log, OpenError};

/// Why the log gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event cannot be decoded.
    #[error("event {revision} of {stream} cannot be read: {reason}")]
    Event {
        /// The stream.
        stream: String,
        /// The event's index in it.
        revision: u64,
        /// Why.
        reason: String,
    },
    /// A registered definition cannot be decoded.
    #[error("workflow {name:?} in the log cannot be read: {reason}")]
    Workflow {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

/// The order's whole history; empty if the order does not exist.
pub async fn of_order(log: &Log, id: &OrderId) -> Result<Vec<Recorded>, LogError> {
    log.stream(&id.stream(), u64::MAX).await?.iter().map(recorded).collect()
}

/// A definition. `None`: it was never registered.
pub async fn workflow(log: &Log, reference: &WorkflowRef) -> Result<Option<Workflow>, LogError> {
    let WorkflowRef { name, version } = reference;
    let faulty = |reason: String| LogError::Workflow { name: name.clone(), reason };
    for event in log.stream(&format!("{WORKFLOW_STREAM_PREFIX}{name}"), u64::MAX).await? {
        let registered =
            wire::decode_workflow(&event.event_type, &event.data).map_err(|error| faulty(error.to_string()))?;
        if registered.version == *version {
            return Workflow::registered(&registered.source).map(Some).map_err(|faults| faulty(faults.to_string()));
        }
    }
    Ok(None)
}

/// Decodes an event of an order.
pub fn recorded(event: &RecordedEvent) -> Result<Recorded, LogError> {
    let unreadable = |fault: OrderFault| LogError::Event {
        stream: event.stream.clone(),
        revision: event.revision,
        reason: fault.reason().to_string(),
    };
    let read = order_stream::decode(event).map_err(unreadable)?;
    Ok(Recorded { id: event.id, revision: event.revision, event: read.event, metadata: read.metadata })
}

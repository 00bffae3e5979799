//! The faults of an order's history.

use std::error::Error;

use domain::order::IllegalTransition;
use domain::wire::{self, WireError};
use event_store::RecordedEvent;

/// Why the history of an order cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OrderFault {
    /// The stream has an event of another application.
    #[error("event {revision} of {stream}, a {event_type:?}, was not written by Tenuto")]
    Foreign {
        /// The stream.
        stream: String,
        /// The revision of the event.
        revision: u64,
        /// The type of the event.
        event_type: String,
        /// Why it cannot be decoded.
        source: WireError,
    },
    /// An event of Tenuto cannot be decoded.
    #[error("event {revision} of {stream} cannot be read: {source}")]
    Undecodable {
        /// The stream.
        stream: String,
        /// The revision of the event.
        revision: u64,
        /// The reason.
        source: WireError,
    },
    /// An event does not fit the state before it.
    #[error("event {revision} of {stream} does not fit: {source}")]
    IllegalTransition {
        /// The stream.
        stream: String,
        /// The revision of the event.
        revision: u64,
        /// The reason.
        source: IllegalTransition,
    },
    /// The stream no longer has some of its events.
    #[error("revisions {from} to {to} of {stream} are missing")]
    Missing {
        /// The stream.
        stream: String,
        /// The first missing revision.
        from: u64,
        /// The last missing revision.
        to: u64,
    },
}

impl OrderFault {
    pub(crate) fn undecodable(event: &RecordedEvent, source: WireError) -> Self {
        let (stream, revision) = (event.stream.clone(), event.revision);
        if wire::is_ours(&event.metadata) {
            Self::Undecodable { stream, revision, source }
        } else {
            Self::Foreign { stream, revision, event_type: event.event_type.clone(), source }
        }
    }

    /// The revision of the event; of missing events, the first one.
    pub fn revision(&self) -> u64 {
        match self {
            Self::Foreign { revision, .. }
            | Self::Undecodable { revision, .. }
            | Self::IllegalTransition { revision, .. }
            | Self::Missing { from: revision, .. } => *revision,
        }
    }

    /// The fault without the place of the event, for callers that name the place themselves.
    pub fn reason(&self) -> &(dyn Error + 'static) {
        self.source().unwrap_or(self)
    }
}

/// Why the next event of an order's stream is not available.
#[derive(Debug, thiserror::Error)]
pub enum StreamError<E: Error + 'static> {
    /// The log did not answer the read.
    #[error(transparent)]
    Log(E),
    /// The history has a fault.
    #[error(transparent)]
    Order(#[from] OrderFault),
}

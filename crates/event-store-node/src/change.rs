//! What a caller wants done to a stream, and what came of it.

use bytes::Bytes;
use event_store_protocol::link::LINK_TYPE;
use serde_json::Value;
use uuid::Uuid;

use super::decision::Expected;

pub(crate) const JSON: &str = "application/json";

pub(crate) struct Intent {
    pub(crate) stream: String,
    pub(crate) expected: Expected,
    pub(crate) change: Change,
}

pub(crate) enum Change {
    Append(Vec<Proposed>),
    /// The stream's events are no longer shown; it may be written anew.
    Delete,
    /// The stream can be neither read nor written any more.
    Tombstone,
    /// Events for these streams, all or none; without those that are there, and those of streams that are deleted for good.
    Links(Vec<(String, Proposed)>),
}

#[derive(Clone)]
pub(crate) struct Proposed {
    pub(crate) id: Uuid,
    pub(crate) event_type: String,
    pub(crate) content_type: String,
    pub(crate) metadata: Bytes,
    pub(crate) data: Bytes,
}

impl Proposed {
    /// An event of the node's own: JSON, without metadata.
    pub(crate) fn own(event_type: &str, data: &Value) -> Self {
        Self {
            id: Uuid::new_v4(),
            event_type: event_type.into(),
            content_type: JSON.into(),
            metadata: Bytes::new(),
            data: data.to_string().into(),
        }
    }

    /// A link to `REVISION@STREAM`.
    pub(crate) fn link(id: Uuid, target: impl Into<Bytes>, metadata: impl Into<Bytes>) -> Self {
        Self {
            id,
            event_type: LINK_TYPE.into(),
            content_type: "application/octet-stream".into(),
            metadata: metadata.into(),
            data: target.into(),
        }
    }

    /// Its size as `EventStoreDB` counts it against the largest append: text there has two bytes to the character.
    pub(crate) fn size(&self) -> usize {
        self.data.len() + self.metadata.len() + 2 * self.event_type.len()
    }

    /// About what it takes in memory, be it as empty as it may.
    pub(crate) fn footprint(&self) -> usize {
        self.size() + 128
    }
}

/// The change has been made, now or before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// The stream's last revision, as far as this change goes.
    pub(crate) revision: Option<u64>,
    /// The position of the change's last event.
    pub(crate) position: Option<u64>,
}

/// The change is not to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    WrongExpectedRevision { current: Option<u64> },
    StreamDeleted,
}

pub(crate) type Outcome = Result<Written, Refusal>;

/// Nothing can be said about the change.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// It was not tried: too much is waiting.
    Overloaded,
    /// It was not tried: the disk has no room.
    NoRoom(String),
    /// The log could not be written. The change may have been made or not.
    Broken(String),
    /// The node is closing.
    Closed,
}

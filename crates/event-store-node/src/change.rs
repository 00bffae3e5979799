//! A change that a caller requests for a stream, and its result.

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
    /// Hides the stream's events. The stream may be written again.
    Delete,
    /// Deletes the stream for good: it can be neither read nor written any more.
    Tombstone,
    /// Links for these streams, all or none. Links that exist already, and those to streams that
    /// are deleted for good, are left out.
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
    /// An event that the node itself writes: JSON, without metadata.
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

    /// The size that `EventStoreDB` counts against the largest append. It counts two bytes for each
    /// character of text.
    pub(crate) fn size(&self) -> usize {
        self.data.len() + self.metadata.len() + 2 * self.event_type.len()
    }

    /// Its approximate size in memory, above zero even for an empty event.
    pub(crate) fn footprint(&self) -> usize {
        self.size() + 128
    }
}

/// The change has been made, by this request or by an earlier equal one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// The stream's last revision after this change.
    pub(crate) revision: Option<u64>,
    /// The position of the change's last event.
    pub(crate) position: Option<u64>,
}

/// The change was refused.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    WrongExpectedRevision { current: Option<u64> },
    StreamDeleted,
}

pub(crate) type Outcome = Result<Written, Refusal>;

/// The result of the change is unknown, or it was not tried.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Not tried: too many changes wait.
    Overloaded,
    /// Not tried: the disk has no room.
    NoRoom(String),
    /// The log could not be written. The change may or may not have been made.
    Broken(String),
    /// The node is closing.
    Closed,
}

//! The types of what is written to the log and read from it.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The state of the stream that the writer expects. If the stream is in another state, the append
/// is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any state.
    Any,
    /// The stream has no events.
    NoStream,
    /// The stream has at least one event.
    Exists,
    /// The last event has this revision.
    Revision(u64),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any revision"),
            Self::NoStream => f.write_str("no stream"),
            Self::Exists => f.write_str("an existing stream"),
            Self::Revision(revision) => write!(f, "revision {revision}"),
        }
    }
}

/// An event to append. Data and metadata are JSON texts. The metadata may be empty.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Appending an event again with the same id changes nothing.
    pub id: Uuid,
    /// The event's type.
    pub event_type: String,
    /// The event's data.
    pub data: Bytes,
    /// The event's metadata.
    pub metadata: Bytes,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The id that the writer chose.
    pub id: Uuid,
    /// Its stream.
    pub stream: String,
    /// Its index in the stream.
    pub revision: u64,
    /// Its position in `$all`.
    pub position: Position,
    /// The event's type.
    pub event_type: String,
    /// The event's data.
    pub data: Bytes,
    /// The event's metadata.
    pub metadata: Bytes,
    /// When the server recorded it.
    pub created: DateTime<Utc>,
}

/// An event with everything that the server stores about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event.
    pub event: RecordedEvent,
    /// The content type that the writer set for the data.
    pub content_type: String,
    /// When the server recorded it, in full precision: ticks of 100 ns since 1970.
    pub created_ticks: u64,
}

/// A place in `$all`. Later events have greater positions. The numbers mean nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The commit position.
    pub commit: u64,
    /// The prepare position.
    pub prepare: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.commit.fmt(f)
    }
}

/// The result of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The revision of the last event.
    pub revision: u64,
    /// The position of the last event.
    pub position: Position,
}

/// Selects the events of `$all` that the server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Events in streams whose names begin with one of these.
    StreamPrefixes(Vec<String>),
    /// Events in streams whose names match this expression.
    StreamRegex(String),
    /// Events whose types begin with one of these.
    EventTypePrefixes(Vec<String>),
    /// Events whose types match this expression.
    EventTypeRegex(String),
    /// All events except the server's own, whose types begin with `$`.
    ExcludeSystem,
}

/// An item of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionItem {
    /// The next event that passes the filter.
    Event(RecordedEvent),
    /// Every event up to here was examined, whether or not it passes the filter.
    Checkpoint(Position),
    /// The reader has received everything so far; later items are new. Repeated after each
    /// reconnection.
    CaughtUp,
    /// The connection was replaced. Later items may come from another log, so a reader with a
    /// checkpoint verifies the log.
    Resumed,
}

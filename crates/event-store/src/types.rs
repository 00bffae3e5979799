//! What goes into the log and what comes out of it, in Tenuto's words.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What the writer believes about the stream; the append is refused when it is not so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    Any,
    /// That it has no events.
    NoStream,
    /// That it has at least one event.
    Exists,
    /// That this is the revision of its last event.
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

/// An event to be appended. Both parts are JSON texts; the metadata may be empty.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Appending an event again under the same id changes nothing.
    pub id: Uuid,
    /// The name of the fact.
    pub event_type: String,
    /// The fact.
    pub data: Bytes,
    /// What is known about the event itself.
    pub metadata: Bytes,
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The id that its writer gave it.
    pub id: Uuid,
    /// The stream it is in.
    pub stream: String,
    /// Its index in that stream.
    pub revision: u64,
    /// Its place in `$all`.
    pub position: Position,
    /// The name of the fact.
    pub event_type: String,
    /// The fact.
    pub data: Bytes,
    /// What is known about the event itself.
    pub metadata: Bytes,
    /// When the server recorded it.
    pub created: DateTime<Utc>,
}

/// An event with all that the server keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event.
    pub event: RecordedEvent,
    /// What its writer said that its data is.
    pub content_type: String,
    /// When the server recorded it, to the last digit: ticks of 100 ns since 1970.
    pub created_ticks: u64,
}

/// A place in `$all`. Later events have greater positions; nothing else follows from the numbers.
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

/// What an append led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The revision of the last event.
    pub revision: u64,
    /// The position of the last event.
    pub position: Position,
}

/// Which events of `$all` the server is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Those in streams whose names begin with one of these.
    StreamPrefixes(Vec<String>),
    /// Those in streams whose names match this expression.
    StreamRegex(String),
    /// Those whose types begin with one of these.
    EventTypePrefixes(Vec<String>),
    /// Those whose types match this expression.
    EventTypeRegex(String),
    /// All but the server's own, whose types begin with `$`.
    ExcludeSystem,
}

/// What a subscription has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionItem {
    /// The next event that passes the filter.
    Event(RecordedEvent),
    /// Every event up to here has been looked at, whether it passed the filter or not.
    Checkpoint(Position),
    /// The reader has everything that there was; what follows is new. Said again after each reconnection.
    CaughtUp,
    /// The connection broke and was made again: what follows may come from another log, which a reader with a checkpoint verifies.
    Resumed,
}

//! Why a log was not copied.

use audit::AuditError;
use event_store::{AppendError, ReadError, Record, RecordedEvent, StreamLimits, described_by};

/// Why a log was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source could not be read.
    #[error("the source cannot be read")]
    Source(#[source] ReadError),
    /// The target could not be read.
    #[error("the target cannot be read")]
    Target(#[source] ReadError),
    /// The target did not take an event. What it has is a beginning of the copy.
    #[error("the stream {stream} cannot be written at the target; the same command continues from there")]
    Append {
        /// The stream.
        stream: String,
        /// The answer of the target.
        source: AppendError,
    },
    /// A stream of the source lacks events.
    #[error(
        "nothing was copied: the source lacks revisions {expected} to {} of the stream {stream}, which a scavenge has \
         removed; restore the source from a backup", found - 1
    )]
    Gap {
        /// The stream.
        stream: String,
        /// The revision that is missing.
        expected: u64,
        /// The revision that follows instead.
        found: u64,
    },
    /// A stream of the source was deleted for good.
    #[error("nothing was copied: the stream {stream} of the source was deleted for good, at position {position}")]
    Deleted {
        /// The stream.
        stream: String,
        /// The position of its deletion.
        position: u64,
    },
    /// Events of the source are hidden, and a scavenge would remove them.
    #[error(
        "nothing was copied: the stream {stream} of the source does not show all its events, nor do {others} more \
         streams: {limits}; set the metadata of each to {{}} before a scavenge removes the events"
    )]
    Hidden {
        /// The first such stream.
        stream: String,
        /// What hides its events.
        limits: StreamLimits,
        /// How many more such streams there are.
        others: usize,
    },
    /// The target has something else.
    #[error("nothing was copied: the target is neither empty nor a beginning of this copy")]
    Other(#[from] Difference),
    /// The copy could not be verified.
    #[error("the copy is complete, and could not be verified")]
    Audit(#[from] AuditError),
}

/// The first place at which the target differs from the source.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    /// Both have an event there, and they differ in this.
    #[error("{what} differ: the source has {source_event}, and the target has {target_event}")]
    Event {
        /// What differs.
        what: &'static str,
        /// The event of the source.
        source_event: String,
        /// The event of the target.
        target_event: String,
    },
    /// The target has an event after the last one of the source.
    #[error("the source ends before {0} of the target")]
    Beyond(String),
}

impl Difference {
    /// How two events differ in what a copy keeps.
    pub(super) fn between(source: &Record, target: &Record) -> Option<Self> {
        let (there, here) = (&source.event, &target.event);
        // A server drops old metadata of a stream, so their revisions may differ.
        let is_metadata = described_by(&there.stream).is_some();
        let what = if there.stream != here.stream {
            "the streams"
        } else if there.id != here.id {
            "the ids"
        } else if there.revision != here.revision && !is_metadata {
            "the revisions"
        } else if there.event_type != here.event_type {
            "the types"
        } else if there.data != here.data {
            "the data"
        } else if there.metadata != here.metadata {
            "the metadata"
        } else {
            return None;
        };
        Some(Self::Event { what, source_event: named(source), target_event: named(target) })
    }

    /// An event of the target for which the source has none.
    pub(super) fn beyond(target: &Record) -> Self {
        Self::Beyond(named(target))
    }
}

/// Names an event for people.
fn named(record: &Record) -> String {
    let RecordedEvent { id, stream, revision, position, event_type, .. } = &record.event;
    format!("{event_type} {id} (revision {revision} of {stream}, position {position})")
}

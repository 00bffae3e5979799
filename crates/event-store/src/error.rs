//! Errors, distinguished as far as a caller would act differently.

use super::types::Expected;

/// A connection string that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the EventStoreDB connection string cannot be used: {0}")]
pub struct ConnectError(pub(super) String);

/// Why an append was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another writer has appended to the stream: read it again and decide again.
    #[error("{stream} was expected to be at {expected}, and {}", described(*actual))]
    WrongExpectedRevision {
        /// The stream.
        stream: String,
        /// What the writer expected.
        expected: Expected,
        /// The revision of the stream's last event; `None`: it has no events.
        actual: Option<u64>,
    },
    /// The server could not be reached, or was too busy, until the time limit. The events may or
    /// may not be in the stream. The same append may be made again.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// The events are larger than the server accepts in one append.
    #[error("the events are too large for one append: {0}")]
    TooLarge(String),
    /// The stream was deleted for good.
    #[error("the stream {0} was deleted")]
    StreamDeleted(String),
    /// The server will never accept this append from this client.
    #[error("the log refuses the append: {0}")]
    Refused(String),
}

fn described(actual: Option<u64>) -> String {
    actual.map_or_else(|| "does not exist".into(), |revision| format!("is at revision {revision}"))
}

/// Why a read returned no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The server could not be reached, or was too busy, until the time limit.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// The stream was deleted for good.
    #[error("the stream {0} was deleted")]
    StreamDeleted(String),
    /// The server will never answer this read.
    #[error("the log refuses the read: {0}")]
    Refused(String),
}

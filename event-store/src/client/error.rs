//! What can go wrong, told apart as far as a caller would act differently.

use eventstore::{CurrentRevision, Error};
use tonic::Code;

use super::types::Expected;

/// A connection string that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the EventStoreDB connection string cannot be used: {0}")]
pub struct ConnectError(pub(super) String);

/// Why an append was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else has written to the stream: read it again, decide again.
    #[error("{stream} was expected to be at {expected}, and {}", described(*actual))]
    WrongExpectedRevision {
        /// The stream.
        stream: String,
        /// What the writer believed.
        expected: Expected,
        /// The revision of the stream's last event; `None`: it has no events.
        actual: Option<u64>,
    },
    /// The server could not be reached, or was too busy, for as long as was bearable. The events may be in the stream or
    /// not; the same append may be made again.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// The events are larger than the server takes in one append.
    #[error("the events are too large for one append: {0}")]
    TooLarge(String),
    /// The stream was deleted for good.
    #[error("the stream {0} was deleted")]
    StreamDeleted(String),
    /// The server will never take this append from us.
    #[error("the log refuses the append: {0}")]
    Refused(String),
}

fn described(actual: Option<u64>) -> String {
    actual.map_or_else(|| "does not exist".into(), |revision| format!("is at revision {revision}"))
}

/// Why a read gave no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The server could not be reached, or was too busy, for as long as was bearable.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// The stream was deleted for good.
    #[error("the stream {0} was deleted")]
    StreamDeleted(String),
    /// The server will never answer this read.
    #[error("the log refuses the read: {0}")]
    Refused(String),
}

pub(super) fn append_error(stream: &str, expected: Expected, error: Error) -> AppendError {
    match error {
        Error::WrongExpectedVersion { current, .. } => AppendError::WrongExpectedRevision {
            stream: stream.into(),
            expected,
            actual: match current {
                CurrentRevision::Current(revision) => Some(revision),
                CurrentRevision::NoStream => None,
            },
        },
        Error::ResourceDeleted => AppendError::StreamDeleted(stream.into()),
        error if is_unavailable(&error) => AppendError::Unavailable(error.to_string()),
        // The crate drops the trailer that names the exception, so the server's words are all there is to go by.
        Error::Grpc { code: Code::InvalidArgument, message } if message.starts_with("Maximum Append Size") => {
            AppendError::TooLarge(message)
        }
        error => AppendError::Refused(error.to_string()),
    }
}

pub(super) fn read_error(stream: &str, error: Error) -> ReadError {
    match error {
        Error::ResourceDeleted => ReadError::StreamDeleted(stream.into()),
        error if is_unavailable(&error) => ReadError::Unavailable(error.to_string()),
        error => ReadError::Refused(error.to_string()),
    }
}

/// Whether the server says that what is on its disk is not what was written. The crate keeps of the status only its text.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error, Error::ServerError(status) if status.contains("status: DataLoss"))
}

/// Whether the fault lies with the connection or the server's state, not with the call.
pub(super) fn is_unavailable(error: &Error) -> bool {
    match error {
        Error::ServerError(_) => !is_damage(error),
        Error::NotLeaderException(_)
        | Error::ConnectionClosed
        | Error::GrpcConnectionError(_)
        | Error::DeadlineExceeded => true,
        Error::Grpc { code, .. } => matches!(code, Code::Cancelled | Code::Aborted | Code::ResourceExhausted),
        _ => false,
    }
}

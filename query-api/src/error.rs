//! Why a query has no answer, and what the caller learns of the reason: no SQL, and no text of a
//! server.

use async_graphql::ErrorExtensions;
use event_store::ReadError;
use views::{Unknown, ViewsError};

use crate::code::ErrorCode;

/// Why a query has no answer. The details are in the log lines of this process. Each field that
/// waited for the same rows gets a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The views, or the log, gave no answer.
    #[error(transparent)]
    Views(#[from] ViewsError),
    /// The number of callers that wait for the views is at its bound.
    #[error("too many wait for the views already, try again later")]
    TooManyWaiting,
    /// The log holds an event that this version of Tenuto cannot read.
    #[error("an event of this order cannot be read; an operator finds in the server's own log which")]
    Unreadable,
}

impl QueryError {
    /// Whether the same query may have an answer later.
    pub(crate) fn is_temporary(self) -> bool {
        match self {
            Self::Views(ViewsError::Unavailable | ViewsError::LogUnavailable) | Self::TooManyWaiting => true,
            Self::Views(ViewsError::Sealed | ViewsError::Internal) | Self::Unreadable => false,
        }
    }
}

impl From<sqlx::Error> for QueryError {
    fn from(error: sqlx::Error) -> Self {
        ViewsError::from(error).into()
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        ViewsError::from(error).into()
    }
}

impl From<QueryError> for async_graphql::Error {
    fn from(error: QueryError) -> Self {
        let code = match error {
            QueryError::Views(ViewsError::Unavailable | ViewsError::LogUnavailable) => ErrorCode::Unavailable,
            QueryError::TooManyWaiting => ErrorCode::Overloaded,
            QueryError::Unreadable | QueryError::Views(ViewsError::Sealed) => ErrorCode::Unreadable,
            QueryError::Views(ViewsError::Internal) => ErrorCode::Internal,
        };
        code.error(&error)
    }
}

/// A name in a filter that does not exist, with a code for its kind.
pub(crate) fn unknown_name(unknown: &Unknown) -> async_graphql::Error {
    let (code, name) = match unknown {
        Unknown::Workflow { name, .. } => (ErrorCode::NoSuchWorkflow, name.clone()),
        Unknown::Version { version, .. } => (ErrorCode::NoSuchVersion, version.to_string()),
        Unknown::Step { step, .. } => (ErrorCode::NoSuchStep, step.clone()),
    };
    code.error(unknown).extend_with(|_, extensions| extensions.set("unknown", name))
}

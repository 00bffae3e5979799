//! What can go wrong behind a query, and what of it the caller is told. No SQL and no server's words leave this crate.

use async_graphql::ErrorExtensions;
use event_store::client::ReadError;

/// Why the views, or the log, gave no answer. The details are in the log; a clone goes to every field that waited for the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or has no connection free: it may work later.
    #[error("the views are unavailable, try again later")]
    Unavailable,
    /// The log cannot be reached: it may work later.
    #[error("the log is unavailable, try again later")]
    LogUnavailable,
    /// As many as may wait for the views do already.
    #[error("too many wait for the views already, try again later")]
    TooManyWaiting,
    /// The log holds an event that this version of Tenuto cannot read.
    #[error("an event of this order cannot be read; an operator finds in the server's own log which")]
    Unreadable,
    /// Personal data do not open.
    #[error("the personal data of this order cannot be read; an operator finds in the server's own log why")]
    Sealed,
    /// A fault of ours.
    #[error("the query failed for a reason that is not yours")]
    Internal,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_unavailable(&error) {
            tracing::warn!(%error, "the views are unavailable");
            Self::Unavailable
        } else {
            tracing::error!(%error, "a query over the views failed");
            Self::Internal
        }
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => {
                tracing::warn!(%error, "the log is unavailable");
                Self::LogUnavailable
            }
            ReadError::StreamDeleted(_) | ReadError::Refused(_) => {
                tracing::error!(%error, "a read of the log failed");
                Self::Internal
            }
        }
    }
}

impl From<StoreError> for async_graphql::Error {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Unavailable | StoreError::LogUnavailable => "UNAVAILABLE",
            StoreError::TooManyWaiting => "OVERLOADED",
            StoreError::Unreadable | StoreError::Sealed => "UNREADABLE",
            StoreError::Internal => "INTERNAL",
        };
        coded(&error, code)
    }
}

/// A GraphQL error with a code that programs can tell it by.
pub(crate) fn coded(error: &dyn std::fmt::Display, code: &'static str) -> async_graphql::Error {
    async_graphql::Error::new(error.to_string()).extend_with(|_, extensions| extensions.set("code", code))
}

/// SQLSTATE classes 08 (connection), 53 (out of resources) and 57P (shutting down, starting up).
fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| ["08", "53", "57P"].iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

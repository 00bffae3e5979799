//! Why the views, or the log behind them, gave no answer.

use event_store::ReadError;

/// Why the views gave no answer. The details are in the log lines of this process: a caller sees no
/// SQL, and no text of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ViewsError {
    /// The database cannot be reached, or has no connection free: it may work later.
    #[error("the views are unavailable, try again later")]
    Unavailable,
    /// The log cannot be reached: it may work later.
    #[error("the log is unavailable, try again later")]
    LogUnavailable,
    /// The key does not open the personal data.
    #[error("the personal data of this order cannot be read; an operator finds in the server's own log why")]
    Sealed,
    /// A fault in Tenuto.
    #[error("the query failed for a reason that is not yours")]
    Internal,
}

impl From<sqlx::Error> for ViewsError {
    fn from(error: sqlx::Error) -> Self {
        if is_outage(&error) {
            tracing::warn!(%error, "the views are unavailable");
            Self::Unavailable
        } else {
            tracing::error!(%error, "a query over the views failed");
            Self::Internal
        }
    }
}

impl From<ReadError> for ViewsError {
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

/// Whether Postgres cannot be reached: it is down, or has no free connection. Of the errors that
/// it answers with, the SQLSTATE classes 08 (connection), 53 (out of resources) and 57P (shutting
/// down, starting up) are outages. Others, such as a missing table or right, are not.
pub fn is_outage(error: &sqlx::Error) -> bool {
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

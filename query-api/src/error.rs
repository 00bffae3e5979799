//! What can go wrong behind a query, and what of it the caller is told. No SQL and no server's words leave this crate.

use async_graphql::ErrorExtensions;
use event_store::ReadError;
use views::{Unknown, ViewsError};

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

impl From<ViewsError> for StoreError {
    fn from(error: ViewsError) -> Self {
        match error {
            ViewsError::Unavailable => Self::Unavailable,
            ViewsError::LogUnavailable => Self::LogUnavailable,
            ViewsError::Sealed => Self::Sealed,
            ViewsError::Internal => Self::Internal,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        ViewsError::from(error).into()
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        ViewsError::from(error).into()
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

/// A name in a filter that does not exist, with a code for what it names.
pub(crate) fn unknown_name(unknown: &Unknown) -> async_graphql::Error {
    let (code, name) = match unknown {
        Unknown::Workflow { name, .. } => ("NO_SUCH_WORKFLOW", name.clone()),
        Unknown::Version { version, .. } => ("NO_SUCH_VERSION", version.to_string()),
        Unknown::Step { step, .. } => ("NO_SUCH_STEP", step.clone()),
    };
    coded(unknown, code).extend_with(|_, extensions| extensions.set("unknown", name))
}

//! What ends a projector, what only interrupts it, and why a batch was not written.

use event_store::ReadError;
use leader_consumer::{Consequence, Interrupted, OriginError};
use views::{LogCheckError, writer};

/// Why a projector ends: waiting does not help.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The database is not what the projector was built for.
    #[error("the database has not the views' schema, or the projector no right to it")]
    Schema(#[source] sqlx::Error),
}

/// Why the active projector has to start again from the checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Interruption {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the log could not be read: {0}")]
    Log(#[from] ReadError),
    #[error("another process moved the checkpoint of the views")]
    CheckpointMoved,
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("the projector reconnected to the log, and compares the views with it")]
    Reconnected,
}

impl Interrupted for Interruption {
    fn consequence(&self) -> Consequence {
        match self {
            Self::Database(error) if is_wrong_schema(error) => Consequence::End,
            Self::Reconnected => Consequence::Again,
            Self::Origin(OriginError::Mismatch(mismatch)) => Consequence::WrongLog(mismatch.to_string()),
            Self::Database(_) | Self::Log(_) | Self::CheckpointMoved | Self::Origin(OriginError::Log(_)) => {
                Consequence::Pause
            }
        }
    }
}

impl From<LogCheckError> for Interruption {
    fn from(error: LogCheckError) -> Self {
        match error {
            LogCheckError::Database(error) => Self::Database(error),
            LogCheckError::Origin(error) => Self::Origin(error),
        }
    }
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Postgres accepts the data of an event at no time.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Interrupted(#[from] Interruption),
}

impl From<writer::WriteError> for WriteError {
    fn from(error: writer::WriteError) -> Self {
        match error {
            writer::WriteError::Refused(reason) => Self::Refused(reason),
            writer::WriteError::CheckpointMoved => Interruption::CheckpointMoved.into(),
            writer::WriteError::Database(error) => Interruption::Database(error).into(),
        }
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        writer::WriteError::from(error).into()
    }
}

impl From<WriteError> for Interruption {
    /// Of an attempt to set an event aside. That event is made storable first, so a refusal is not
    /// its fault.
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Interrupted(interruption) => interruption,
            WriteError::Refused(reason) => Self::Database(sqlx::Error::Protocol(reason)),
        }
    }
}

/// Whether the database lacks what the projector needs (SQLSTATE class 42): waiting does not help.
fn is_wrong_schema(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code.starts_with("42"))
}

//! What ends a projector, what only interrupts it, and what is wrong with a single event.

use event_store::ReadError;
use leader_consumer::{Consequence, Interrupted, OriginError};
use views::LogCheckError;

/// What a projector cannot get over by waiting.
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
    #[error("somebody else moved the checkpoint")]
    CheckpointMoved,
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("the connection to the log was made again, and the views are compared with it")]
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
    /// The data are such that Postgres will never take them.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Interrupted(#[from] Interruption),
}

impl From<WriteError> for Interruption {
    /// What is left of an attempt to set an event aside.
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Interrupted(interruption) => interruption,
            // Whatever is set aside is made storable first, so this cannot be the event's fault.
            WriteError::Refused(reason) => Self::Database(sqlx::Error::Protocol(reason)),
        }
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        match refusal(&error) {
            Some(reason) => Self::Refused(reason),
            None => Self::Interrupted(error.into()),
        }
    }
}

/// What Postgres has against the data themselves, if that is what it complains of: SQLSTATE classes 22 (data exception: a NUL
/// in a text, a number out of range), 23 (integrity constraint) and 54 (program limit: too large for an index).
fn refusal(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code()?;
            ["22", "23", "54"].iter().any(|class| code.starts_with(class)).then(|| format!("{database} ({code})"))
        }
        sqlx::Error::Encode(source) => Some(source.to_string()),
        _ => None,
    }
}

/// Whether the database lacks what the projector needs (SQLSTATE class 42): waiting does not help.
fn is_wrong_schema(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code.starts_with("42"))
}

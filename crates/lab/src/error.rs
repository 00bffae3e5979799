//! Why nothing could be tried.

use command_line::output::{Failure, WriteError};

use crate::history::LogError;
use crate::workflow::FileError;

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The filter contradicts itself.
    #[error("--where: {0}")]
    Filter(String),
    /// The log gave no answer.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The result cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Failure for LabError {
    fn of_writing(&self) -> Option<&WriteError> {
        match self {
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}

//! Why a trial failed.

use command_line::output::{Failure, WriteError};

use crate::history::LogError;
use crate::workflow::FileError;

/// Why a trial failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The filter contradicts itself.
    #[error("--where: {0}")]
    Filter(String),
    /// The log cannot be read.
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

//! Why work that both reads and writes the log cannot continue.

use super::change::Failure;
use super::reader::ReadFailure;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadWriteError {
    #[error(transparent)]
    Unread(#[from] ReadFailure),
    #[error("the log cannot be written: {0:?}")]
    Unwritten(Failure),
}

impl From<Failure> for ReadWriteError {
    fn from(failure: Failure) -> Self {
        Self::Unwritten(failure)
    }
}

impl ReadWriteError {
    pub(super) fn is_closing(&self) -> bool {
        matches!(self, Self::Unread(ReadFailure::Closing) | Self::Unwritten(Failure::Closed))
    }
}

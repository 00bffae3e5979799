//! Why views were not rebuilt.

use event_store::ReadError;
use leader_consumer::Mismatch;
use views::LogCheckError;

use crate::reproject::ReprojectError;

/// How often the exchange is tried while others hold the tables.
pub(super) const MAX_TRIES: usize = 60;

/// Why views were not rebuilt. The shadow tables stay, and the next rebuild resumes with them.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// They could not be filled.
    #[error(transparent)]
    Reprojection(#[from] ReprojectError),
    /// A database has one rebuild at a time.
    #[error("another rebuild is under way")]
    UnderWay,
    /// Others held the tables at each try.
    #[error("the live views could not be exchanged: other clients held them at each of {MAX_TRIES} tries")]
    Held,
    /// The rebuilt views would not fit the other live ones.
    #[error(
        "the rebuild sets other events aside than the live views, so that only all views together can be exchanged"
    )]
    ParkedDiffer,
    /// The live views are made from another log, and the options do not allow this one.
    #[error("the live views were not made from this log: {0}")]
    OtherLog(Mismatch),
    /// Only all views together can be rebuilt from another log.
    #[error(
        "the live views were not made from this log, so that only all of them together can be rebuilt from it: {0}"
    )]
    OnlyTogether(Mismatch),
    /// The identity of the log cannot be read.
    #[error(transparent)]
    Identity(#[from] LogCheckError),
    /// The caller stopped it.
    #[error("stopped; the next rebuild resumes from here")]
    Stopped,
}

impl From<sqlx::Error> for RebuildError {
    fn from(error: sqlx::Error) -> Self {
        Self::Reprojection(error.into())
    }
}

impl From<ReadError> for RebuildError {
    fn from(error: ReadError) -> Self {
        Self::Reprojection(error.into())
    }
}

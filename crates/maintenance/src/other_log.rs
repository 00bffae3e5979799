//! The error for views that were made from another log.

use leader_consumer::Mismatch;
use views::REMEDY;

/// The views were made from another log.
#[derive(Debug, thiserror::Error)]
pub enum OtherLog {
    /// The views cannot be compared with this log.
    #[error("the views were not made from this log, so nothing was compared: {0}; {REMEDY}")]
    NotCompared(Mismatch),
    /// No operator is at the terminal to confirm.
    #[error(
        "the views were not made from this log: {0}. To make them from it, so that orders which it does not have disappear from \
         them, give --yes; otherwise connect the log that they were made from"
    )]
    NotConfirmed(Mismatch),
}

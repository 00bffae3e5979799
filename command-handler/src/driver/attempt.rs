//! An attempt in progress, and its result.

use domain::order::{Answer, AttemptId};
use tokio_util::sync::CancellationToken;

use crate::participants::NotSent;

/// The result of an attempt here.
pub(super) enum Made<T> {
    /// It was made.
    Answered(Answer),
    /// It was not made.
    NotSent(AttemptId, NotSent),
    /// Its turn came so late that its exchange would run beyond the deadline on record.
    Late(AttemptId, T),
}

/// An attempt that is being made.
pub(super) struct Making {
    pub(super) attempt: AttemptId,
    /// Ends its wait for a turn. It stops no request that is being sent.
    pub(super) withdrawn: CancellationToken,
}

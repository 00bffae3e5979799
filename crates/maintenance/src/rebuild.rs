//! Rebuilds views from the log, also from another log than before.

use event_store::EventStore;
use leader_consumer::Mismatch;
use projector::rebuild::{self, RebuildOptions, Rebuilt, Stage};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use views::REMEDY;

use crate::MaintenanceError;

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

/// Rebuilds or compares views, until `stop`. If the views adopt another log, replies and requests
/// are read again from its beginning: the earlier positions belong to the earlier log.
pub async fn rebuild(
    options: &RebuildOptions,
    log: &EventStore,
    pool: &PgPool,
    stop: &CancellationToken,
    reached: impl Fn(Stage),
) -> Result<Rebuilt, MaintenanceError> {
    let rebuilt = rebuild::rebuild(options, log, pool, stop, reached).await?;
    if rebuilt.adopted.is_some() {
        // Reading a reply or a request twice changes nothing.
        views::read_replies_again(pool).await?;
        participants::read_requests_again(pool).await?;
    }
    Ok(rebuilt)
}

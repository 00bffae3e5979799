//! Rebuilds views from the log, also from another log than before.

use event_store::EventStore;
use projector::rebuild::{self, RebuildOptions, Rebuilt, Stage};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::MaintenanceError;
pub use crate::other_log::OtherLog;

/// Rebuilds or compares views, until `stop`. If the views adopt another log, replies and requests
/// are read again from its beginning, and webhooks are notified again: the earlier positions belong
/// to the earlier log.
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
        views::webhook_deliveries::forget_all(pool).await?;
        participants::read_requests_again(pool).await?;
    }
    Ok(rebuilt)
}

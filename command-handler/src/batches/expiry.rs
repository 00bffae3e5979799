//! Records that no one approved a batch in time. Requests for single orders are due work of these
//! orders; a batch has no driver.

use std::time::Duration;

use domain::batch_request::BatchRefusal;
use domain::ids::RequestId;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::requests::{BatchError, BatchRequests};
use crate::clock::Clock;
use crate::log::Log;

/// How often it is looked for such batches.
const EVERY: Duration = Duration::from_secs(30);
/// How many batches one look takes.
const MAX_AT_ONCE: i64 = 100;

/// Looks for batches that were not approved in time, until `stop`.
pub async fn expire_batches<L: Log, C: Clock>(log: L, clock: C, views: PgPool, stop: CancellationToken) {
    let requests = BatchRequests::new(log);
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(error) = expire(&requests, &clock, &views).await {
            warn!(%error, "batches that were not approved in time could not be looked for");
        }
    }
}

async fn expire<L: Log, C: Clock>(requests: &BatchRequests<L>, clock: &C, views: &PgPool) -> Result<(), sqlx::Error> {
    let ids = views::expired_batches(&mut *views.acquire().await?, MAX_AT_ONCE).await?;
    for id in ids {
        let Some(RequestId::Batch(batch)) = RequestId::parse(&id) else { continue };
        let now = clock.now().at;
        let decide = |request: &domain::batch_request::BatchRequest| {
            let settled = request.settled.as_ref().map_or(BatchRefusal::Waits, |s| BatchRefusal::Settled(s.how));
            request.expired(now).ok_or(settled)
        };
        match requests.settle(batch, clock.id(), decide).await {
            // Another instance has recorded it, and the views do not have that yet.
            Ok(_) | Err(BatchError::Refused(_)) => {}
            Err(error) => warn!(batch = %id, %error, "that a batch was not approved in time could not be recorded"),
        }
    }
    Ok(())
}

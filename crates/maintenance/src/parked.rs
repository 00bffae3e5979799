//! The events that could not be projected and are set aside.

use event_store::EventStore;
use projector::Retried;
use sqlx::PgPool;
use views::{ParkedRow, parked};

use crate::MaintenanceError;

/// The number of events that are read from the database at a time.
const PAGE: u32 = 500;

/// Passes each parked event to `see`, page by page. Returns how many there are.
pub async fn each(
    pool: &PgPool,
    mut see: impl FnMut(&ParkedRow) -> Result<(), MaintenanceError>,
) -> Result<usize, MaintenanceError> {
    let (mut after, mut count) = (None, 0);
    loop {
        let page = parked::page(pool, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some((last.position, last.revision));
        count += page.len();
        page.iter().try_for_each(&mut see)?;
    }
}

/// Projects these streams again, or all that have parked events. Passes each result to `see`, and
/// returns how many streams there were.
pub async fn retry(
    log: &EventStore,
    pool: &PgPool,
    streams: Vec<String>,
    mut see: impl FnMut(&str, &Retried) -> Result<(), MaintenanceError>,
) -> Result<usize, MaintenanceError> {
    let streams = if streams.is_empty() { parked::streams(pool).await? } else { streams };
    for stream in &streams {
        see(stream, &projector::retry(log, pool, stream).await?)?;
    }
    Ok(streams.len())
}

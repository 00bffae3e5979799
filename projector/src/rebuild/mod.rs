//! Rebuilds views from the log in shadow tables, and exchanges them with the live ones in one
//! transaction.
//!
//! The projector's own fold and statements fill the shadow tables, up to the checkpoint of the live
//! views and never beyond: so they can replace some of the live views as well as all. The indexes
//! that only queries need are created when the tables are full. Then the shadow catches up with the
//! events that were recorded meanwhile, and readers and the projector wait for the moment of the
//! exchange ([`exchange`]). A rebuild sends no request to a participant, and announces only the new
//! views.

mod error;
mod exchange;
mod log_pages;
mod options;
mod progress;
mod work;

use std::num::NonZeroUsize;

use event_store::EventStore;
use leader_consumer::{Mismatch, verify};
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use views::{CHECKPOINTS, LogCheckError, Shadow, checkpoint_to_compare, compare_views};

use crate::reproject::Reprojection;
pub use error::RebuildError;
use log_pages::LogPages;
pub use options::RebuildOptions;
pub use progress::{Rebuilt, Stage};
pub use views::View;
use work::Work;

/// How many open orders are kept folded; others are read from the log again when they change.
const CACHED_ORDERS: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// Rebuilds views. `report` receives the progress.
pub async fn rebuild(
    options: &RebuildOptions,
    log: &EventStore,
    pool: &PgPool,
    stop: &CancellationToken,
    report: impl Fn(Stage),
) -> Result<Rebuilt, RebuildError> {
    let mut db = pool.acquire().await?.detach();
    let rebuilt = rebuild_on(&mut db, options, log, stop, report).await;
    // The next rebuild may begin as soon as this one returns.
    let released = Shadow::release(&mut db).await;
    if let Err(error) = released.and(db.close().await) {
        tracing::debug!(%error, "the rebuild's connection did not close cleanly");
    }
    rebuilt
}

async fn rebuild_on(
    db: &mut PgConnection,
    options: &RebuildOptions,
    log: &EventStore,
    stop: &CancellationToken,
    report: impl Fn(Stage),
) -> Result<Rebuilt, RebuildError> {
    let shadow = Shadow::of(db).await?.ok_or(RebuildError::UnderWay)?;
    let mismatch = compare_views(log, db).await?;
    if let Some(mismatch) = &mismatch {
        check_adoption(mismatch, options)?;
    }
    let log_id = if mismatch.is_some() {
        verify(log, None).await.map_err(LogCheckError::from)?
    } else {
        verify(log, checkpoint_to_compare(db, CHECKPOINTS).await?.as_ref()).await.map_err(LogCheckError::from)?
    };
    let written = shadow.resume(db, log_id, options.restart).await?;
    let mut work = Work {
        pages: LogPages::new(log.clone(), written),
        reprojection: Reprojection::new(log.clone(), written, CACHED_ORDERS),
        shadow,
        log: log.clone(),
        log_id,
        adopted: mismatch,
        stop,
        report,
    };
    work.catch_up(db).await?;
    for view in View::ALL {
        work.check_stopped()?;
        (work.report)(Stage::Indexing(view));
        work.shadow.index(db, view).await?;
    }
    exchange::exchange(&mut work, db, options).await
}

/// Whether the options allow this log, which is not the one that the views were made from.
fn check_adoption(mismatch: &Mismatch, options: &RebuildOptions) -> Result<(), RebuildError> {
    if options.only_check || !options.adopt {
        return Err(RebuildError::OtherLog(mismatch.clone()));
    }
    if View::ALL.iter().any(|view| !options.views.contains(view)) {
        return Err(RebuildError::OnlyTogether(mismatch.clone()));
    }
    Ok(())
}

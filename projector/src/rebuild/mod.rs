//! Rebuilds views from the log in shadow tables, and exchanges them with the live ones in one
//! transaction.
//!
//! The projector's own fold and statements fill the shadow tables, up to the checkpoint of the live
//! views and never beyond: so they can replace some of the live views as well as all. The indexes
//! that only queries need are created when the tables are full. Then the shadow catches up with the
//! events that were recorded meanwhile, and readers and the projector wait for the moment of the
//! exchange ([`exchange`]). A rebuild sends no request to a participant, and announces only the new
//! views.

mod exchange;
mod log_pages;

use std::num::NonZeroUsize;
use std::time::Duration;

use event_store::{EventStore, Position, ReadError};
use leader_consumer::{Mismatch, verify};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use views::{CHECKPOINTS, LogCheckError, Shadow, checkpoint_to_compare, compare_views};

use crate::compare::Difference;
use crate::reproject::{ReprojectError, Reprojection};
use log_pages::LogPages;
pub use views::View;

/// How many open orders are kept folded; others are read from the log again when they change.
const CACHED_ORDERS: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// How often the exchange is tried while others hold the tables.
const MAX_TRIES: usize = 60;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Which views to rebuild, and how.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// The views.
    pub views: Vec<View>,
    /// Whether only to report how the live views differ, instead of replacing them.
    pub only_check: bool,
    /// Whether to start again after an interrupted rebuild, instead of resuming it.
    pub restart: bool,
    /// Whether the views may be rebuilt from another log than the one that they were made from.
    pub adopt: bool,
}

/// The progress of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It fills the tables.
    Filling {
        /// The position up to which events are read.
        position: u64,
        /// The position that the live views have.
        of: u64,
        /// Events read in this run.
        events: u64,
    },
    /// It creates the indexes of a view.
    Indexing(View),
    /// It waits for clients that read or write the live tables; the number of failed tries.
    Exchanging(usize),
}

/// The result of a rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The checkpoint of the rebuilt views.
    pub position: Option<Position>,
    /// Events read in this run.
    pub events: u64,
    /// How the live views differed, if the rebuild only checks; at most 1,000 of each view.
    pub differences: Vec<Difference>,
    /// Orders that the log has.
    pub orders: u64,
    /// How the log differed from the one that the live views were made from, if it was another.
    pub adopted: Option<Mismatch>,
}

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
    work.exchange(db, options).await
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

struct Work<'a, T> {
    pages: LogPages,
    reprojection: Reprojection,
    shadow: Shadow,
    log: EventStore,
    log_id: Uuid,
    /// How the log differs from the one that the live views were made from, if it is another.
    adopted: Option<Mismatch>,
    stop: &'a CancellationToken,
    report: T,
}

impl<T: Fn(Stage)> Work<'_, T> {
    fn check_stopped(&self) -> Result<(), RebuildError> {
        if self.stop.is_cancelled() { Err(RebuildError::Stopped) } else { Ok(()) }
    }

    /// The position to which the new views go: that of the live ones, or the end of an adopted log.
    async fn target(&self, db: &mut PgConnection) -> Result<Option<Position>, RebuildError> {
        match self.adopted {
            Some(_) => Ok(self.log.head().await?),
            None => Ok(self.shadow.live_checkpoint(db).await?),
        }
    }

    /// Fills the tables up to the live views, which change meanwhile.
    async fn catch_up(&mut self, db: &mut PgConnection) -> Result<(), RebuildError> {
        while let Some(target) = self.target(db).await?
            && self.pages.through() < Some(target)
        {
            self.fill(db, target).await?;
        }
        Ok(())
    }

    /// Reads and writes up to a position.
    async fn fill(&mut self, db: &mut PgConnection, target: Position) -> Result<(), RebuildError> {
        let mut events = self.pages.next(target).await?;
        while !events.is_empty() || self.pages.through() < Some(target) {
            self.check_stopped()?;
            // The next batch is read while this one is written.
            let (written, next) = tokio::join!(self.reprojection.write(db, &events), self.pages.next(target));
            written?;
            events = next?;
            let position = self.reprojection.written.map_or(0, |position| position.commit);
            (self.report)(Stage::Filling { position, of: target.commit, events: self.pages.events() });
        }
        Ok(())
    }

    async fn exchange(&mut self, db: &mut PgConnection, options: &RebuildOptions) -> Result<Rebuilt, RebuildError> {
        for tries in 0..MAX_TRIES {
            self.check_stopped()?;
            self.catch_up(db).await?;
            (self.report)(Stage::Exchanging(tries));
            if let Some(rebuilt) = exchange::attempt(self, db, options).await? {
                return Ok(rebuilt);
            }
            sleep(PAUSE).await;
        }
        Err(RebuildError::Held)
    }
}

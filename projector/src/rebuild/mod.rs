//! Makes views anew from the log, beside the live ones, and puts them in their place in one transaction.
//!
//! The new tables are filled by the projector's own fold and statements, up to where the live views are, and never beyond: so
//! they can take the place of some of them as well as of all. The indexes that only questions need are made when the tables are
//! full. What happened meanwhile is caught up with; then readers and the projector are held for the moment that the exchange
//! takes ([`switch`]). Nothing else is done: no participant is asked, and nobody is told of anything but the new views.

mod reading;
mod shadow;
mod switch;

use std::num::NonZeroUsize;
use std::time::Duration;

use event_store::{EventStore, Position, ReadError};
use leader_consumer::{Mismatch, verify};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use views::CHECKPOINTS;
use views::{LogCheckError, checkpoint_to_compare, compare_views};
use views::{checkpoint, live_schema};

use crate::compare::Difference;
use crate::reproject::{RemakeError, Reprojection};
use reading::Reading;
pub use views::View;

/// Any number will do, as long as every rebuild of a database takes the same.
const LOCK: i64 = 0x7465_6e75_7262;
/// Orders under way that are kept folded; the others are read from the log again when they move.
const CACHED_ORDERS: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// How often the exchange is tried while others hold the tables.
const MAX_TRIES: usize = 60;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// What is to be made anew, and how.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// Which views.
    pub views: Vec<View>,
    /// Whether to put them in place of the live ones, or only to say how these differ.
    pub only_check: bool,
    /// Whether to begin anew where an earlier rebuild was interrupted, instead of going on.
    pub anew: bool,
    /// Whether this log may take the place of the one that the views were made from, where that is another.
    pub adopt: bool,
}

/// How far a rebuild has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Filling the tables.
    Filling {
        /// The position up to which events are read.
        position: u64,
        /// The position that the live views have.
        of: u64,
        /// Events read in this run.
        events: u64,
    },
    /// Making the indexes.
    Indexing(View),
    /// Waiting for those who read, or write, the live tables; how often that was in vain.
    Exchanging(usize),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The position that the views have that were made.
    pub position: Option<Position>,
    /// Events read in this run.
    pub events: u64,
    /// Where the live views differed, if that was asked for; at most 1,000 of each view.
    pub differences: Vec<Difference>,
    /// Orders that the log has.
    pub orders: u64,
    /// How the log differed from the one that the live views were made from, if it did.
    pub adopted: Option<Mismatch>,
}

/// Why views were not made anew. What was made so far stays, and is gone on with.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// They could not be made.
    #[error(transparent)]
    Reprojection(#[from] RemakeError),
    /// Two cannot be at it.
    #[error("another rebuild is under way")]
    UnderWay,
    /// The tables were never free.
    #[error("the live views could not be exchanged: others held them, {MAX_TRIES} times")]
    Held,
    /// A part of the views would not go with the rest.
    #[error("other events are set aside now than in the live views, so that only all views together can be exchanged")]
    ParkedDiffer,
    /// The live views are of another log, and this one may not take its place.
    #[error("the live views were not made from this log: {0}")]
    OtherLog(Mismatch),
    /// Only all views together can be made from another log.
    #[error("the live views were not made from this log, so that only all of them together can be made from it: {0}")]
    OnlyTogether(Mismatch),
    /// The log cannot say which it is.
    #[error(transparent)]
    Identity(#[from] LogCheckError),
    /// Told to stop.
    #[error("stopped; the next rebuild goes on from here")]
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

/// Makes views anew. `tell` hears how far it is.
pub async fn rebuild(
    options: &RebuildOptions,
    log: &EventStore,
    pool: &PgPool,
    stop: &CancellationToken,
    tell: impl Fn(Stage),
) -> Result<Rebuilt, RebuildError> {
    let mut db = pool.acquire().await?.detach();
    let rebuilt = rebuild_on(&mut db, options, log, stop, tell).await;
    // The next one may begin as soon as this returns; a connection that closes would give the lock back a little later.
    let unlocked = sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut db).await;
    if let Err(error) = unlocked.and(db.close().await) {
        tracing::debug!(%error, "the rebuild's connection did not close cleanly");
    }
    rebuilt
}

async fn rebuild_on(
    db: &mut PgConnection,
    options: &RebuildOptions,
    log: &EventStore,
    stop: &CancellationToken,
    tell: impl Fn(Stage),
) -> Result<Rebuilt, RebuildError> {
    if !sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *db).await? {
        return Err(RebuildError::UnderWay);
    }
    // What a crash of the server takes back is made again, or the checkpoint beside would not be where it is.
    shadow::execute(db, "SET synchronous_commit TO off").await?;
    let live = live_schema(db).await?;
    let mismatch = compare_views(log, db).await?;
    if let Some(mismatch) = &mismatch {
        allowed(mismatch, options)?;
    }
    let log_id = if mismatch.is_some() {
        verify(log, None).await.map_err(LogCheckError::from)?
    } else {
        verify(log, checkpoint_to_compare(db, CHECKPOINTS).await?.as_ref()).await.map_err(LogCheckError::from)?
    };
    let written = shadow::take_up(db, &live, log_id, options.anew).await?;
    let mut work = Work {
        reading: Reading::new(log.clone(), written),
        reprojection: Reprojection::new(log.clone(), written, CACHED_ORDERS),
        live,
        log: log.clone(),
        log_id,
        adopted: mismatch,
        stop,
        tell,
    };
    work.catch_up(db).await?;
    for view in View::ALL {
        work.go_on()?;
        (work.tell)(Stage::Indexing(view));
        shadow::index(db, &work.live, view).await?;
    }
    work.exchange(db, options).await
}

/// Whether views of another log may be replaced.
fn allowed(mismatch: &Mismatch, options: &RebuildOptions) -> Result<(), RebuildError> {
    if options.only_check || !options.adopt {
        return Err(RebuildError::OtherLog(mismatch.clone()));
    }
    if View::ALL.iter().any(|view| !options.views.contains(view)) {
        return Err(RebuildError::OnlyTogether(mismatch.clone()));
    }
    Ok(())
}

struct Work<'a, T> {
    reading: Reading,
    reprojection: Reprojection,
    /// The schema of the live views.
    live: String,
    log: EventStore,
    log_id: Uuid,
    /// How the log differs from the one that the live views were made from, if it does.
    adopted: Option<Mismatch>,
    stop: &'a CancellationToken,
    tell: T,
}

impl<T: Fn(Stage)> Work<'_, T> {
    fn go_on(&self) -> Result<(), RebuildError> {
        if self.stop.is_cancelled() { Err(RebuildError::Stopped) } else { Ok(()) }
    }

    /// How far the new views go: to where the live ones are; to the end of a log that takes the place of another.
    async fn target(&self, db: &mut PgConnection) -> Result<Option<Position>, RebuildError> {
        match self.adopted {
            Some(_) => Ok(self.log.head().await?),
            None => Ok(checkpoint::read_in(db, &self.live).await?),
        }
    }

    /// Comes up to where the live views are, which move meanwhile.
    async fn catch_up(&mut self, db: &mut PgConnection) -> Result<(), RebuildError> {
        while let Some(target) = self.target(db).await?
            && self.reading.through() < Some(target)
        {
            self.fill(db, target).await?;
        }
        Ok(())
    }

    /// Reads and writes up to a position.
    async fn fill(&mut self, db: &mut PgConnection, target: Position) -> Result<(), RebuildError> {
        let mut events = self.reading.next(target).await?;
        while !events.is_empty() || self.reading.through() < Some(target) {
            self.go_on()?;
            // While one batch is written the next is read.
            let (written, next) = tokio::join!(self.reprojection.write(db, &events), self.reading.next(target));
            written?;
            events = next?;
            let position = self.reprojection.written.map_or(0, |position| position.commit);
            (self.tell)(Stage::Filling { position, of: target.commit, events: self.reading.events() });
        }
        Ok(())
    }

    async fn exchange(&mut self, db: &mut PgConnection, options: &RebuildOptions) -> Result<Rebuilt, RebuildError> {
        for tries in 0..MAX_TRIES {
            self.go_on()?;
            self.catch_up(db).await?;
            (self.tell)(Stage::Exchanging(tries));
            if let Some(rebuilt) = switch::attempt(self, db, options).await? {
                return Ok(rebuilt);
            }
            sleep(PAUSE).await;
        }
        Err(RebuildError::Held)
    }
}

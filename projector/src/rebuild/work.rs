//! The work of a rebuild: it reads the log, and fills the shadow tables up to a position.

use event_store::{EventStore, Position};
use leader_consumer::Mismatch;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use views::Shadow;

use super::error::RebuildError;
use super::log_pages::LogPages;
use super::progress::Stage;
use crate::reproject::Reprojection;

pub(super) struct Work<'a, T> {
    pub pages: LogPages,
    pub reprojection: Reprojection,
    pub shadow: Shadow,
    pub log: EventStore,
    pub log_id: Uuid,
    /// How the log differs from the one that the live views were made from, if it is another.
    pub adopted: Option<Mismatch>,
    pub stop: &'a CancellationToken,
    pub report: T,
}

impl<T: Fn(Stage)> Work<'_, T> {
    pub fn check_stopped(&self) -> Result<(), RebuildError> {
        if self.stop.is_cancelled() { Err(RebuildError::Stopped) } else { Ok(()) }
    }

    /// The position to which the new views go: that of the live ones, or the end of an adopted log.
    pub async fn target(&self, db: &mut PgConnection) -> Result<Option<Position>, RebuildError> {
        match self.adopted {
            Some(_) => Ok(self.log.head().await?),
            None => Ok(self.shadow.live_checkpoint(db).await?),
        }
    }

    /// Fills the tables up to the live views, which change meanwhile.
    pub async fn catch_up(&mut self, db: &mut PgConnection) -> Result<(), RebuildError> {
        while let Some(target) = self.target(db).await?
            && self.pages.through() < Some(target)
        {
            self.fill(db, target).await?;
        }
        Ok(())
    }

    /// Reads and writes up to a position.
    pub async fn fill(&mut self, db: &mut PgConnection, target: Position) -> Result<(), RebuildError> {
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
}

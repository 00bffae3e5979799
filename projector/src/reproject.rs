//! Writes what becomes of events into the tables that a connection sees first, by the projector's own fold and statements, while
//! the projector goes on with those that everybody sees.

use std::num::NonZeroUsize;

use event_store::{EventStore, Position, ReadError, RecordedEvent};
use leader_consumer::OriginError;
use sqlx::{Connection, PgConnection};

use crate::apply::{Views, apply};
use crate::error::{Interruption, WriteError};
use crate::fold::Batch;
use crate::states::States;
use crate::write::{Moving, Rows, write_all};

/// Why views could not be made anew.
#[derive(Debug, thiserror::Error)]
pub enum RemakeError {
    /// The database failed, or has no views.
    #[error("the views cannot be reached")]
    Database(#[from] sqlx::Error),
    /// The log could not be read.
    #[error("the log cannot be read")]
    Log(#[from] ReadError),
    /// The views are of another log.
    #[error(transparent)]
    Origin(OriginError),
    /// Somebody else writes where only this should.
    #[error("somebody else moved the checkpoint of what is made anew")]
    CheckpointMoved,
}

impl From<WriteError> for RemakeError {
    fn from(error: WriteError) -> Self {
        match error.into() {
            Interruption::Log(error) => Self::Log(error),
            Interruption::Database(error) => Self::Database(error),
            Interruption::CheckpointMoved | Interruption::Reconnected => Self::CheckpointMoved,
            Interruption::Origin(error) => Self::Origin(error),
        }
    }
}

/// What has been made so far.
pub(crate) struct Reprojection {
    states: States,
    /// How far the checkpoint beside has come.
    pub written: Option<Position>,
}

impl Reprojection {
    /// From there on, with room in memory for so many orders.
    pub fn new(log: EventStore, written: Option<Position>, cached_orders: NonZeroUsize) -> Self {
        Self { states: States::new(log, cached_orders), written }
    }

    /// Writes what becomes of these events, as the projector does.
    pub async fn write(&mut self, db: &mut PgConnection, events: &[RecordedEvent]) -> Result<(), RemakeError> {
        Ok(apply(&mut IntoShadow { reprojection: self, db }, events).await?)
    }
}

/// The tables that a connection sees first.
struct IntoShadow<'a> {
    reprojection: &'a mut Reprojection,
    db: &'a mut PgConnection,
}

impl Views for IntoShadow<'_> {
    async fn fold(&mut self, events: &[RecordedEvent]) -> Result<Batch, WriteError> {
        Ok(Batch::fold(&mut self.reprojection.states, self.db, events).await?)
    }

    async fn commit(&mut self, batch: Batch, events: &[RecordedEvent]) -> Result<(), WriteError> {
        let Some(last) = events.last() else { return Ok(()) };
        let moving = Moving {
            from: self.reprojection.written,
            generation: 0,
            through: last.position,
            event: Some(last.id),
            log_id: None,
            last_event_at: Some(last.created),
            is_news: false,
        };
        let mut transaction = self.db.begin().await?;
        write_all(&mut transaction, &Rows::of(&batch)?, &moving).await?;
        transaction.commit().await?;
        self.reprojection.written = Some(last.position);
        batch.keep(&mut self.reprojection.states);
        Ok(())
    }
}

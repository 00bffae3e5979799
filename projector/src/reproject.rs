//! Writes events into the tables that a connection sees first, with the projector's own fold and
//! statements, while the projector continues with the live ones.

use std::num::NonZeroUsize;

use event_store::{EventStore, Position, ReadError, RecordedEvent};
use leader_consumer::OriginError;
use sqlx::{Connection, PgConnection};
use views::writer::CheckpointMove;

use crate::apply::{Views, apply};
use crate::error::{Interruption, WriteError};
use crate::fold::Batch;
use crate::states::States;

/// Why views could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ReprojectError {
    /// The database failed, or has no views.
    #[error("the views cannot be reached")]
    Database(#[from] sqlx::Error),
    /// The log could not be read.
    #[error("the log cannot be read")]
    Log(#[from] ReadError),
    /// The views are made from another log.
    #[error(transparent)]
    Origin(OriginError),
    /// Another process writes to the same tables.
    #[error("another process moved the checkpoint of the views that are being rebuilt")]
    CheckpointMoved,
}

impl From<WriteError> for ReprojectError {
    fn from(error: WriteError) -> Self {
        match error.into() {
            Interruption::Log(error) => Self::Log(error),
            Interruption::Database(error) => Self::Database(error),
            Interruption::CheckpointMoved | Interruption::Reconnected => Self::CheckpointMoved,
            Interruption::Origin(error) => Self::Origin(error),
        }
    }
}

/// Views that are being rebuilt.
pub(crate) struct Reprojection {
    states: States,
    /// The checkpoint of the rebuilt tables.
    pub written: Option<Position>,
}

impl Reprojection {
    /// Continues after that checkpoint, with room in memory for so many orders.
    pub fn new(log: EventStore, written: Option<Position>, cached_orders: NonZeroUsize) -> Self {
        Self { states: States::new(log, cached_orders), written }
    }

    /// Writes these events, as the projector does.
    pub async fn write(&mut self, db: &mut PgConnection, events: &[RecordedEvent]) -> Result<(), ReprojectError> {
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
        let to = CheckpointMove {
            from: self.reprojection.written,
            generation: 0,
            through: last.position,
            event: Some(last.id),
            log_id: None,
            last_event_at: Some(last.created),
            announce: false,
        };
        let mut transaction = self.db.begin().await?;
        batch.changes()?.write(&mut transaction, &to).await?;
        transaction.commit().await?;
        self.reprojection.written = Some(last.position);
        batch.keep(&mut self.reprojection.states);
        Ok(())
    }
}

//! The one connection of the active projector. It holds the leadership
//! ([`leader_consumer::acquire_leadership`]) and writes. A projector that has lost the leadership
//! cannot write.

use std::time::Duration;

use event_store::{EventStore, Position, RecordedEvent};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;
use uuid::Uuid;
use views::writer::{self, CheckpointMove};
use views::{checkpoint, verify_views};

use crate::error::{Interruption, WriteError};
use crate::fold::Batch;
use crate::options::ProjectorOptions;

/// Any number will do, as long as every projector of a database takes the same.
const LOCK: i64 = 0x7465_6e75_746f;

/// How long the log has to return the event at the checkpoint.
const LOOKING_UP: Duration = Duration::from_secs(1);

/// The active projector's connection.
pub(crate) struct Session {
    pub db: PgConnection,
    checkpoint: Option<Position>,
    /// It goes up when another process changes the views: then the memory of them is stale.
    generation: i64,
    /// The identity of the log that the views are made from.
    log_id: Uuid,
}

impl Session {
    /// Waits until this projector is the leader. May be dropped while waiting.
    pub async fn take_over(pool: &PgPool, log: &EventStore, options: &ProjectorOptions) -> Result<Self, Interruption> {
        let mut db = leader_consumer::acquire_leadership(pool, LOCK, options.standby_poll, options.silence).await?;
        writer::prepare(&mut db).await?;
        let log_id = verify_views(log, &mut db).await?;
        let (checkpoint, generation) = checkpoint::with_generation(&mut db).await?;
        Ok(Self { db, checkpoint, generation, log_id })
    }

    /// The checkpoint of the views.
    pub fn checkpoint(&self) -> Option<Position> {
        self.checkpoint
    }

    /// Writes and commits a batch that ends with this event. Returns how many more events are set
    /// aside.
    pub async fn commit(&mut self, batch: &Batch, last: &RecordedEvent) -> Result<i64, WriteError> {
        let to = CheckpointMove { last_event_at: Some(last.created), ..self.move_to(last.position, Some(last.id)) };
        let more_parked = batch.changes()?.commit(&mut self.db, &to).await?;
        self.checkpoint = Some(last.position);
        Ok(more_parked)
    }

    /// Shows that this projector lives, and moves the checkpoint if the log was read further than
    /// the views: where no event passes the filter, only this moves it. The event there is looked
    /// up in the log, for its id; if the log does not answer in time, the leadership is kept.
    ///
    /// Fails if another process changed the views meanwhile (a retry, a rebuild), so that the
    /// projector drops its memory of them.
    pub async fn keep_alive(&mut self, log: &EventStore, through: Option<Position>) -> Result<(), Interruption> {
        if let Some(through) = through.filter(|through| Some(*through) > self.checkpoint)
            && let Ok(Ok(event)) = timeout(LOOKING_UP, log.event_at(through)).await
        {
            let to = self.move_to(through, event.map(|event| event.id));
            writer::move_checkpoint(&mut self.db, &to).await.map_err(WriteError::from)?;
            self.checkpoint = Some(through);
            return Ok(());
        }
        let (_, generation) = checkpoint::with_generation(&mut self.db).await?;
        if generation == self.generation { Ok(()) } else { Err(Interruption::CheckpointMoved) }
    }

    /// Releases the leadership, so that another projector has it at once.
    pub async fn close(self) {
        if let Err(error) = self.db.close().await {
            tracing::debug!(%error, "the projector's connection did not close cleanly");
        }
    }

    fn move_to(&self, through: Position, event: Option<Uuid>) -> CheckpointMove {
        CheckpointMove {
            from: self.checkpoint,
            generation: self.generation,
            through,
            event,
            log_id: Some(self.log_id),
            last_event_at: None,
            announce: true,
        }
    }
}

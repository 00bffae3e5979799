//! The one connection of the active projector. It holds the leadership
//! ([`leader_consumer::acquire_leadership`]) and writes. A projector that has lost the leadership
//! cannot write.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event_store::{EventStore, Position};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;
use uuid::Uuid;
use views::channels;
use views::checkpoint::{self, VIEWS};
use views::verify_views;

use crate::error::Interruption;
use crate::options::ProjectorOptions;

/// Any number will do, as long as every projector of a database takes the same.
const LOCK: i64 = 0x7465_6e75_746f;

/// How long the log has to say which event stands at the checkpoint.
const LOOKING_UP: Duration = Duration::from_secs(1);

/// What every transaction of the connection relies on.
///
/// Views and checkpoint move together, so what a crash of the server takes back is done again from the log: there is no need to
/// wait for the disk.
///
/// A batch's statement is planned once and not for each batch, which takes longer than to carry it out for a few events. So the plan
/// must be good for any batch and any size of the views, which the planner does not know: rows are looked up by their keys,
/// and lists are joined by hashing.
const SETTINGS: &str = "SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan;
                        SET enable_seqscan = off; SET enable_nestloop = off; SET jit = off";

/// Moves the checkpoint from where this projector believes it to be: name, commit and prepare position, time of the last event,
/// commit position before; and the parameters that are named: the generation of the views, the log's identity, and the id of the
/// event at the new position. Of the last two, what is not given stays as it is.
macro_rules! moved {
    ($generation:literal, $log:literal, $event:literal) => {
        concat!(
            "moved AS (
            INSERT INTO checkpoints AS c (name, position, prepare, last_event_at, log_id, mark_position, mark_prepare, mark_event)
            SELECT $1::text, $2::bigint, $3::bigint, $4::timestamptz, log_id,
                   CASE WHEN event IS NOT NULL THEN $2::bigint END,
                   CASE WHEN event IS NOT NULL THEN $3::bigint END, event
            FROM (SELECT ",
            $log,
            "::uuid AS log_id, ",
            $event,
            "::uuid AS event) AS given
            ON CONFLICT (name) DO UPDATE
            SET position = excluded.position, prepare = excluded.prepare,
                last_event_at = coalesce(excluded.last_event_at, c.last_event_at),
                log_id = coalesce(excluded.log_id, c.log_id),
                mark_position = coalesce(excluded.mark_position, c.mark_position),
                mark_prepare = coalesce(excluded.mark_prepare, c.mark_prepare),
                mark_event = coalesce(excluded.mark_event, c.mark_event)
            WHERE c.position = $5 AND c.generation = ",
            $generation,
            " RETURNING position
        )"
        )
    };
}
pub(crate) use moved;

/// The active projector's connection.
pub(crate) struct Session {
    pub db: PgConnection,
    checkpoint: Option<Position>,
    generation: i64,
    /// The identity of the log that the views are made from.
    log_id: Uuid,
}

impl Session {
    /// Waits for this projector's turn. May be dropped while waiting.
    pub async fn take_over(pool: &PgPool, log: &EventStore, options: &ProjectorOptions) -> Result<Self, Interruption> {
        let mut db = leader_consumer::acquire_leadership(pool, LOCK, options.standby_poll, options.silence).await?;
        sqlx::raw_sql(SETTINGS).execute(&mut db).await?;
        let log_id = verify_views(log, &mut db).await?;
        let (checkpoint, generation) = checkpoint::with_generation(&mut db).await?;
        Ok(Self { db, checkpoint, generation, log_id })
    }

    /// How far the views have come.
    pub fn checkpoint(&self) -> Option<Position> {
        self.checkpoint
    }

    /// Goes up when somebody else has changed the views: what is remembered of them is void.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The identity of the log that the views are made from.
    pub fn log_id(&self) -> Uuid {
        self.log_id
    }

    /// Says that this projector lives, and how far it has come if that is further than the views say: where nothing passes
    /// the filter, only this moves the checkpoint. The event there is looked up in the log, for its id; a log that does not answer
    /// in time is no reason to lose the place. If an operator has changed the views meanwhile (a retry, a rebuild), this fails, so
    /// that the projector reads anew what it remembers of them.
    pub async fn keep_alive(&mut self, log: &EventStore, through: Option<Position>) -> Result<(), Interruption> {
        if let Some(through) = through.filter(|through| Some(*through) > self.checkpoint)
            && let Ok(Ok(event)) = timeout(LOOKING_UP, log.event_at(through)).await
        {
            self.move_checkpoint(through, event.map(|event| event.id)).await?;
            self.checkpoint = Some(through);
            return Ok(());
        }
        let (_, generation) = checkpoint::with_generation(&mut self.db).await?;
        if generation == self.generation { Ok(()) } else { Err(Interruption::CheckpointMoved) }
    }

    /// Moves the checkpoint, from where this projector believes it to be, and announces it.
    async fn move_checkpoint(&mut self, to: Position, event: Option<Uuid>) -> Result<(), Interruption> {
        let moved =
            sqlx::query(concat!("WITH ", moved!("$7", "$8", "$9"), " SELECT pg_notify($6, position::text) FROM moved"))
                .bind(VIEWS)
                .bind(to.commit.cast_signed())
                .bind(to.prepare.cast_signed())
                .bind(None::<DateTime<Utc>>)
                .bind(self.checkpoint.map(|from| from.commit.cast_signed()))
                .bind(channels::MOVED)
                .bind(self.generation)
                .bind(self.log_id)
                .bind(event)
                .fetch_optional(&mut self.db)
                .await?;
        moved.map(|_| ()).ok_or(Interruption::CheckpointMoved)
    }

    /// The transaction that moved the checkpoint there is committed.
    pub fn committed(&mut self, through: Position) {
        self.checkpoint = Some(through);
    }

    /// Gives the place up, so that another one has it at once.
    pub async fn close(self) {
        if let Err(error) = self.db.close().await {
            tracing::debug!(%error, "the projector's connection did not close cleanly");
        }
    }
}

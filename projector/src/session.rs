//! The one connection through which the active projector holds its place (see [`follower::take_place`]) and writes: whoever has
//! lost the place cannot write.

use chrono::{DateTime, Utc};
use event_store::client::Position;
use sqlx::{Connection, PgConnection, PgPool};

use crate::error::Interruption;
use crate::options::ProjectorOptions;

/// Any number will do, as long as every projector of a database takes the same.
const LOCK: i64 = 0x7465_6e75_746f;
/// The row of `checkpoints`.
pub(crate) const VIEWS: &str = "views";

/// Moves the checkpoint from where this projector believes it to be: name, commit and prepare position, time of the last event,
/// commit position before.
macro_rules! moved {
    () => {
        "moved AS (
            INSERT INTO checkpoints AS c (name, position, prepare, last_event_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (name) DO UPDATE
            SET position = excluded.position, prepare = excluded.prepare,
                last_event_at = coalesce(excluded.last_event_at, c.last_event_at)
            WHERE c.position = $5
            RETURNING position
        )"
    };
}
pub(crate) use moved;

/// The active projector's connection.
pub(crate) struct Session {
    pub db: PgConnection,
    checkpoint: Option<Position>,
}

impl Session {
    /// Waits for this projector's turn. May be dropped while waiting.
    pub async fn take_over(pool: &PgPool, options: &ProjectorOptions) -> Result<Self, sqlx::Error> {
        let mut db = follower::take_place(pool, LOCK, options.standby_poll, options.silence).await?;
        settle(&mut db).await?;
        let checkpoint = read_checkpoint(&mut db).await?;
        Ok(Self { db, checkpoint })
    }

    /// How far the views have come.
    pub fn checkpoint(&self) -> Option<Position> {
        self.checkpoint
    }

    /// Says that this projector lives, and how far it has come if that is further than the views say: where nothing passes
    /// the filter, only this moves the checkpoint.
    pub async fn keep_alive(&mut self, through: Option<Position>) -> Result<(), Interruption> {
        match through {
            Some(through) if Some(through) > self.checkpoint => {
                move_checkpoint(&mut self.db, self.checkpoint, through, None).await?;
                self.checkpoint = Some(through);
            }
            _ => self.db.ping().await?,
        }
        Ok(())
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

/// What every transaction of this connection relies on.
async fn settle(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Views and checkpoint move together, so what a crash of the server takes back is done again from the log: there is
    // no need to wait for the disk.
    sqlx::query("SELECT set_config('synchronous_commit', 'off', false)").execute(db).await.map(drop)
}

async fn read_checkpoint(db: &mut PgConnection) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64)> = sqlx::query_as("SELECT position, prepare FROM checkpoints WHERE name = $1")
        .bind(VIEWS)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|(commit, prepare)| Position { commit: commit.cast_unsigned(), prepare: prepare.cast_unsigned() }))
}

/// Moves the checkpoint, from where this projector believes it to be, and announces it.
pub(crate) async fn move_checkpoint(
    db: &mut PgConnection,
    from: Option<Position>,
    to: Position,
    last_event_at: Option<DateTime<Utc>>,
) -> Result<(), Interruption> {
    let moved = sqlx::query(concat!("WITH ", moved!(), " SELECT pg_notify($6, position::text) FROM moved"))
        .bind(VIEWS)
        .bind(to.commit.cast_signed())
        .bind(to.prepare.cast_signed())
        .bind(last_event_at)
        .bind(from.map(|from| from.commit.cast_signed()))
        .bind(crate::NOTIFICATIONS)
        .fetch_optional(db)
        .await?;
    moved.map(|_| ()).ok_or(Interruption::CheckpointMoved)
}

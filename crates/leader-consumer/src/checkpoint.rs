//! A checkpoint in a table that belongs to the caller.

use event_store::Position;
use sqlx::{FromRow, PgConnection, SqlSafeStr};
use uuid::Uuid;

use crate::origin::{Checkpoint, Mark};

/// The statements on a checkpoint's row. The table has the columns `name text PRIMARY KEY`,
/// `position bigint NOT NULL`, `prepare bigint NOT NULL`, `log_id uuid`, `mark_position bigint`,
/// `mark_prepare bigint` and `mark_event uuid`; see [`checkpoint_in`](crate::checkpoint_in).
#[derive(Debug, Clone, Copy)]
pub struct CheckpointRow {
    /// The row's name.
    pub name: &'static str,
    /// The statement that reads it. `$1` is the name.
    pub read: &'static str,
    /// The statement that writes it. `$1` is the name, `$2` the position, `$3` the prepare
    /// position, `$4` the log, `$5` to `$7` the mark.
    pub write: &'static str,
}

/// The [`CheckpointRow`] with this name in a table.
#[macro_export]
macro_rules! checkpoint_in {
    ($table:literal, $name:expr) => {
        $crate::CheckpointRow {
            name: $name,
            read: concat!(
                "SELECT position, prepare, log_id, mark_position, mark_prepare, mark_event FROM ",
                $table,
                " WHERE name = $1"
            ),
            write: concat!(
                "INSERT INTO ",
                $table,
                " (name, position, prepare, log_id, mark_position, mark_prepare, mark_event)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (name) DO UPDATE
                 SET position = excluded.position, prepare = excluded.prepare, log_id = excluded.log_id,
                     mark_position = excluded.mark_position, mark_prepare = excluded.mark_prepare,
                     mark_event = excluded.mark_event"
            ),
        }
    };
}

/// A row of a table of checkpoints.
#[derive(Debug, FromRow)]
struct Row {
    position: i64,
    prepare: i64,
    log_id: Option<Uuid>,
    mark_position: Option<i64>,
    mark_prepare: Option<i64>,
    mark_event: Option<Uuid>,
}

/// Reads a checkpoint with a statement like [`CheckpointRow::read`]. The table's name may be chosen
/// at run time.
pub async fn read_checkpoint(
    db: &mut PgConnection,
    statement: impl SqlSafeStr + Send,
    name: &str,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(statement).bind(name).fetch_optional(db).await?;
    Ok(row.map(Checkpoint::from))
}

impl CheckpointRow {
    pub(crate) async fn read(&self, db: &mut PgConnection) -> Result<Option<Checkpoint>, sqlx::Error> {
        read_checkpoint(db, self.read, self.name).await
    }

    pub(crate) async fn write(&self, db: &mut PgConnection, checkpoint: &Checkpoint) -> Result<(), sqlx::Error> {
        write_checkpoint(db, self.write, self.name, checkpoint).await
    }
}

/// Writes a checkpoint with a statement like [`CheckpointRow::write`]. The name may be chosen at
/// run time.
pub async fn write_checkpoint(
    db: &mut PgConnection,
    statement: &'static str,
    name: &str,
    checkpoint: &Checkpoint,
) -> Result<(), sqlx::Error> {
    let Checkpoint { position, log, mark } = checkpoint;
    sqlx::query(statement)
        .bind(name)
        .bind(position.commit.cast_signed())
        .bind(position.prepare.cast_signed())
        .bind(log)
        .bind(mark.map(|mark| mark.position.commit.cast_signed()))
        .bind(mark.map(|mark| mark.position.prepare.cast_signed()))
        .bind(mark.map(|mark| mark.event))
        .execute(db)
        .await
        .map(drop)
}

impl From<Row> for Checkpoint {
    fn from(row: Row) -> Self {
        let mark = match (row.mark_position, row.mark_event) {
            (Some(commit), Some(event)) => {
                Some(Mark { position: position(commit, row.mark_prepare.unwrap_or(commit)), event })
            }
            _ => None,
        };
        Self { position: position(row.position, row.prepare), log: row.log_id, mark }
    }
}

fn position(commit: i64, prepare: i64) -> Position {
    Position { commit: commit.cast_unsigned(), prepare: prepare.cast_unsigned() }
}

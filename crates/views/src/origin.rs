//! Whether the views were made from this log.
//!
//! Views from before logs had an identity are compared by their newest order: its last event has to
//! be at the position that the views have. Then the views take the log's identity. Views that
//! differ stay as they are, until a rebuild, or until the right log is back.

use event_store::{EventStore, Position, ReadError};
use leader_consumer::{Checkpoint, Mark, Mismatch, OriginError, compare, read_checkpoint};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use uuid::Uuid;

use crate::checkpoint::VIEWS;
use crate::tables::CHECKPOINTS;

/// What an operator does when the views were made from another log.
pub const REMEDY: &str = "connect the log that the views were made from, or restore it whole; to continue with this log instead, rebuild \
                          the views from it: tenuto rebuild --yes";

/// Compares the views with the log, and returns the log's identity. A log without an identity gets
/// one, unless the views are made from another log. Views without one take it from the log.
pub async fn verify_log(log: &EventStore, pool: &PgPool) -> Result<Uuid, LogCheckError> {
    let mut db = pool.acquire().await?;
    verify_views(log, &mut db).await
}

/// How the log differs from the one that the views were made from. Writes nothing.
pub async fn compare_log(log: &EventStore, pool: &PgPool) -> Result<Option<Mismatch>, LogCheckError> {
    compare_views(log, &mut *pool.acquire().await?).await
}

/// The same, on a connection.
pub async fn compare_views(log: &EventStore, db: &mut PgConnection) -> Result<Option<Mismatch>, LogCheckError> {
    match checkpoint_to_compare(db, CHECKPOINTS).await? {
        Some(checkpoint) => Ok(compare(log, &checkpoint).await?),
        None => Ok(None),
    }
}

/// Why it is not certain that the views are made from this log.
#[derive(Debug, thiserror::Error)]
pub enum LogCheckError {
    /// The views' checkpoint cannot be read.
    #[error("the views cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
    /// The views are made from another log, or the log cannot be read.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

impl From<ReadError> for LogCheckError {
    fn from(error: ReadError) -> Self {
        Self::Origin(error.into())
    }
}

/// [`verify_log`] on a connection.
pub async fn verify_views(log: &EventStore, db: &mut PgConnection) -> Result<Uuid, LogCheckError> {
    let checkpoint = checkpoint_to_compare(db, CHECKPOINTS).await?;
    let log_id = leader_consumer::verify(log, checkpoint.as_ref()).await?;
    if checkpoint.is_some_and(|checkpoint| checkpoint.log.is_none()) {
        sqlx::query("UPDATE checkpoints SET log_id = $2 WHERE name = $1 AND log_id IS NULL")
            .bind(VIEWS)
            .bind(log_id)
            .execute(db)
            .await?;
    }
    Ok(log_id)
}

/// The checkpoint of the views, with their log. If the checkpoint has no mark, the last event of
/// the newest order is the mark.
pub async fn checkpoint_to_compare(
    db: &mut PgConnection,
    checkpoints: &str,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let query = format!(
        "SELECT position, prepare, log_id, mark_position, mark_prepare, mark_event FROM {checkpoints} WHERE name = $1"
    );
    let Some(mut checkpoint) = read_checkpoint(&mut *db, AssertSqlSafe(query), VIEWS).await? else { return Ok(None) };
    if checkpoint.mark.is_none() {
        checkpoint.mark = newest_event(db).await?;
    }
    Ok(Some(checkpoint))
}

/// The last event of the order that changed last.
async fn newest_event(db: &mut PgConnection) -> Result<Option<Mark>, sqlx::Error> {
    let newest: Option<(i64, Uuid)> = sqlx::query_as(
        "SELECT o.position, t.event_id FROM (SELECT * FROM orders ORDER BY position DESC LIMIT 1) o
         JOIN timeline t ON t.order_id = o.id AND t.revision = o.revision",
    )
    .fetch_optional(db)
    .await?;
    let at = |position: i64| Position { commit: position.cast_unsigned(), prepare: position.cast_unsigned() };
    Ok(newest.map(|(position, event)| Mark { position: at(position), event }))
}

//! How far the replies of participants that are reached by events have been taken. Not a view: only command handlers write it.

use leader_consumer::{CheckpointRow, checkpoint_in};
use sqlx::PgPool;

/// The checkpoint of whoever reads replies.
pub const REPLIES: CheckpointRow = checkpoint_in!("reply_checkpoints", "replies");

/// Has the replies of a log read from its beginning: for a database that goes on with another log.
pub async fn read_replies_again(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM reply_checkpoints").execute(pool).await.map(drop)
}

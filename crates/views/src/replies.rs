//! The checkpoint in the replies of participants by events. It is not a view: only command handlers
//! write it.

use leader_consumer::{CheckpointRow, checkpoint_in};
use sqlx::PgPool;

/// The checkpoint of the consumer that reads replies.
pub const REPLIES: CheckpointRow = checkpoint_in!("reply_checkpoints", "replies");

/// Removes the checkpoint, so that replies are read from the beginning of the log: for a database
/// that now follows another log.
pub async fn read_replies_again(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM reply_checkpoints").execute(pool).await.map(drop)
}

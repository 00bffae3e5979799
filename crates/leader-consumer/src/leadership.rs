//! Leadership: an advisory lock on a connection.
//!
//! The lock and what it protects share the connection on purpose. When the connection is lost, so
//! is the lock, and no instance without the lock can write. An instance that is paused or cut off
//! is silent. Postgres ends a silent session, which frees the lock.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::time::sleep;

/// Waits until this instance leads, and returns the connection that holds the lock. All instances
/// that compete in one database use the same `lock`. May be dropped while waiting.
pub async fn acquire_leadership(
    pool: &PgPool,
    lock: i64,
    standby_poll: Duration,
    silence: Duration,
) -> Result<PgConnection, sqlx::Error> {
    // Taken out of the pool: closing the connection releases the lock.
    let mut db = pool.acquire().await?.detach();
    while !sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(lock).fetch_one(&mut db).await? {
        sleep(standby_poll).await;
    }
    sqlx::query(
        "SELECT set_config('idle_session_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)",
    )
    .bind(format!("{}ms", silence.as_millis()))
    .execute(&mut db)
    .await?;
    Ok(db)
}

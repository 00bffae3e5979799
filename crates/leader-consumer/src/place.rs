//! The place of the one that works, held by an advisory lock on a connection.
//!
//! The lock and what it protects share the connection on purpose: when the connection is lost so is the lock, and nobody who lacks
//! the lock can write. Whoever is paused, or cut off, is silent, and Postgres ends a silent session, which frees the lock.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::time::sleep;

/// Waits for the place, and gives back the connection that holds it. `lock` is the same number for all who compete for it, in
/// one database. May be dropped while waiting.
pub async fn take_place(
    pool: &PgPool,
    lock: i64,
    standby_poll: Duration,
    silence: Duration,
) -> Result<PgConnection, sqlx::Error> {
    // Taken out of the pool: closing it is what gives the lock back.
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

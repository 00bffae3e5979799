//! The to-do list (orders with due work, and when it is due), and its leases: which command handler
//! drives which order.
//!
//! The list is a view. A lease is not: only command handlers write it. A lost lease costs double
//! work, and nothing else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

/// Due orders that an instance has claimed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The orders.
    pub orders: Vec<String>,
    /// How many of them another instance had claimed at the same revision: its lease ended without
    /// progress.
    pub taken_over: usize,
}

/// Claims orders with work that is due at `now` and without a lease, the longest due first. Each
/// gets a lease of that length.
pub async fn claim(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    most: usize,
    owner: &str,
    lease: Duration,
) -> Result<Claimed, sqlx::Error> {
    let claimed: Vec<(String, bool)> = sqlx::query_as(CLAIM)
        .bind(now)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(owner)
        .bind(lease.as_secs_f64())
        .fetch_all(db)
        .await?;
    let taken_over = claimed.iter().filter(|(_, taken_over)| *taken_over).count();
    Ok(Claimed { orders: claimed.into_iter().map(|(order, _)| order).collect(), taken_over })
}

/// Extends the leases of these orders, so that none is claimed before that time has passed, unless
/// it has new events.
pub async fn put_off(db: impl PgExecutor<'_>, orders: Vec<&str>, time: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE leases SET until = greatest(until, now() + make_interval(secs => $2)) WHERE order_id = ANY($1)")
        .bind(orders)
        .bind(time.as_secs_f64())
        .execute(db)
        .await
        .map(drop)
}

/// Releases the leases of an owner. Returns how many there were.
pub async fn release_leases(pool: &PgPool, owner: &str) -> Result<u64, sqlx::Error> {
    let released = sqlx::query("DELETE FROM leases WHERE owner = $1").bind(owner).execute(pool).await?;
    Ok(released.rows_affected())
}

/// How many orders have been due for more than 5 seconds, which is longer than a command handler
/// needs to claim them. Counts up to `most` + 1.
pub async fn overdue(pool: &PgPool, most: u64) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM todo WHERE due_at < now() - interval '5 seconds' LIMIT $1) overdue",
    )
    .bind(i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX))
    .fetch_one(pool)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Orders with due work and without a lease, the longest due first. `$1` now, `$2` the most orders,
/// `$3` owner, `$4` lease in seconds.
const CLAIM: &str = "
WITH due AS (
    SELECT todo.order_id, todo.revision,
           coalesce(leases.owner <> $3 AND leases.revision >= todo.revision, false) AS taken_over
    FROM todo
    LEFT JOIN leases ON leases.order_id = todo.order_id
    WHERE todo.due_at <= $1 AND (leases.until IS NULL OR leases.until < now() OR leases.revision < todo.revision)
    ORDER BY todo.due_at
    LIMIT $2
    FOR UPDATE OF todo SKIP LOCKED
), expired AS (
    DELETE FROM leases
    WHERE until < now() - interval '10 minutes' AND order_id NOT IN (SELECT order_id FROM due)
), claimed AS (
    INSERT INTO leases (order_id, owner, until, revision)
    SELECT order_id, $3, now() + make_interval(secs => $4), revision FROM due
    ON CONFLICT (order_id) DO UPDATE SET owner = excluded.owner, until = excluded.until, revision = excluded.revision
    WHERE leases.until < now() OR leases.revision < excluded.revision
    RETURNING order_id
)
SELECT order_id, taken_over FROM due JOIN claimed USING (order_id)";

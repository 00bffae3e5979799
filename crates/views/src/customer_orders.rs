//! The orders of a customer, for an erasure.

use sqlx::PgPool;

/// The ids of open orders, sorted, without those whose key is missing.
pub async fn open(pool: &PgPool, customer: &str, most: usize) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM orders WHERE customer_id = $1 AND ended_at IS NULL
         AND (sealed IS NULL OR EXISTS (SELECT FROM all_customer_keys k WHERE k.id = (orders.sealed->>'key')::uuid))
         ORDER BY id LIMIT $2",
    )
    .bind(customer)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
}

/// The ids of orders that have ended, or whose key was destroyed, sorted, after this id.
pub async fn ended(
    pool: &PgPool,
    customer: &str,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM orders WHERE customer_id = $1 AND ($2::text IS NULL OR id > $2) AND (ended_at IS NOT NULL
           OR EXISTS (SELECT FROM all_customer_keys k WHERE k.id = (orders.sealed->>'key')::uuid AND k.secret IS NULL))
         ORDER BY id LIMIT $3",
    )
    .bind(customer)
    .bind(after)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
}

/// The ids of all open orders, sorted.
pub async fn not_ended(pool: &PgPool, customer: &str, most: usize) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM orders WHERE customer_id = $1 AND ended_at IS NULL ORDER BY id LIMIT $2")
        .bind(customer)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
}

/// How many orders have personal data that are not sealed.
pub async fn in_the_clear(pool: &PgPool, customer: &str) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM orders WHERE customer_id = $1 AND sealed IS NULL
           AND num_nonnulls(customer_name, customer_email, ship_to) > 0",
    )
    .bind(customer)
    .fetch_one(pool)
    .await?;
    Ok(count.try_into().unwrap_or_default())
}

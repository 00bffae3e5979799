//! Orders whose personal data cannot be read although they were not erased: their key is missing.

use sqlx::PgPool;

/// How many of them are listed.
const MAX_NAMED: i64 = 10;

/// How many orders lack their key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyless {
    /// All of them.
    pub orders: u64,
    /// The open ones: they are held until the keys are back, or until the orders are canceled or
    /// their customers forgotten.
    pub open: u64,
    /// The first of them, in the order of their ids.
    pub named: Vec<String>,
}

/// Counts them. This reads each order.
pub async fn keyless(pool: &PgPool) -> Result<Keyless, sqlx::Error> {
    let (orders, open, named): (i64, i64, Option<Vec<String>>) = sqlx::query_as(
        "WITH keyless AS (
             SELECT id, ended_at FROM orders WHERE sealed IS NOT NULL
             AND NOT EXISTS (SELECT FROM all_customer_keys k WHERE k.id = (orders.sealed->>'key')::uuid)
         )
         SELECT count(*), count(*) FILTER (WHERE ended_at IS NULL),
                (SELECT array_agg(id) FROM (SELECT id FROM keyless ORDER BY id LIMIT $1) named)
         FROM keyless",
    )
    .bind(MAX_NAMED)
    .fetch_one(pool)
    .await?;
    Ok(Keyless { orders: orders.cast_unsigned(), open: open.cast_unsigned(), named: named.unwrap_or_default() })
}

impl std::fmt::Display for Keyless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { orders, open, named } = self;
        let more = if *orders > named.len() as u64 { ", …" } else { "" };
        write!(
            f,
            "the keys of personal data of {orders} orders are missing, {open} of which have not ended: {}{more}; bring them \
             back: tenuto keys import",
            named.join(", ")
        )
    }
}

//! The keys of customers' personal data. They are no view: a lost key cannot be rebuilt from the
//! log, and the data that it sealed cannot be read any more.
//!
//! Stored keys are wrapped by the [master key](master_key). These functions take and return them as
//! they are.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::master_key;

/// Keys rewrapped at once.
const PAGE: i64 = 500;

/// A key. It may be in use, or only open the data that it once sealed.
#[derive(Clone, FromRow)]
#[expect(missing_docs, reason = "the migrations describe the columns")]
pub struct CustomerKeyRow {
    pub id: Uuid,
    pub customer_id: String,
    pub secret: Option<Vec<u8>>,
    pub created_at: DateTime<Utc>,
    pub destroyed_at: Option<DateTime<Utc>>,
}

/// The key in use of a customer: its id and its secret.
pub async fn in_use(pool: &PgPool, customer: &str) -> Result<Option<(Uuid, Vec<u8>)>, sqlx::Error> {
    let stored: Option<(Uuid, Vec<u8>)> =
        sqlx::query_as("SELECT id, secret FROM customer_keys WHERE customer_id = $1 AND secret IS NOT NULL")
            .bind(customer)
            .fetch_optional(pool)
            .await?;
    stored.map(|(id, secret)| Ok((id, master_key::in_use().open(id, &secret)?))).transpose()
}

/// Stores a new key of a customer, unless another is in use by now.
pub async fn add_unless_in_use(pool: &PgPool, id: Uuid, customer: &str, secret: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO customer_keys (id, customer_id, secret) VALUES ($1, $2, $3)
         ON CONFLICT (customer_id) WHERE secret IS NOT NULL DO NOTHING",
    )
    .bind(id)
    .bind(customer)
    .bind(master_key::in_use().wrap(id, secret)?)
    .execute(pool)
    .await
    .map(drop)
}

/// The customer and the secret of a key; without a secret, it was destroyed. A lost key has no row.
pub async fn by_id(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<(String, Option<Vec<u8>>)>, sqlx::Error> {
    let stored: Option<(String, Option<Vec<u8>>)> =
        sqlx::query_as("SELECT customer_id, secret FROM all_customer_keys WHERE id = $1")
            .bind(id)
            .fetch_optional(db)
            .await?;
    stored.map(|(customer, secret)| Ok((customer, opened(id, secret)?))).transpose()
}

fn opened(id: Uuid, stored: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, sqlx::Error> {
    Ok(stored.map(|stored| master_key::in_use().open(id, &stored)).transpose()?)
}

/// Destroys each key of a customer. Returns the ids of all keys that the customer ever had.
pub async fn destroy(pool: &PgPool, customer: &str) -> Result<Vec<Uuid>, sqlx::Error> {
    for destroyed in [
        "UPDATE customer_keys SET secret = NULL, destroyed_at = now()
         WHERE customer_id = $1 AND secret IS NOT NULL",
        "UPDATE retired_customer_keys SET secret = NULL, destroyed_at = now()
         WHERE customer_id = $1 AND secret IS NOT NULL",
        // A missing key counts as destroyed from now on: nothing waits for it, and no import
        // restores it.
        "INSERT INTO customer_keys (id, customer_id, destroyed_at)
         SELECT DISTINCT (sealed->>'key')::uuid, customer_id, now() FROM orders
         WHERE customer_id = $1 AND sealed IS NOT NULL
         AND NOT EXISTS (SELECT FROM all_customer_keys k WHERE k.id = (orders.sealed->>'key')::uuid)
         ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(destroyed).bind(customer).execute(pool).await?;
    }
    vacuum(pool).await;
    sqlx::query_scalar("SELECT id FROM all_customer_keys WHERE customer_id = $1").bind(customer).fetch_all(pool).await
}

/// The overwritten secrets must leave the pages of the table as well. A role without that right
/// leaves this to the automatic vacuum.
async fn vacuum(pool: &PgPool) {
    if let Err(error) = sqlx::query("VACUUM customer_keys").execute(pool).await {
        tracing::warn!(%error, "the table of keys could not be vacuumed");
    }
}

/// The first `most` keys after this id, in the order of their ids.
pub async fn after(pool: &PgPool, after: Option<Uuid>, most: i64) -> Result<Vec<CustomerKeyRow>, sqlx::Error> {
    let stored = stored_after(pool, after, most).await?;
    let opened = |row: CustomerKeyRow| Ok(CustomerKeyRow { secret: opened(row.id, row.secret)?, ..row });
    stored.into_iter().map(opened).collect()
}

/// The same, as they are stored.
async fn stored_after(pool: &PgPool, after: Option<Uuid>, most: i64) -> Result<Vec<CustomerKeyRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, customer_id, secret, created_at, destroyed_at FROM all_customer_keys
         WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(most)
    .fetch_all(pool)
    .await
}

/// Adds a key. A customer has one key in use: if another was created meanwhile, this one only opens
/// the data that it once sealed.
pub async fn add(db: &mut PgConnection, key: &CustomerKeyRow) -> Result<(), sqlx::Error> {
    let secret = key.secret.as_deref().map(|secret| master_key::in_use().wrap(key.id, secret)).transpose()?;
    let key = &CustomerKeyRow { secret, ..key.clone() };
    let added = bound(
        "INSERT INTO customer_keys (id, customer_id, secret, created_at, destroyed_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (customer_id) WHERE secret IS NOT NULL DO NOTHING",
        key,
    );
    if added.execute(&mut *db).await?.rows_affected() == 0 {
        let retired = bound(
            "INSERT INTO retired_customer_keys (id, customer_id, secret, created_at, destroyed_at)
             VALUES ($1, $2, $3, $4, $5)",
            key,
        );
        retired.execute(db).await?;
    }
    Ok(())
}

/// The result of a rewrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys that were stored as they are, or wrapped by an earlier master key.
    pub rewrapped: u64,
    /// Keys that the current master key had wrapped already.
    pub current: u64,
}

/// Wraps each key by the current master key. A key that is destroyed meanwhile stays destroyed.
pub async fn rewrap(pool: &PgPool) -> Result<Rewrapped, sqlx::Error> {
    let (keys, mut done, mut after) = (master_key::in_use(), Rewrapped::default(), None);
    loop {
        let page = stored_after(pool, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for (id, stored) in page.into_iter().filter_map(|row| Some((row.id, row.secret?))) {
            if keys.is_current(&stored) {
                done.current += 1;
                continue;
            }
            let wrapped = keys.wrap(id, &keys.open(id, &stored)?)?;
            for statement in [
                "UPDATE customer_keys SET secret = $2 WHERE id = $1 AND secret = $3",
                "UPDATE retired_customer_keys SET secret = $2 WHERE id = $1 AND secret = $3",
            ] {
                let query = sqlx::query(statement).bind(id).bind(&wrapped).bind(&stored);
                done.rewrapped += query.execute(pool).await?.rows_affected();
            }
        }
    }
    vacuum(pool).await;
    Ok(done)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bound<'q>(statement: &'static str, key: &'q CustomerKeyRow) -> Query<'q> {
    let query = sqlx::query(statement).bind(key.id).bind(&key.customer_id).bind(key.secret.as_deref());
    query.bind(key.created_at).bind(key.destroyed_at)
}

//! The keys of customers' personal data. They are no view: a lost key cannot be rebuilt from the
//! log, and the data that it sealed cannot be read any more.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

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
    sqlx::query_as("SELECT id, secret FROM customer_keys WHERE customer_id = $1 AND secret IS NOT NULL")
        .bind(customer)
        .fetch_optional(pool)
        .await
}

/// Stores a new key of a customer, unless another is in use by now.
pub async fn add_unless_in_use(pool: &PgPool, id: Uuid, customer: &str, secret: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO customer_keys (id, customer_id, secret) VALUES ($1, $2, $3)
         ON CONFLICT (customer_id) WHERE secret IS NOT NULL DO NOTHING",
    )
    .bind(id)
    .bind(customer)
    .bind(secret)
    .execute(pool)
    .await
    .map(drop)
}

/// The customer and the secret of a key; without a secret, it was destroyed. A lost key has no row.
pub async fn by_id(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<(String, Option<Vec<u8>>)>, sqlx::Error> {
    sqlx::query_as("SELECT customer_id, secret FROM all_customer_keys WHERE id = $1").bind(id).fetch_optional(db).await
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
    // The overwritten secrets must leave the pages of the table as well. A role without that right
    // leaves this to the automatic vacuum.
    if let Err(error) = sqlx::query("VACUUM customer_keys").execute(pool).await {
        tracing::warn!(%error, "the table of keys could not be vacuumed");
    }
    sqlx::query_scalar("SELECT id FROM all_customer_keys WHERE customer_id = $1").bind(customer).fetch_all(pool).await
}

/// The first `most` keys after this id, in the order of their ids.
pub async fn after(pool: &PgPool, after: Option<Uuid>, most: i64) -> Result<Vec<CustomerKeyRow>, sqlx::Error> {
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

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bound<'q>(statement: &'static str, key: &'q CustomerKeyRow) -> Query<'q> {
    let query = sqlx::query(statement).bind(key.id).bind(&key.customer_id).bind(key.secret.as_deref());
    query.bind(key.created_at).bind(key.destroyed_at)
}

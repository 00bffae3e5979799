//! A database that was restored with its keys alone: `pg_dump --table customer_keys`, into an empty
//! database.
//!
//! The migration that creates the table would fail there. So the keys are moved to another table
//! first, and back afterwards. Each step is one transaction, and any process can repeat it: a crash
//! in between loses nothing.

use sqlx::{Connection, PgConnection};

/// The table with the keys meanwhile.
const ASIDE: &str = "restored_customer_keys";
/// Any number will do, as long as every process takes the same.
const LOCK: i64 = 0x7465_6e75_6b65;

/// Moves the keys away if they exist before the schema of the views.
pub(crate) async fn put_aside(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin().await?;
    lock(&mut transaction).await?;
    if exists(&mut transaction, "customer_keys").await? && !is_migrated(&mut transaction).await? {
        sqlx::raw_sql("CREATE TABLE restored_customer_keys AS TABLE customer_keys; DROP TABLE customer_keys")
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// Moves the keys back. Returns how many there were.
pub(crate) async fn put_back(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let mut transaction = db.begin().await?;
    lock(&mut transaction).await?;
    let mut restored = 0;
    if exists(&mut transaction, ASIDE).await? {
        let back = sqlx::query(
            "INSERT INTO customer_keys (id, customer_id, secret, created_at, destroyed_at)
             SELECT id, customer_id, secret, created_at, destroyed_at FROM restored_customer_keys ON CONFLICT DO NOTHING",
        );
        restored = back.execute(&mut *transaction).await?.rows_affected();
        sqlx::raw_sql("DROP TABLE restored_customer_keys").execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(restored)
}

async fn lock(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(db).await.map(drop)
}

async fn exists(db: &mut PgConnection, table: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(db).await
}

/// Whether the migration that creates the table was applied.
async fn is_migrated(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if !exists(db, "_sqlx_migrations").await? {
        return Ok(false);
    }
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM _sqlx_migrations WHERE version = 13)").fetch_one(db).await
}

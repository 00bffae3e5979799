//! The API keys of callers. They are no view: only a hash of each secret is kept, and what is lost
//! has to be created again.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgPool};

/// An API key as it is kept.
#[derive(Debug, Clone, FromRow)]
#[expect(missing_docs, reason = "the migrations describe the columns")]
pub struct ApiKeyRow {
    pub id: String,
    pub name: String,
    pub roles: Vec<String>,
    pub on_behalf_of: bool,
    pub secret_hash: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A new API key.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the migrations describe the columns")]
pub struct NewApiKey<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub roles: Vec<String>,
    pub on_behalf_of: bool,
    pub secret_hash: &'a [u8],
    pub expires_at: Option<DateTime<Utc>>,
}

/// The key of this id.
pub async fn by_id(pool: &PgPool, id: &str) -> Result<Option<ApiKeyRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, name, roles, on_behalf_of, secret_hash, created_at, expires_at, revoked_at, last_used_at
         FROM api_keys WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await
}

/// All keys, the oldest first.
pub async fn all(pool: &PgPool) -> Result<Vec<ApiKeyRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, name, roles, on_behalf_of, secret_hash, created_at, expires_at, revoked_at, last_used_at
         FROM api_keys ORDER BY created_at, id",
    )
    .fetch_all(pool)
    .await
}

/// Adds a key.
pub async fn add(pool: &PgPool, key: &NewApiKey<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO api_keys (id, name, roles, on_behalf_of, secret_hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(key.id)
    .bind(key.name)
    .bind(&key.roles)
    .bind(key.on_behalf_of)
    .bind(key.secret_hash)
    .bind(key.expires_at)
    .execute(pool)
    .await
    .map(drop)
}

/// Revokes a key. Returns whether it existed and was in use.
pub async fn revoke(pool: &PgPool, id: &str) -> Result<bool, sqlx::Error> {
    let revoked = sqlx::query("UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL").bind(id);
    Ok(revoked.execute(pool).await?.rows_affected() > 0)
}

/// Notes that a key is used now.
pub async fn touch(pool: &PgPool, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE api_keys SET last_used_at = now() WHERE id = $1").bind(id).execute(pool).await.map(drop)
}

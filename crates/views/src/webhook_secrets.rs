//! The secrets that sign the notifications of webhooks. They are no view: a lost one has to be
//! rotated. Stored ones are wrapped by the [master key](crate::master_key).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::order::CustomerKey;
use domain::webhook::WebhookId;
use sqlx::PgPool;
use uuid::Uuid;

use crate::master_key;

/// The length of a secret, in bytes. The master key wraps keys of this length.
pub const LENGTH: usize = CustomerKey::LENGTH;

/// The secrets that sign now, by webhook, the newest first.
pub async fn current(pool: &PgPool) -> Result<HashMap<WebhookId, Vec<Vec<u8>>>, sqlx::Error> {
    let rows: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
        "SELECT webhook_id, secret FROM webhook_secrets WHERE signs_until IS NULL OR signs_until > now()
         ORDER BY webhook_id, generation DESC",
    )
    .fetch_all(pool)
    .await?;
    let mut secrets: HashMap<WebhookId, Vec<Vec<u8>>> = HashMap::new();
    for (id, stored) in rows {
        secrets.entry(WebhookId(id)).or_default().push(master_key::in_use().open(id, &stored)?);
    }
    Ok(secrets)
}

/// The secrets of one webhook that sign now, the newest first.
pub async fn of(pool: &PgPool, webhook: WebhookId) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT secret FROM webhook_secrets
         WHERE webhook_id = $1 AND (signs_until IS NULL OR signs_until > now()) ORDER BY generation DESC",
    )
    .bind(webhook.0)
    .fetch_all(pool)
    .await?;
    rows.iter().map(|stored| Ok(master_key::in_use().open(webhook.0, stored)?)).collect()
}

/// Stores a new secret. The one that it replaces signs until then, too, and those before it no
/// more.
pub async fn rotate(
    pool: &PgPool,
    webhook: WebhookId,
    secret: &[u8; LENGTH],
    earlier_until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let wrapped = master_key::in_use().wrap(webhook.0, secret)?;
    let mut transaction = pool.begin().await?;
    // One rotation of a webhook at a time.
    let (high, _) = webhook.0.as_u64_pair();
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(high.cast_signed()).execute(&mut *transaction).await?;
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(generation) FROM webhook_secrets WHERE webhook_id = $1")
        .bind(webhook.0)
        .fetch_one(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM webhook_secrets WHERE webhook_id = $1 AND signs_until IS NOT NULL")
        .bind(webhook.0)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("UPDATE webhook_secrets SET signs_until = $2 WHERE webhook_id = $1")
        .bind(webhook.0)
        .bind(earlier_until)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO webhook_secrets (webhook_id, generation, secret) VALUES ($1, $2, $3)")
        .bind(webhook.0)
        .bind(newest.unwrap_or(0) + 1)
        .bind(wrapped)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Removes the secrets of a webhook.
pub async fn remove(pool: &PgPool, webhook: WebhookId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM webhook_secrets WHERE webhook_id = $1").bind(webhook.0).execute(pool).await.map(drop)
}

/// Wraps each secret by the current master key. Returns how many were rewrapped, and how many were
/// wrapped by it already.
pub async fn rewrap(pool: &PgPool) -> Result<(u64, u64), sqlx::Error> {
    let (keys, mut rewrapped, mut current) = (master_key::in_use(), 0, 0);
    let rows: Vec<(Uuid, i64, Vec<u8>)> =
        sqlx::query_as("SELECT webhook_id, generation, secret FROM webhook_secrets").fetch_all(pool).await?;
    for (id, generation, stored) in rows {
        if keys.is_current(&stored) {
            current += 1;
            continue;
        }
        let wrapped = keys.wrap(id, &keys.open(id, &stored)?)?;
        let query = sqlx::query("UPDATE webhook_secrets SET secret = $3 WHERE webhook_id = $1 AND generation = $2");
        rewrapped += query.bind(id).bind(generation).bind(wrapped).execute(pool).await?.rows_affected();
    }
    Ok((rewrapped, current))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use postgres_cluster::testing::database;

    use super::*;

    #[tokio::test]
    async fn while_a_secret_is_rotated_two_sign_and_never_three() {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        crate::migrate(&pool).await.unwrap();
        let (ours, other) = (WebhookId(Uuid::from_u128(1)), WebhookId(Uuid::from_u128(2)));
        let later = Utc::now() + TimeDelta::hours(1);
        rotate(&pool, other, &[9; LENGTH], later).await.unwrap();
        let mut signing = Vec::new();
        for byte in 1..=3 {
            rotate(&pool, ours, &[byte; LENGTH], later).await.unwrap();
            signing.push(of(&pool, ours).await.unwrap().iter().map(|secret| secret[0]).collect::<Vec<_>>());
        }
        assert_eq!(signing, [vec![1], vec![2, 1], vec![3, 2]]);
        rotate(&pool, ours, &[4; LENGTH], Utc::now()).await.unwrap();
        let all = current(&pool).await.unwrap();
        assert_eq!((&all[&ours], &all[&other]), (&vec![vec![4; LENGTH]], &vec![vec![9; LENGTH]]));
        remove(&pool, ours).await.unwrap();
        assert!(of(&pool, ours).await.unwrap().is_empty());
    }
}

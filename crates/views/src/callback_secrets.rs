//! The secrets that sign the tokens of callbacks, several generations at once. They are no view,
//! and all command handlers of a database share them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use sqlx::{FromRow, PgPool};

/// A generation whose tokens are accepted.
#[derive(Clone, FromRow)]
pub struct CallbackSecretRow {
    /// The secret.
    pub secret: Vec<u8>,
    /// How long ago it was made, by the clock of the database, in seconds.
    pub age_seconds: i64,
    /// When its tokens are no longer accepted; `None`: it is the newest generation.
    pub accepted_until: Option<DateTime<Utc>>,
}

/// The accepted generations, the newest first.
pub async fn accepted(pool: &PgPool) -> Result<Vec<CallbackSecretRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT secret, extract(epoch FROM now() - created_at)::bigint AS age_seconds, accepted_until
         FROM callback_secrets WHERE accepted_until IS NULL OR accepted_until > now() ORDER BY generation DESC",
    )
    .fetch_all(pool)
    .await
}

/// Stores the first generation, unless another instance has done so by now.
pub async fn add_first(pool: &PgPool, secret: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO callback_secrets (generation, secret) SELECT coalesce(max(generation), 0) + 1, $1
         FROM callback_secrets HAVING count(*) FILTER (WHERE accepted_until IS NULL) = 0 ON CONFLICT DO NOTHING",
    )
    .bind(secret)
    .execute(pool)
    .await
    .map(drop)
}

/// Stores a new generation. Earlier ones are accepted for so long from now on, and not longer than
/// they were before. Returns the number of the new one.
pub async fn rotate(pool: &PgPool, secret: &[u8], accept_earlier_for: Duration) -> Result<i64, sqlx::Error> {
    let accepted = PgInterval::try_from(accept_earlier_for).map_err(sqlx::Error::Encode)?;
    let mut transaction = pool.begin().await?;
    // One rotation at a time: the lock also covers the first generation.
    sqlx::query("LOCK TABLE callback_secrets IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM callback_secrets WHERE accepted_until <= now()").execute(&mut *transaction).await?;
    sqlx::query("UPDATE callback_secrets SET accepted_until = least(coalesce(accepted_until, 'infinity'), now() + $1)")
        .bind(accepted)
        .execute(&mut *transaction)
        .await?;
    let generation = sqlx::query_scalar(
        "INSERT INTO callback_secrets (generation, secret) SELECT coalesce(max(generation), 0) + 1, $1
         FROM callback_secrets RETURNING generation",
    );
    let generation = generation.bind(secret).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(generation)
}

#[cfg(test)]
mod tests {
    use postgres_cluster::testing::database;

    use super::*;

    async fn pool(url: &str) -> PgPool {
        let pool = PgPool::connect(url).await.unwrap();
        crate::migrate(&pool).await.unwrap();
        pool
    }

    async fn secrets(pool: &PgPool) -> Vec<u8> {
        accepted(pool).await.unwrap().into_iter().map(|row| row.secret[0]).collect()
    }

    #[tokio::test]
    async fn many_instances_that_start_at_once_share_the_first_generation() {
        let database = database().await;
        let pool = pool(database.url()).await;
        let (a, b, c) =
            tokio::join!(add_first(&pool, &[1; 32]), add_first(&pool, &[2; 32]), add_first(&pool, &[3; 32]));
        a.and(b).and(c).unwrap();
        let found = accepted(&pool).await.unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].accepted_until.is_none() && found[0].age_seconds < 60, "{}", found[0].age_seconds);
        add_first(&pool, &[9; 32]).await.unwrap();
        assert_eq!(secrets(&pool).await, [found[0].secret[0]]);
    }

    #[tokio::test]
    async fn a_rotation_bounds_how_long_earlier_generations_are_accepted() {
        let database = database().await;
        let pool = pool(database.url()).await;
        add_first(&pool, &[1; 32]).await.unwrap();
        let day = Duration::from_hours(24);
        assert_eq!(rotate(&pool, &[2; 32], day).await.unwrap(), 2);
        assert_eq!(secrets(&pool).await, [2, 1]);
        let of_the_first = accepted(&pool).await.unwrap()[1].accepted_until.unwrap();
        assert!(of_the_first > Utc::now() + chrono::TimeDelta::hours(23), "{of_the_first}");
        // A longer time does not extend it, and a shorter one ends it.
        rotate(&pool, &[3; 32], 30 * day).await.unwrap();
        assert_eq!(accepted(&pool).await.unwrap()[2].accepted_until, Some(of_the_first));
        assert_eq!(rotate(&pool, &[4; 32], Duration::ZERO).await.unwrap(), 4);
        assert_eq!(secrets(&pool).await, [4]);
        // The next one forgets those that are no longer accepted, and their numbers are not used
        // again.
        assert_eq!(rotate(&pool, &[5; 32], day).await.unwrap(), 5);
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM callback_secrets").fetch_one(&pool).await.unwrap();
        assert_eq!(count, 2);
    }
}

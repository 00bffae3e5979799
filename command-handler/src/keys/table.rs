//! Keys in a table of Postgres, and those used last in memory.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::order::CustomerKey;
use futures::future::BoxFuture;
use lru::LruCache;
use rand::RngCore;
use sqlx::PgPool;
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use super::{CustomerKeys, KeyError};
use crate::orchestrator::lock;

/// How many keys are kept in memory, each of less than 1 KiB.
const KEPT: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// How long a key is used without another look at the table: so soon every instance knows that it was destroyed.
const TRUSTED_FOR: Duration = Duration::from_secs(10);

/// The table `customer_keys`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyTable {
    pool: PgPool,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    by_customer: LruCache<String, Looked<CustomerKey>>,
    by_id: LruCache<Uuid, Looked<Option<CustomerKey>>>,
}

/// What was seen in the table, and when.
#[derive(Debug, Clone)]
struct Looked<T> {
    seen: T,
    at: Instant,
}

impl<T> Looked<T> {
    fn now(seen: T) -> Self {
        Self { seen, at: Instant::now() }
    }

    fn is_fresh(&self) -> bool {
        self.at.elapsed() < TRUSTED_FOR
    }
}

impl KeyTable {
    /// That of a database.
    pub fn new(pool: PgPool) -> Self {
        let kept = Kept { by_customer: LruCache::new(KEPT), by_id: LruCache::new(KEPT) };
        Self { pool, kept: Arc::new(Mutex::new(kept)) }
    }

    async fn look_for_customer(&self, customer: &str) -> Result<CustomerKey, KeyError> {
        if let Some(key) = self.in_use(customer).await? {
            return Ok(key);
        }
        let mut secret = [0; CustomerKey::LENGTH];
        rand::rng().fill_bytes(&mut secret);
        sqlx::query(
            "INSERT INTO customer_keys (id, customer_id, secret) VALUES ($1, $2, $3)
             ON CONFLICT (customer_id) WHERE secret IS NOT NULL DO NOTHING",
        )
        .bind(Uuid::now_v7())
        .bind(customer)
        .bind(secret.as_slice())
        .execute(&self.pool)
        .await?;
        // Another instance may have been faster.
        self.in_use(customer)
            .await?
            .ok_or_else(|| KeyError(format!("the key of customer {customer} was destroyed at once")))
    }

    async fn in_use(&self, customer: &str) -> Result<Option<CustomerKey>, KeyError> {
        let row: Option<(Uuid, Vec<u8>)> =
            sqlx::query_as("SELECT id, secret FROM customer_keys WHERE customer_id = $1 AND secret IS NOT NULL")
                .bind(customer)
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(id, secret)| key(id, &secret)).transpose()
    }

    async fn look_by_id(&self, id: Uuid) -> Result<Option<CustomerKey>, KeyError> {
        let secret: Option<Option<Vec<u8>>> = sqlx::query_scalar("SELECT secret FROM customer_keys WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        // One that was destroyed leaves a row: an order must not be told placeholders because a table was lost.
        let secret =
            secret.ok_or_else(|| KeyError(format!("there is no key {id}: its table was lost, or is an old one")))?;
        secret.map(|secret| key(id, &secret)).transpose()
    }
}

impl CustomerKeys for KeyTable {
    fn of_customer<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<CustomerKey, KeyError>> {
        Box::pin(async move {
            let kept = lock(&self.kept).by_customer.get(customer).cloned();
            let kept = match kept {
                Some(kept) if kept.is_fresh() => return Ok(kept.seen),
                other => other,
            };
            match self.look_for_customer(customer).await {
                Ok(key) => {
                    let mut all = lock(&self.kept);
                    all.by_id.put(key.id(), Looked::now(Some(key.clone())));
                    all.by_customer.put(customer.to_owned(), Looked::now(key.clone()));
                    Ok(key)
                }
                Err(error) => kept.map(|kept| stale(kept.seen, &error)).ok_or(error),
            }
        })
    }

    fn by_id(&self, id: Uuid) -> BoxFuture<'_, Result<Option<CustomerKey>, KeyError>> {
        Box::pin(async move {
            let kept = lock(&self.kept).by_id.get(&id).cloned();
            let kept = match kept {
                Some(kept) if kept.is_fresh() => return Ok(kept.seen),
                other => other,
            };
            match self.look_by_id(id).await {
                Ok(key) => {
                    lock(&self.kept).by_id.put(id, Looked::now(key.clone()));
                    Ok(key)
                }
                Err(error) => kept.map(|kept| stale(kept.seen, &error)).ok_or(error),
            }
        })
    }

    fn destroy<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<u64, KeyError>> {
        Box::pin(async move {
            sqlx::query(
                "UPDATE customer_keys SET secret = NULL, destroyed_at = now()
                 WHERE customer_id = $1 AND secret IS NOT NULL",
            )
            .bind(customer)
            .execute(&self.pool)
            .await?;
            // What was overwritten is to go from the table's pages as well. Whoever may not do that leaves it to Postgres' own vacuum.
            if let Err(error) = sqlx::query("VACUUM customer_keys").execute(&self.pool).await {
                warn!(%error, "the table of keys could not be vacuumed");
            }
            let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM customer_keys WHERE customer_id = $1")
                .bind(customer)
                .fetch_all(&self.pool)
                .await?;
            let mut kept = lock(&self.kept);
            kept.by_customer.pop(customer);
            for id in &ids {
                kept.by_id.pop(id);
            }
            Ok(ids.len() as u64)
        })
    }
}

/// Nobody destroys a key while Postgres is away.
fn stale<T>(seen: T, error: &KeyError) -> T {
    warn!(%error, "a key that was seen before is used without another look");
    seen
}

fn key(id: Uuid, secret: &[u8]) -> Result<CustomerKey, KeyError> {
    CustomerKey::new(id, secret).map_err(|error| KeyError(format!("key {id}: {error}")))
}

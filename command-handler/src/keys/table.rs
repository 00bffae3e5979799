//! Keys in a table of Postgres, and those used last in memory.

use std::borrow::Borrow;
use std::future::Future;
use std::hash::Hash;
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
use views::customer_keys;

use super::{CustomerKeys, KeyError};
use crate::lock::lock;

/// How many keys are kept in memory, each of less than 1 KiB.
const KEPT: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// How long a key is used without another look at the table: so soon every instance knows that it
/// was destroyed.
const TRUSTED_FOR: Duration = Duration::from_secs(10);
/// How long it is used at most while this instance cannot read the table. Others may be able to,
/// and may have destroyed the key.
const MAX_UNREAD: Duration = Duration::from_mins(5);

/// The table `customer_keys`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyTable {
    pool: PgPool,
    by_customer: Arc<Seen<String, CustomerKey>>,
    by_id: Arc<Seen<Uuid, Option<CustomerKey>>>,
}

/// What was seen in the table, and when.
#[derive(Debug)]
struct Seen<K: Hash + Eq, V>(Mutex<LruCache<K, (V, Instant)>>);

impl<K: Hash + Eq, V: Clone> Seen<K, V> {
    fn nothing() -> Arc<Self> {
        Arc::new(Self(Mutex::new(LruCache::new(KEPT))))
    }

    /// Notes what a look at the table showed that began then. A look that began later knows better.
    fn note(&self, key: K, value: V, begun: Instant) {
        let mut seen = lock(&self.0);
        if seen.peek(&key).is_none_or(|(_, later)| *later <= begun) {
            seen.put(key, (value, begun));
        }
    }

    fn forget<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        lock(&self.0).pop(key);
    }

    /// What was seen a moment ago, or else what is there now. While the table cannot be read, what
    /// was seen before, but not for longer than `MAX_UNREAD`.
    async fn or_look<Q>(&self, key: &Q, look: impl Future<Output = Result<V, KeyError>>) -> Result<V, KeyError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let before = lock(&self.0).get(key).cloned();
        if let Some((value, at)) = &before
            && at.elapsed() < TRUSTED_FOR
        {
            return Ok(value.clone());
        }
        let begun = Instant::now();
        match (look.await, before) {
            (Ok(value), _) => {
                self.note(key.to_owned(), value.clone(), begun);
                Ok(value)
            }
            (Err(error), Some((value, at))) if error.is_outage() && at.elapsed() < MAX_UNREAD => {
                warn!(%error, "a key that was read before is used, since the table of keys cannot be read now");
                Ok(value)
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl KeyTable {
    /// That of a database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, by_customer: Seen::nothing(), by_id: Seen::nothing() }
    }

    async fn look_for_customer(&self, customer: &str) -> Result<CustomerKey, KeyError> {
        if let Some(key) = self.in_use(customer).await? {
            return Ok(key);
        }
        let mut secret = [0; CustomerKey::LENGTH];
        rand::rng().fill_bytes(&mut secret);
        customer_keys::add_unless_in_use(&self.pool, Uuid::now_v7(), customer, &secret).await?;
        // Another instance may have been faster.
        self.in_use(customer)
            .await?
            .ok_or_else(|| KeyError::Wrong(format!("the key of customer {customer} was destroyed at once")))
    }

    async fn in_use(&self, customer: &str) -> Result<Option<CustomerKey>, KeyError> {
        let row = customer_keys::in_use(&self.pool, customer).await?;
        row.map(|(id, secret)| key(id, &secret)).transpose()
    }

    async fn look_by_id(&self, id: Uuid) -> Result<Option<CustomerKey>, KeyError> {
        let row = customer_keys::by_id(&self.pool, id).await?;
        // One that was destroyed leaves a row: an order must not be told placeholders because a
        // table was lost.
        let (_, secret) = row.ok_or(KeyError::Missing(id))?;
        secret.map(|secret| key(id, &secret)).transpose()
    }
}

impl CustomerKeys for KeyTable {
    fn of_customer<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<CustomerKey, KeyError>> {
        let look = async move {
            let begun = Instant::now();
            let key = self.look_for_customer(customer).await?;
            self.by_id.note(key.id(), Some(key.clone()), begun);
            Ok(key)
        };
        Box::pin(self.by_customer.or_look(customer, look))
    }

    fn by_id(&self, id: Uuid) -> BoxFuture<'_, Result<Option<CustomerKey>, KeyError>> {
        Box::pin(async move { self.by_id.or_look(&id, self.look_by_id(id)).await })
    }

    fn destroy<'a>(&'a self, customer: &'a str) -> BoxFuture<'a, Result<u64, KeyError>> {
        Box::pin(async move {
            let ids = customer_keys::destroy(&self.pool, customer).await?;
            self.by_customer.forget(customer);
            for id in &ids {
                self.by_id.forget(id);
            }
            Ok(ids.len() as u64)
        })
    }
}

fn key(id: Uuid, secret: &[u8]) -> Result<CustomerKey, KeyError> {
    CustomerKey::new(id, secret).map_err(|error| KeyError::Wrong(format!("key {id}: {error}")))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    const BEFORE: &str = "before";

    /// Asks for a key that was noted so long ago.
    async fn asked(after: Duration, found: Result<&'static str, KeyError>) -> Result<&'static str, KeyError> {
        let seen: Arc<Seen<String, &str>> = Seen::nothing();
        seen.note("a".to_owned(), BEFORE, Instant::now());
        tokio::time::advance(after).await;
        seen.or_look("a", ready(found)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_looked_for_again_once_it_is_no_longer_trusted() {
        assert_eq!(asked(TRUSTED_FOR / 2, Ok("now")).await.unwrap(), BEFORE);
        assert_eq!(asked(TRUSTED_FOR, Ok("now")).await.unwrap(), "now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_was_seen_before_is_used_while_nobody_can_look_and_not_when_it_has_gone() {
        assert_eq!(asked(TRUSTED_FOR, Err(sqlx::Error::PoolTimedOut.into())).await.unwrap(), BEFORE);
        assert!(asked(TRUSTED_FOR, Err(KeyError::Wrong("gone".to_owned()))).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_not_used_any_more_once_the_table_could_not_be_read_for_long() {
        let away = || Err(sqlx::Error::PoolTimedOut.into());
        assert_eq!(asked(MAX_UNREAD.saturating_sub(Duration::from_secs(1)), away()).await.unwrap(), BEFORE);
        assert!(matches!(asked(MAX_UNREAD, away()).await, Err(KeyError::Away(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_look_is_as_old_as_its_beginning_and_does_not_overwrite_a_newer_one() {
        let seen: Arc<Seen<String, &str>> = Seen::nothing();
        let slow = async {
            tokio::time::sleep(TRUSTED_FOR).await;
            Ok("old")
        };
        let newer = async {
            tokio::time::sleep(TRUSTED_FOR / 2).await;
            seen.or_look("a", ready(Ok("new"))).await
        };
        let (slow, newer) = tokio::join!(seen.or_look("a", slow), newer);
        assert_eq!((slow.unwrap(), newer.unwrap()), ("old", "new"));
        assert_eq!(seen.or_look("a", ready(Ok("newest"))).await.unwrap(), "new");
        tokio::time::advance(TRUSTED_FOR / 2).await;
        assert_eq!(seen.or_look("a", ready(Ok("newest"))).await.unwrap(), "newest");
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_answers_with_an_error_is_not_away() {
        for error in [sqlx::Error::RowNotFound, sqlx::Error::ColumnNotFound("secret".to_owned())] {
            assert!(asked(TRUSTED_FOR, Err(error.into())).await.is_err());
        }
        let closed = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(asked(TRUSTED_FOR, Err(sqlx::Error::Io(closed).into())).await.unwrap(), BEFORE);
    }
}

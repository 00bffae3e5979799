//! The orders of a customer: answered by the views, read here through a small port.

use std::fmt::Display;
use std::future::Future;

use domain::ids::OrderId;
use sqlx::PgPool;

/// The views, as an erasure needs them.
pub trait CustomerOrders: Send + Sync + 'static {
    /// Why they cannot be read.
    type Error: Display + Send;

    /// The position that the views have.
    fn position(&self) -> impl Future<Output = Result<Option<u64>, Self::Error>> + Send;

    /// The ids of orders that have not ended, in their order, without those whose key is missing.
    fn open(&self, customer: &str, most: usize) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// The ids of those that have, or whose key was destroyed, in their order, from after one of them on.
    fn ended(
        &self,
        customer: &str,
        after: Option<&OrderId>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<OrderId>, Self::Error>> + Send;

    /// The ids of all orders that have not ended, in their order.
    fn not_ended(&self, customer: &str, most: usize) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// How many orders there are whose personal data are not sealed.
    fn in_the_clear(&self, customer: &str) -> impl Future<Output = Result<u64, Self::Error>> + Send;
}

impl CustomerOrders for PgPool {
    type Error = sqlx::Error;

    async fn position(&self) -> Result<Option<u64>, sqlx::Error> {
        let position: Option<i64> =
            sqlx::query_scalar("SELECT position FROM checkpoints WHERE name = 'views'").fetch_optional(self).await?;
        Ok(position.map(i64::cast_unsigned))
    }

    async fn open(&self, customer: &str, most: usize) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT id FROM orders WHERE customer_id = $1 AND ended_at IS NULL
             AND (sealed IS NULL OR EXISTS (SELECT FROM all_customer_keys k WHERE k.id = (orders.sealed->>'key')::uuid))
             ORDER BY id LIMIT $2",
        )
        .bind(customer)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(self)
        .await
    }

    async fn ended(&self, customer: &str, after: Option<&OrderId>, most: usize) -> Result<Vec<OrderId>, sqlx::Error> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM orders WHERE customer_id = $1 AND ($2::text IS NULL OR id > $2) AND (ended_at IS NOT NULL
               OR EXISTS (SELECT FROM all_customer_keys k WHERE k.id = (orders.sealed->>'key')::uuid AND k.secret IS NULL))
             ORDER BY id LIMIT $3",
        )
        .bind(customer)
        .bind(after.map(OrderId::as_str))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(self)
        .await?;
        ids.into_iter().map(|id| OrderId::new(id).map_err(|error| sqlx::Error::Decode(error.into()))).collect()
    }

    async fn not_ended(&self, customer: &str, most: usize) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT id FROM orders WHERE customer_id = $1 AND ended_at IS NULL ORDER BY id LIMIT $2")
            .bind(customer)
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(self)
            .await
    }

    async fn in_the_clear(&self, customer: &str) -> Result<u64, sqlx::Error> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM orders WHERE customer_id = $1 AND sealed IS NULL
               AND num_nonnulls(customer_name, customer_email, ship_to) > 0",
        )
        .bind(customer)
        .fetch_one(self)
        .await?;
        Ok(count.try_into().unwrap_or_default())
    }
}

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

    /// The ids of those that have, or whose key was destroyed, in their order, from after one of
    /// them on.
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
        views::checkpoint::announced(self).await
    }

    async fn open(&self, customer: &str, most: usize) -> Result<Vec<String>, sqlx::Error> {
        views::customer_orders::open(self, customer, most).await
    }

    async fn ended(&self, customer: &str, after: Option<&OrderId>, most: usize) -> Result<Vec<OrderId>, sqlx::Error> {
        let ids = views::customer_orders::ended(self, customer, after.map(OrderId::as_str), most).await?;
        ids.into_iter().map(|id| OrderId::new(id).map_err(|error| sqlx::Error::Decode(error.into()))).collect()
    }

    async fn not_ended(&self, customer: &str, most: usize) -> Result<Vec<String>, sqlx::Error> {
        views::customer_orders::not_ended(self, customer, most).await
    }

    async fn in_the_clear(&self, customer: &str) -> Result<u64, sqlx::Error> {
        views::customer_orders::in_the_clear(self, customer).await
    }
}

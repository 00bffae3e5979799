//! The orders that a filter selects: a port of the write side, which the views implement. The log
//! alone decides about each order, whatever the views hold.

use std::fmt::Display;
use std::future::Future;

use domain::filter::OrderFilter;
use sqlx::PgPool;
use views::{Unknown, selection};

/// The views, as the write side needs them.
pub trait Selection: Send + Sync + 'static {
    /// Why they cannot be read.
    type Error: Display + Send;

    /// How many orders match whose ids come after `after`.
    fn count(&self, filter: &OrderFilter, after: Option<&str>)
    -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// What the filter names although it does not exist, if there is anything: no order will ever
    /// match it.
    fn unknown(&self, filter: &OrderFilter) -> impl Future<Output = Result<Option<Unknown>, Self::Error>> + Send;

    /// The ids of the first `most` of them, in their order.
    fn page(
        &self,
        filter: &OrderFilter,
        after: Option<&str>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;
}

impl Selection for PgPool {
    type Error = sqlx::Error;

    async fn count(&self, filter: &OrderFilter, after: Option<&str>) -> Result<u64, sqlx::Error> {
        selection::count(self, filter, after).await
    }

    async fn unknown(&self, filter: &OrderFilter) -> Result<Option<Unknown>, sqlx::Error> {
        selection::unknown(self, filter).await
    }

    async fn page(&self, filter: &OrderFilter, after: Option<&str>, most: usize) -> Result<Vec<String>, sqlx::Error> {
        selection::page(self, filter, after, most).await
    }
}

//! Which orders a filter matches: answered by the views, read here through a small port of the write side's own. What becomes of each
//! order is decided from the log, whatever the views say.

use std::fmt::Display;
use std::future::Future;

use domain::Timestamp;
use sqlx::{PgPool, Postgres, QueryBuilder};

/// Orders that meet everything that is said; a list is met by any of its values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// Business status.
    pub statuses: Option<Vec<String>>,
    /// Where the execution stands.
    pub states: Option<Vec<String>>,
    /// Ids of customers.
    pub customers: Option<Vec<String>>,
    /// Name of the definition, and its version if only one is meant.
    pub workflow: Option<(String, Option<i32>)>,
    /// When the order was placed.
    pub placed_at: Span,
    /// When something last happened to it.
    pub updated_at: Span,
    /// When it ended; an order that has not is in no span that has a bound.
    pub ended_at: Span,
}

/// From, and before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}

/// The views, as the write side needs them.
pub trait Selection: Send + Sync + 'static {
    /// Why they cannot be read.
    type Error: Display + Send;

    /// How many orders match whose ids come after `after`.
    fn count(&self, criteria: &Criteria, after: Option<&str>) -> impl Future<Output = Result<u64, Self::Error>> + Send;

    /// The ids of the first `most` of them, in their order.
    fn page(
        &self,
        criteria: &Criteria,
        after: Option<&str>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;
}

impl Selection for PgPool {
    type Error = sqlx::Error;

    async fn count(&self, criteria: &Criteria, after: Option<&str>) -> Result<u64, sqlx::Error> {
        let mut query = matching("count(*)", criteria, after);
        let count: i64 = query.build_query_scalar().fetch_one(self).await?;
        Ok(count.try_into().unwrap_or_default())
    }

    async fn page(&self, criteria: &Criteria, after: Option<&str>, most: usize) -> Result<Vec<String>, sqlx::Error> {
        let mut query = matching("id", criteria, after);
        query.push(" ORDER BY id LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX));
        query.build_query_scalar().fetch_all(self).await
    }
}

fn matching(what: &str, criteria: &Criteria, after: Option<&str>) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {what} FROM orders WHERE true"));
    let lists = [("status", &criteria.statuses), ("state", &criteria.states), ("customer_id", &criteria.customers)];
    for (column, wanted) in lists {
        if let Some(wanted) = wanted {
            query.push(format_args!(" AND {column} = ANY(")).push_bind(wanted.clone()).push(")");
        }
    }
    if let Some((name, version)) = &criteria.workflow {
        query.push(" AND workflow = ").push_bind(name.clone());
        if let Some(version) = version {
            query.push(" AND workflow_version = ").push_bind(*version);
        }
    }
    let spans =
        [("placed_at", criteria.placed_at), ("updated_at", criteria.updated_at), ("ended_at", criteria.ended_at)];
    for (column, Span { from, to }) in spans {
        if let Some(from) = from {
            query.push(format_args!(" AND {column} >= ")).push_bind(from);
        }
        if let Some(to) = to {
            query.push(format_args!(" AND {column} < ")).push_bind(to);
        }
    }
    if let Some(after) = after {
        query.push(" AND id > ").push_bind(after.to_owned());
    }
    query
}

//! The orders that a filter selects, in the order of their ids: for operations on each of them.

use domain::filter::OrderFilter;
use sqlx::{PgPool, Postgres, QueryBuilder};

use crate::store::Unknown;
use crate::store::conditions::{Purpose, push_filter};

/// How many orders match whose ids come after `after`.
pub async fn count(pool: &PgPool, filter: &OrderFilter, after: Option<&str>) -> Result<u64, sqlx::Error> {
    let mut query = matching("count(*)", filter, after);
    let count: i64 = query.build_query_scalar().persistent(false).fetch_one(pool).await?;
    Ok(count.try_into().unwrap_or_default())
}

/// The ids of the first `most` of them, in their order.
pub async fn page(
    pool: &PgPool,
    filter: &OrderFilter,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<String>, sqlx::Error> {
    let mut query = matching("id", filter, after);
    query.push(" ORDER BY id LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX));
    query.build_query_scalar().persistent(false).fetch_all(pool).await
}

/// The first name in the filter that does not exist: no order matches it.
pub async fn unknown(pool: &PgPool, filter: &OrderFilter) -> Result<Option<Unknown>, sqlx::Error> {
    crate::store::unknown(&mut *pool.acquire().await?, filter).await
}

fn matching(what: &str, filter: &OrderFilter, after: Option<&str>) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(format!("SELECT {what} FROM orders WHERE true"));
    push_filter(&mut query, filter, Purpose::Find);
    if let Some(after) = after {
        query.push(" AND id > ").push_bind(after.to_owned());
    }
    query
}

//! How orders ended in a time range: how many, and how long each took from its placing.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::rows::{EndHourRow, EndRow};

/// Which orders.
#[derive(Debug, Clone, Copy)]
pub struct EndsOf<'a> {
    /// Ended not before this.
    pub from: DateTime<Utc>,
    /// Ended before this.
    pub to: DateTime<Utc>,
    /// Only those that this principal placed.
    pub placed_by: Option<&'a str>,
    /// Only the latest so many of the range.
    pub most: i64,
}

impl Store {
    /// How many orders of each workflow ended, and how long they took.
    pub async fn ends(&self, which: &EndsOf<'_>) -> Result<Vec<EndRow>, ViewsError> {
        Ok(which.by_workflow("").build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// How many orders ended in each hour (of UTC), by state.
    pub async fn ends_by_hour(&self, which: &EndsOf<'_>) -> Result<Vec<EndHourRow>, ViewsError> {
        Ok(which.by_hour("").build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }
}

impl EndsOf<'_> {
    pub(super) fn by_workflow(&self, prefix: &str) -> QueryBuilder<Postgres> {
        self.statement(
            prefix,
            "workflow, count(*) AS orders, count(*) FILTER (WHERE state = 'CANCELED') AS canceled,
             percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (
                 ORDER BY (extract(epoch FROM ended_at - placed_at) * 1000)::bigint) AS took_ms",
            "workflow",
        )
    }

    pub(super) fn by_hour(&self, prefix: &str) -> QueryBuilder<Postgres> {
        self.statement(prefix, "date_trunc('hour', ended_at, 'UTC') AS hour, state, count(*) AS orders", "hour, state")
    }

    /// Reads one index alone, so it names no columns that the index lacks.
    fn statement(&self, prefix: &str, columns: &str, groups: &str) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(format!(
            "{prefix}SELECT {columns} FROM (SELECT workflow, state, placed_at, ended_at FROM orders WHERE ended_at >= "
        ));
        query.push_bind(self.from).push(" AND ended_at < ").push_bind(self.to);
        if let Some(own) = self.placed_by {
            query.push(" AND placed_by = ").push_bind(own.to_owned());
        }
        query.push(" ORDER BY ended_at DESC LIMIT ").push_bind(self.most);
        query.push(format_args!(") AS ended GROUP BY {groups} ORDER BY {groups}"));
        query
    }
}

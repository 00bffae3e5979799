//! When orders and their steps are expected to end, and how long others took.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgExecutor, Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::rows::{EstimateRow, ExpectationRow, LateCountRow, ORDER_COLUMNS, OrderRow};

impl Store {
    /// What is expected of these orders, by order. Of an order that has ended or is held, nothing
    /// is.
    pub async fn expectations(&self, orders: &[String]) -> Result<HashMap<String, ExpectationRow>, ViewsError> {
        let rows: Vec<ExpectationRow> =
            sqlx::query_as("SELECT order_id, expected_at, steps FROM expectations WHERE order_id = ANY($1)")
                .bind(orders)
                .fetch_all(&mut *self.snapshot().await?)
                .await?;
        Ok(rows.into_iter().map(|row| (row.order_id.clone(), row)).collect())
    }

    /// How long the steps of a definition take, and its orders as a whole.
    pub async fn estimates_of(&self, workflow: &str, version: i32) -> Result<Vec<EstimateRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT step, samples, p50_ms, p95_ms FROM estimates
             WHERE workflow = $1 AND version = $2 AND part = CASE WHEN step = '' THEN 'REST' ELSE 'STEP' END",
        );
        Ok(rows.bind(workflow).bind(version).fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// The number of late orders; `placed_by`: only of those that this principal placed.
    pub async fn late_count(&self, placed_by: Option<&str>) -> Result<i64, ViewsError> {
        let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) FROM expectations");
        if let Some(own) = placed_by {
            query.push(" JOIN orders ON orders.id = order_id AND placed_by = ").push_bind(own);
        }
        query.push(" WHERE expected_at < now()");
        Ok(query.build_query_scalar().fetch_one(&mut *self.snapshot().await?).await?)
    }

    /// The orders that became late since a moment, of these or of all; at most so many. Returns the
    /// moment up to which they are all, by the clock that decides which are late.
    pub async fn became_late(
        &self,
        since: DateTime<Utc>,
        of: Option<&[String]>,
        most: i64,
    ) -> Result<(Vec<OrderRow>, DateTime<Utc>), ViewsError> {
        #[derive(FromRow)]
        struct Late {
            #[sqlx(flatten)]
            order: OrderRow,
            expected_at: DateTime<Utc>,
        }
        let mut snapshot = self.snapshot().await?;
        let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(&mut *snapshot).await?;
        let mut query = QueryBuilder::<Postgres>::new(format!(
            "SELECT {ORDER_COLUMNS}, expected_at FROM orders JOIN expectations ON order_id = orders.id WHERE expected_at >= "
        ));
        query.push_bind(since).push(" AND expected_at < now()");
        if let Some(ids) = of {
            query.push(" AND order_id = ANY(").push_bind(ids).push(")");
        }
        query.push(" ORDER BY expected_at LIMIT ").push_bind(most);
        let rows: Vec<Late> = query.build_query_as().fetch_all(&mut *snapshot).await?;
        let is_all = i64::try_from(rows.len()).is_ok_and(|count| count < most);
        let step = TimeDelta::microseconds(1);
        let until = rows.last().filter(|_| !is_all).map_or(now, |last| last.expected_at.max(since + step));
        Ok((rows.into_iter().map(|late| late.order).collect(), until))
    }
}

/// How many orders of each definition are late.
pub(crate) async fn late_by_workflow(db: impl PgExecutor<'_>) -> Result<Vec<LateCountRow>, sqlx::Error> {
    let rows = "SELECT workflow, workflow_version AS version, count(*) AS orders
                FROM expectations JOIN orders ON orders.id = order_id
                WHERE expected_at < now() GROUP BY workflow, workflow_version";
    sqlx::query_as(rows).fetch_all(db).await
}

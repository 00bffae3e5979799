//! How many orders had each status and state at a moment of the past.

use chrono::{DateTime, Utc};
use domain::order::State;
use sqlx::{Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::rows::PastCountRow;

impl Store {
    /// How many orders had each status and state after the events that were recorded by then; of
    /// all orders, or of those that a principal placed.
    pub async fn past_counts(
        &self,
        as_of: DateTime<Utc>,
        placed_by: Option<&str>,
    ) -> Result<Vec<PastCountRow>, ViewsError> {
        let mut query = past_counts(as_of, placed_by, "");
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }
}

/// An order that had ended by then has not changed since. Of the others, the timeline has the last
/// event by then. Each part reads a range of one index.
pub(super) fn past_counts(as_of: DateTime<Utc>, placed_by: Option<&str>, prefix: &str) -> QueryBuilder<Postgres> {
    let open: Vec<&str> = State::open().map(State::as_str).collect();
    let mut query = QueryBuilder::new(format!("{prefix}SELECT status, state, count(*) AS orders FROM ("));
    query.push("SELECT status, state FROM orders WHERE ended_at <= ").push_bind(as_of);
    push_own(&mut query, placed_by);
    query.push(" UNION ALL SELECT entry.status, entry.state FROM (");
    query.push("SELECT id FROM orders WHERE ended_at > ").push_bind(as_of).push(" AND placed_at <= ").push_bind(as_of);
    push_own(&mut query, placed_by);
    query.push(" UNION ALL SELECT id FROM orders WHERE state = ANY(").push_bind(open);
    query.push(") AND placed_at <= ").push_bind(as_of);
    push_own(&mut query, placed_by);
    query.push(
        ") AS open CROSS JOIN LATERAL (
            SELECT status, state FROM timeline WHERE order_id = open.id AND recorded_at <= ",
    );
    query.push_bind(as_of).push(
        " ORDER BY revision DESC LIMIT 1
         ) AS entry) AS counted GROUP BY status, state ORDER BY status, state",
    );
    query
}

fn push_own(query: &mut QueryBuilder<Postgres>, placed_by: Option<&str>) {
    if let Some(own) = placed_by {
        query.push(" AND placed_by = ").push_bind(own.to_owned());
    }
}

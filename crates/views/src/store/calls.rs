//! The calls to participants in a time range: how many, how many failed, and how long each took.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::rows::CallRow;

/// Which calls.
#[derive(Debug, Clone, Copy)]
pub struct CallsOf {
    /// Ended not before this.
    pub from: DateTime<Utc>,
    /// Ended before this.
    pub to: DateTime<Utc>,
    /// Only the latest so many of the range.
    pub most: i64,
}

impl Store {
    /// The calls of each participant, step and action.
    pub async fn calls(&self, which: CallsOf) -> Result<Vec<CallRow>, ViewsError> {
        Ok(which.statement("").build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }
}

impl CallsOf {
    /// Reads one index alone, so it names no columns that the index lacks.
    pub(super) fn statement(self, prefix: &str) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(format!(
            "{prefix}SELECT participant, step, action, count(*) AS calls,
                    count(*) FILTER (WHERE type IN ('StepAttemptFailed', 'StepFailed')) AS failed,
                    percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY took_ms) AS took_ms
             FROM (SELECT participant, step, action, type, took_ms FROM timeline
                   WHERE participant IS NOT NULL AND recorded_at >= "
        ));
        query.push_bind(self.from).push(" AND recorded_at < ").push_bind(self.to);
        query.push(" ORDER BY recorded_at DESC LIMIT ").push_bind(self.most);
        query.push(") AS ended GROUP BY participant, step, action ORDER BY participant, step, action");
        query
    }
}

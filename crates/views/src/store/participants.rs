//! The participants that workflows name, and what waits for each.

use domain::order::StepStatus;
use sqlx::{Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::rows::{ParticipantRow, ParticipantWorkRow};

/// The statuses of a step that waits for its participant, or for an operator.
const WAITING: [StepStatus; 5] =
    [StepStatus::Running, StepStatus::Waiting, StepStatus::Retrying, StepStatus::Compensating, StepStatus::Stuck];

impl Store {
    /// The participants that registered workflows name, with the names of these workflows; at most
    /// so many.
    pub async fn participants(&self, most: i64) -> Result<Vec<ParticipantRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT step ->> 'participant' AS name, array_agg(DISTINCT workflows.name) AS workflows
             FROM workflows, jsonb_array_elements(outline) AS step
             WHERE step ->> 'participant' IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT $1",
        );
        Ok(rows.bind(most).fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// How many steps wait for each participant, by status; of all orders, or of those that a
    /// principal placed.
    pub async fn participants_work(&self, placed_by: Option<&str>) -> Result<Vec<ParticipantWorkRow>, ViewsError> {
        let mut query = QueryBuilder::<Postgres>::new(
            "SELECT steps.participant, steps.status, count(*) AS steps, min(steps.since) AS since,
                    count(*) FILTER (WHERE steps.due_at < now()) AS overdue
             FROM steps JOIN orders ON orders.id = steps.order_id
             WHERE orders.state <> 'PAUSED' AND steps.participant IS NOT NULL AND steps.status = ANY(",
        );
        query.push_bind(WAITING.map(StepStatus::as_str).to_vec()).push(")");
        if let Some(own) = placed_by {
            query.push(" AND orders.placed_by = ").push_bind(own);
        }
        query.push(" GROUP BY steps.participant, steps.status");
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }
}

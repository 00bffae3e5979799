//! The orders that are stuck, overdue or late, each with the step and the error.

use sqlx::{Postgres, QueryBuilder};

use super::Store;
use crate::error::ViewsError;
use crate::rows::TroubleRow;

impl Store {
    /// The orders that wait for an operator, each with the step at which it is stuck, the latest
    /// change first; at most so many. `placed_by`: only of those that this principal placed.
    pub async fn stuck(&self, placed_by: Option<&str>, most: i64) -> Result<Vec<TroubleRow>, ViewsError> {
        // A step that is held, or whose undo failed, is STUCK. After compensation, it is FAILED.
        self.troubles(
            "SELECT id, workflow, workflow_version AS version, found.step, found.participant, found.status,
                    stuck_reason AS error, coalesce(found.since, updated_at) AS since
             FROM orders LEFT JOIN LATERAL (
                 SELECT step, participant, status, since FROM steps
                 WHERE steps.order_id = orders.id AND steps.status IN ('STUCK', 'FAILED')
                 ORDER BY steps.status = 'STUCK' DESC, since DESC NULLS LAST, step LIMIT 1
             ) AS found ON true
             WHERE state = 'STUCK' AND stuck_reason IS NOT NULL",
            "updated_at DESC, id DESC",
            placed_by,
            most,
        )
        .await
    }

    /// The orders whose due work no command handler has taken, each with the step that is due, the
    /// longest due first; at most so many. A command handler needs less than five seconds.
    pub async fn overdue(&self, placed_by: Option<&str>, most: i64) -> Result<Vec<TroubleRow>, ViewsError> {
        self.troubles(
            "SELECT id, workflow, workflow_version AS version, found.step, found.participant, found.status,
                    found.last_error AS error, todo.due_at AS since
             FROM todo JOIN orders ON orders.id = todo.order_id LEFT JOIN LATERAL (
                 SELECT step, participant, status, last_error FROM steps
                 WHERE steps.order_id = orders.id AND steps.due_at <= todo.due_at ORDER BY steps.due_at, step LIMIT 1
             ) AS found ON true
             WHERE todo.due_at < now() - interval '5 seconds'",
            "todo.due_at, id",
            placed_by,
            most,
        )
        .await
    }

    /// The orders that should have ended by now, each with the open step that should have ended
    /// first, the longest late first; at most so many.
    pub async fn late(&self, placed_by: Option<&str>, most: i64) -> Result<Vec<TroubleRow>, ViewsError> {
        self.troubles(
            "SELECT id, workflow, workflow_version AS version, found.step, found.participant, found.status,
                    found.last_error AS error, expected_at AS since
             FROM expectations JOIN orders ON orders.id = expectations.order_id LEFT JOIN LATERAL (
                 SELECT step, participant, status, CASE WHEN steps.status = 'RETRYING' THEN last_error END AS last_error
                 FROM steps WHERE steps.order_id = orders.id AND steps.status IN ('RUNNING', 'WAITING', 'RETRYING')
                 ORDER BY (expectations.steps ->> step)::timestamptz NULLS LAST, since, step LIMIT 1
             ) AS found ON true
             WHERE expected_at < now()",
            "expected_at, id",
            placed_by,
            most,
        )
        .await
    }

    async fn troubles(
        &self,
        select: &str,
        order: &str,
        placed_by: Option<&str>,
        most: i64,
    ) -> Result<Vec<TroubleRow>, ViewsError> {
        let mut query = QueryBuilder::<Postgres>::new(select);
        if let Some(own) = placed_by {
            query.push(" AND placed_by = ").push_bind(own);
        }
        query.push(format_args!(" ORDER BY {order} LIMIT ")).push_bind(most);
        Ok(query.build_query_as().fetch_all(&mut *self.snapshot().await?).await?)
    }
}

//! The definitions, and how many orders follow each.

use sqlx::PgExecutor;

use super::Store;
use crate::error::ViewsError;
use crate::rows::{RegisteredRow, WorkflowCountRow};

impl Store {
    /// The definitions by name, of each name the latest version first; at most so many.
    pub async fn registered(&self, most: i64) -> Result<Vec<RegisteredRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT name, version, registered_at FROM workflows ORDER BY name COLLATE \"C\", version DESC LIMIT $1",
        );
        Ok(rows.bind(most).fetch_all(&mut *self.snapshot().await?).await?)
    }

    /// How many orders of each definition are in each state.
    pub async fn counts_by_workflow(&self) -> Result<Vec<WorkflowCountRow>, ViewsError> {
        Ok(counts_by_workflow(&mut *self.snapshot().await?).await?)
    }

    /// How many orders of a principal follow each definition, by state.
    pub async fn counts_by_workflow_of(&self, placed_by: &str) -> Result<Vec<WorkflowCountRow>, ViewsError> {
        let rows = sqlx::query_as(
            "SELECT workflow, workflow_version AS version, state, count(*) AS orders FROM orders
             WHERE placed_by = $1 GROUP BY workflow, workflow_version, state",
        );
        Ok(rows.bind(placed_by).fetch_all(&mut *self.snapshot().await?).await?)
    }
}

/// How many orders of each definition are in each state.
pub(crate) async fn counts_by_workflow(db: impl PgExecutor<'_>) -> Result<Vec<WorkflowCountRow>, sqlx::Error> {
    let rows = "SELECT workflow, version, state, orders FROM workflow_counts ORDER BY workflow, version, state";
    sqlx::query_as(rows).fetch_all(db).await
}

//! Counts and lists over all orders, for the command handler.

use domain::order::{State, StepStatus};
use sqlx::PgPool;

/// How many steps wait for an operator: after a mistake of the deployment, or a failed undo.
pub async fn held_steps(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM steps WHERE status = $1")
        .bind(StepStatus::Stuck.as_str())
        .fetch_one(pool)
        .await?;
    Ok(count.try_into().unwrap_or_default())
}

/// Name and version of each definition that is the last of its name or that an open order follows,
/// and whether an open order follows it.
pub async fn workflows_in_use(pool: &PgPool) -> Result<Vec<(String, i32, bool)>, sqlx::Error> {
    let open: Vec<&str> = State::open().map(State::as_str).collect();
    sqlx::query_as(
        "SELECT name, version, bool_or(followed) FROM (\
           SELECT name, max(version) AS version, false AS followed FROM workflows GROUP BY name \
           UNION ALL SELECT DISTINCT workflow, workflow_version, true FROM orders WHERE state = ANY($1)\
         ) AS used GROUP BY name, version ORDER BY name, version",
    )
    .bind(open)
    .fetch_all(pool)
    .await
}

/// The text of each registered definition.
pub async fn workflow_sources(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT source FROM workflows").fetch_all(pool).await
}

//! Steps that are held for an operator, as the views have them.

use domain::order::StepStatus;
use sqlx::PgPool;

/// How many steps are held: failed by a mistake of the deployment, or undone in vain.
pub async fn held_steps(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM steps WHERE status = $1")
        .bind(StepStatus::Stuck.as_str())
        .fetch_one(pool)
        .await?;
    Ok(count.try_into().unwrap_or_default())
}

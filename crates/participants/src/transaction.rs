//! Transactions that survive a canceled request.

use sqlx::{PgPool, Postgres, Transaction};

/// Begins in a task that continues when the request is canceled. If sqlx (0.9) is canceled here, it
/// forgets that it has sent `BEGIN`, and the connection's next user would work inside that
/// transaction without knowing.
pub(crate) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Commits in a task, too. If sqlx is canceled after `COMMIT`, it sends a `ROLLBACK`, and Postgres
/// warns that no transaction is in progress.
pub(crate) async fn commit(transaction: Transaction<'static, Postgres>) -> Result<(), sqlx::Error> {
    let committed = tokio::spawn(transaction.commit());
    committed.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

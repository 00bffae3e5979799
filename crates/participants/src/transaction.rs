//! Beginning a transaction, safely.

use sqlx::{PgPool, Postgres, Transaction};

/// In a task of its own, which goes on when the request is given up: cut off at a bad moment, sqlx (0.9) forgets that it has sent
/// `BEGIN`, and the connection's next user would unknowingly work inside that transaction.
pub(crate) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// In a task of its own as well: cut off after `COMMIT` was sent, sqlx would send a `ROLLBACK` after it, and Postgres would warn
/// that there is no transaction in progress.
pub(crate) async fn commit(transaction: Transaction<'static, Postgres>) -> Result<(), sqlx::Error> {
    let committed = tokio::spawn(transaction.commit());
    committed.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

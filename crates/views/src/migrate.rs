//! Brings the schema up to date.

use sqlx::PgPool;

use crate::restored;

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A migration failed, or the database has other migrations than this program.
    #[error("the views' schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database failed, or is not what this program was built for.
    #[error("the database has not the views' schema, or this program no right to it")]
    Schema(#[source] sqlx::Error),
}

/// Brings the schema up to date. Many processes may call this at once, also on a database that has
/// only the table of keys.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut db = pool.acquire().await.map_err(MigrateError::Schema)?;
    restored::put_aside(&mut db).await.map_err(MigrateError::Schema)?;
    sqlx::migrate!().run(&mut *db).await.map_err(MigrateError::Migration)?;
    let restored = restored::put_back(&mut db).await.map_err(MigrateError::Schema)?;
    if restored > 0 {
        tracing::info!(keys = restored, "the database had only the keys of personal data: they are kept");
    }
    Ok(())
}

//! The checkpoint of the views: one row, which moves in the same transaction as the views.

use event_store::Position;
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgPool};

use crate::tables::CHECKPOINTS;

/// The name of the row.
pub const VIEWS: &str = "views";

/// The checkpoint of the views.
pub async fn read(db: impl PgExecutor<'_>) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64)> = sqlx::query_as("SELECT position, prepare FROM checkpoints WHERE name = $1")
        .bind(VIEWS)
        .fetch_optional(db)
        .await?;
    Ok(row.map(position))
}

/// The commit position of the checkpoint, as the channel announces it.
pub async fn announced(pool: &PgPool) -> Result<Option<u64>, sqlx::Error> {
    Ok(read(pool).await?.map(|position| position.commit))
}

/// The checkpoint, and the generation of the views. The generation goes up when another process
/// than the active projector changes the views.
pub async fn with_generation(db: &mut PgConnection) -> Result<(Option<Position>, i64), sqlx::Error> {
    let row: Option<(i64, i64, i64)> =
        sqlx::query_as("SELECT position, prepare, generation FROM checkpoints WHERE name = $1")
            .bind(VIEWS)
            .fetch_optional(db)
            .await?;
    Ok(row.map_or((None, 0), |(commit, prepare, generation)| (Some(position((commit, prepare))), generation)))
}

/// The checkpoint of the views in a schema.
pub async fn read_in(db: &mut PgConnection, schema: &str) -> Result<Option<Position>, sqlx::Error> {
    let query = format!("SELECT position, prepare FROM {schema}.{CHECKPOINTS} WHERE name = $1");
    let row: Option<(i64, i64)> = sqlx::query_as(AssertSqlSafe(query)).bind(VIEWS).fetch_optional(db).await?;
    Ok(row.map(position))
}

/// Begins a new generation of the views whose checkpoint is in that table. The next transaction of
/// the active projector waits for this one, and then fails. Returns the checkpoint and the new
/// generation.
pub async fn begin_generation(
    db: &mut PgConnection,
    checkpoints: &str,
) -> Result<Option<(Position, i64)>, sqlx::Error> {
    let query = format!(
        "UPDATE {checkpoints} SET generation = generation + 1 WHERE name = $1 RETURNING position, prepare, generation"
    );
    let row: Option<(i64, i64, i64)> = sqlx::query_as(AssertSqlSafe(query)).bind(VIEWS).fetch_optional(db).await?;
    Ok(row.map(|(commit, prepare, generation)| (position((commit, prepare)), generation)))
}

fn position((commit, prepare): (i64, i64)) -> Position {
    Position { commit: commit.cast_unsigned(), prepare: prepare.cast_unsigned() }
}

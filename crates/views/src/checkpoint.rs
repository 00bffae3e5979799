//! How far the views have come: one row of a table that moves in the same transaction as the views.

use event_store::Position;
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgPool};

use crate::tables::CHECKPOINTS;

/// The row of the views.
pub const VIEWS: &str = "views";

/// How far the views have come.
pub async fn read(db: impl PgExecutor<'_>) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64)> = sqlx::query_as("SELECT position, prepare FROM checkpoints WHERE name = $1")
        .bind(VIEWS)
        .fetch_optional(db)
        .await?;
    Ok(row.map(position))
}

/// The same, as it is announced: the commit position alone.
pub async fn announced(pool: &PgPool) -> Result<Option<u64>, sqlx::Error> {
    Ok(read(pool).await?.map(|position| position.commit))
}

/// How far the views have come, and which generation they are: it goes up when another than the active projector changes them.
pub async fn with_generation(db: &mut PgConnection) -> Result<(Option<Position>, i64), sqlx::Error> {
    let row: Option<(i64, i64, i64)> =
        sqlx::query_as("SELECT position, prepare, generation FROM checkpoints WHERE name = $1")
            .bind(VIEWS)
            .fetch_optional(db)
            .await?;
    Ok(row.map_or((None, 0), |(commit, prepare, generation)| (Some(position((commit, prepare))), generation)))
}

/// How far the views of a schema have come.
pub async fn read_in(db: &mut PgConnection, schema: &str) -> Result<Option<Position>, sqlx::Error> {
    let query = format!("SELECT position, prepare FROM {schema}.{CHECKPOINTS} WHERE name = $1");
    let row: Option<(i64, i64)> = sqlx::query_as(AssertSqlSafe(query)).bind(VIEWS).fetch_optional(db).await?;
    Ok(row.map(position))
}

/// Begins a generation of the views whose checkpoints are in that table, for another than the active projector, which then fails
/// with its next transaction; that one waits for this. Returns how far the views have come, and their new generation.
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

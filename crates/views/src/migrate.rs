//! Brings the schema up to date.
//!
//! A large table gets a new index while others write to it (`CREATE INDEX CONCURRENTLY`, alone in a
//! migration that begins with `-- no-transaction`). Postgres then waits for every
//! snapshot that is older than the index. So no process may wait for its turn inside a statement:
//! each would wait for the other.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::remedy;
use crate::restored;
use crate::tables::View;

/// Any number will do, as long as every process takes the same.
const LOCK: i64 = 0x7465_6e75_6d69;
/// How often a process that waits for its turn tries again.
const RETRY: Duration = Duration::from_millis(100);

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A migration failed, or the database has other migrations than this program.
    #[error("the views' schema cannot be brought up to date: {}", remedy::of_migration(.0))]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database failed, or is not what this program was built for.
    #[error("the views' schema cannot be brought up to date: {}", remedy::of(.0))]
    Schema(#[source] sqlx::Error),
}

/// Brings the schema up to date. Many processes may call this at once, also on a database that has
/// only the table of keys.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    // Outside the pool: if this future is dropped, the connection closes and releases the lock.
    let mut db = pool.acquire().await.map_err(MigrateError::Schema)?.detach();
    take_turn(&mut db).await.map_err(MigrateError::Schema)?;
    restored::put_aside(&mut db).await.map_err(MigrateError::Schema)?;
    drop_unfinished_indexes(&mut db).await.map_err(MigrateError::Schema)?;
    migrator().run_direct(None, &mut db, false).await.map_err(MigrateError::Migration)?;
    let restored = restored::put_back(&mut db).await.map_err(MigrateError::Schema)?;
    if restored > 0 {
        tracing::info!(keys = restored, "the database had only the keys of personal data: they are kept");
    }
    db.close().await.map_err(MigrateError::Schema)
}

/// The migrations. The lock of sqlx is left out: all migrations of a database have the same one,
/// and those of the reference participants wait for it inside a statement.
fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.set_locking(false);
    migrator
}

/// How far a database is from the schema of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// It has this schema.
    Current,
    /// It lacks this number of migrations. A role that starts makes them.
    Older(usize),
    /// It has this migration, which this version does not know.
    Newer(i64),
}

/// Compares a database with the schema of this version. Changes nothing.
pub async fn schema_state(db: &mut PgConnection) -> Result<SchemaState, sqlx::Error> {
    let has_any = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let made: Vec<i64> = if sqlx::query_scalar(has_any).fetch_one(&mut *db).await? {
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(db).await?
    } else {
        Vec::new()
    };
    let migrator = migrator();
    let known: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
    let unknown = made.iter().find(|version| !known.contains(version));
    let missing = known.iter().filter(|version| !made.contains(version)).count();
    Ok(match (unknown, missing) {
        (Some(version), _) => SchemaState::Newer(*version),
        (None, 0) => SchemaState::Current,
        (None, missing) => SchemaState::Older(missing),
    })
}

async fn take_turn(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut is_reported = false;
    while !sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *db).await? {
        if !std::mem::replace(&mut is_reported, true) {
            tracing::info!("another process brings the views' schema up to date: waiting for it");
        }
        tokio::time::sleep(RETRY).await;
    }
    Ok(())
}

/// Drops the indexes that an interrupted migration left unfinished. It builds them again.
async fn drop_unfinished_indexes(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let unfinished: Vec<String> = sqlx::query_scalar(
        "SELECT indexrelid::regclass::text FROM pg_index
         WHERE NOT indisvalid AND indrelid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)",
    )
    .bind(View::ALL.map(View::table).to_vec())
    .fetch_all(&mut *db)
    .await?;
    for index in unfinished {
        sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX {index}"))).execute(&mut *db).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use postgres_cluster::testing::{TestDatabase, database};

    use super::*;

    /// Forgets the migration that builds this index, and what it built.
    const FORGET: &str = "DROP INDEX steps_by_participant; DELETE FROM _sqlx_migrations WHERE version = 28";
    const STEP: &str = "INSERT INTO steps (order_id, step, participant, status, attempts, started_at)
                        VALUES (gen_random_uuid(), 'charge', 'payments', 'COMPLETED', 1, now())";
    const IS_UNIQUE: &str = "SELECT indisunique FROM pg_index
                             WHERE indexrelid = 'steps_by_participant'::regclass AND indisvalid";
    const WAITS: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                         AND query LIKE '%CREATE INDEX%steps_by_participant%' AND wait_event_type = 'Lock')";

    async fn migrated() -> (PgPool, TestDatabase) {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        migrate(&pool).await.unwrap();
        (pool, database)
    }

    async fn execute(pool: &PgPool, statements: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(statements).execute(pool).await.map(drop)
    }

    async fn within_a_minute<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_mins(1), what).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_index_is_built_while_others_write_and_other_processes_start() {
        let (pool, _database) = migrated().await;
        execute(&pool, FORGET).await.unwrap();
        let mut open = pool.begin().await.unwrap();
        sqlx::raw_sql(STEP).execute(&mut *open).await.unwrap();
        let starting: Vec<_> = std::iter::repeat_with(|| {
            let pool = pool.clone();
            tokio::spawn(async move { migrate(&pool).await })
        })
        .take(3)
        .collect();
        within_a_minute(async {
            while !sqlx::query_scalar::<_, bool>(WAITS).fetch_one(&pool).await.unwrap() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        within_a_minute(execute(&pool, STEP)).await.unwrap();
        open.commit().await.unwrap();
        for process in starting {
            within_a_minute(process).await.unwrap().unwrap();
        }
        assert!(!sqlx::query_scalar::<_, bool>(IS_UNIQUE).fetch_one(&pool).await.unwrap());
    }

    #[tokio::test]
    async fn a_database_is_compared_with_the_schema_of_this_version() {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        let state = async || schema_state(&mut pool.acquire().await.unwrap()).await.unwrap();
        assert_eq!(state().await, SchemaState::Older(migrator().iter().count()));
        migrate(&pool).await.unwrap();
        assert_eq!(state().await, SchemaState::Current);
        execute(&pool, FORGET).await.unwrap();
        assert_eq!(state().await, SchemaState::Older(1));
        execute(&pool, "UPDATE _sqlx_migrations SET version = 99999999999999 WHERE version = 27").await.unwrap();
        assert_eq!(state().await, SchemaState::Newer(99_999_999_999_999));
        let refused = migrate(&pool).await.unwrap_err().to_string();
        assert!(refused.contains("99999999999999") && refused.contains("a later version of Tenuto"), "{refused}");
    }

    #[tokio::test]
    async fn an_index_that_an_interrupted_migration_left_unfinished_is_built_again() {
        let (pool, _database) = migrated().await;
        execute(&pool, FORGET).await.unwrap();
        execute(&pool, STEP).await.unwrap();
        execute(&pool, STEP).await.unwrap();
        let unfinished = "CREATE UNIQUE INDEX CONCURRENTLY steps_by_participant ON steps (participant)";
        execute(&pool, unfinished).await.unwrap_err();
        migrate(&pool).await.unwrap();
        assert!(!sqlx::query_scalar::<_, bool>(IS_UNIQUE).fetch_one(&pool).await.unwrap());
    }
}

//! Brings the schema up to date.
//!
//! A large table gets a new index while others write to it (`CREATE INDEX CONCURRENTLY`, alone in a
//! migration that begins with `-- no-transaction`). Postgres then waits for every
//! snapshot that is older than the index. So no process may wait for its turn inside a statement:
//! each would wait for the other.
//!
//! Every other migration may wait for a lock on a table for a moment only, since all later
//! statements on that table wait behind it. It then lets them pass, and tries again. So a long
//! report delays a migration, and nothing else.

use std::time::Duration;

use sqlx::migrate::{self, Migration, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::remedy;
use crate::restored;
use crate::tables::View;

/// Any number will do, as long as every process takes the same.
const LOCK: i64 = 0x7465_6e75_6d69;
/// How often a process that waits for its turn tries again.
const RETRY: Duration = Duration::from_millis(100);
/// How long a migration may wait for a lock on a table.
const BOUND_LOCKS: &str = "SET lock_timeout = '500ms'";
/// A migration that builds an index waits for snapshots of others, and holds no one up.
const UNBOUND_LOCKS: &str = "SET lock_timeout = 0";
/// The pause after a table was not to be had.
const LET_OTHERS_PASS: Duration = Duration::from_secs(1);
/// A wait is reported each time after so many tries.
const TRIES_PER_REPORT: u64 = 30;
/// Postgres's code for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

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
    run_all(&mut db).await?;
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

/// Runs the missing migrations, one after the other, and checks the earlier ones.
async fn run_all(db: &mut PgConnection) -> Result<(), MigrateError> {
    let all = migrator();
    let mut made = made(db).await.map_err(MigrateError::Schema)?;
    for missing in all.iter() {
        if made.contains(&missing.version) {
            continue;
        }
        made.push(missing.version);
        let known: Vec<Migration> = all.iter().filter(|known| made.contains(&known.version)).cloned().collect();
        let mut next = Migrator::with_migrations(known);
        next.set_locking(false);
        run_when_tables_are_free(db, &next, missing).await?;
    }
    sqlx::raw_sql(UNBOUND_LOCKS).execute(&mut *db).await.map_err(MigrateError::Schema)?;
    all.run_direct(None, db, false).await.map_err(MigrateError::Migration)
}

/// Runs one migration, as often as others hold its tables.
async fn run_when_tables_are_free(
    db: &mut PgConnection,
    next: &Migrator,
    missing: &Migration,
) -> Result<(), MigrateError> {
    let locks = if missing.no_tx { UNBOUND_LOCKS } else { BOUND_LOCKS };
    sqlx::raw_sql(locks).execute(&mut *db).await.map_err(MigrateError::Schema)?;
    for tries in 0_u64.. {
        match next.run_direct(None, db, false).await {
            Err(error) if is_held(&error) => {
                if tries.is_multiple_of(TRIES_PER_REPORT) {
                    let migration = missing.version;
                    tracing::info!(migration, tries, "a table is in use for longer: the migration waits for it");
                }
                tokio::time::sleep(LET_OTHERS_PASS).await;
            }
            done => return done.map_err(MigrateError::Migration),
        }
    }
    Ok(())
}

/// Whether others held a table.
fn is_held(error: &migrate::MigrateError) -> bool {
    let (migrate::MigrateError::Execute(error) | migrate::MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some(LOCK_NOT_AVAILABLE)
}

/// The migrations that this database has.
async fn made(db: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    let has_any = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    if !sqlx::query_scalar(has_any).fetch_one(&mut *db).await? {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(db).await
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
    let made = made(db).await?;
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

    /// Migrations from this one on change tables under load.
    const SINCE: i64 = 26;

    /// What a migration may not touch in tables that exist: their files (they were rewritten), and
    /// their constraints and columns that must not be null (all rows were read under a lock).
    const TABLES: &str = "SELECT c.oid::regclass::text || ' ' || c.relfilenode || ' '
            || (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid) || ' '
            || (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attnotnull)
        FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname <> '_sqlx_migrations' ORDER BY 1";
    const INDEXES: &str = "SELECT indrelid::regclass::text || ' ' || indexrelid::regclass::text
        FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1";

    async fn lines(pool: &PgPool, of: &'static str) -> Vec<String> {
        sqlx::query_scalar(of).fetch_all(pool).await.unwrap()
    }

    #[tokio::test]
    async fn no_migration_rewrites_reads_or_indexes_a_whole_table_under_a_lock() {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        migrator().run_to(SINCE - 1, &pool).await.unwrap();
        for migration in migrator().iter().filter(|migration| migration.version >= SINCE) {
            let (tables, indexes) = (lines(&pool, TABLES).await, lines(&pool, INDEXES).await);
            migrator().run_to(migration.version, &pool).await.unwrap();
            let after = lines(&pool, TABLES).await;
            for table in tables {
                assert!(after.contains(&table), "migration {} rewrites or reads {table}: {after:?}", migration.version);
                let name = table.split(' ').next().unwrap();
                let is_of_it = |index: &&String| index.split(' ').next() == Some(name);
                let built = lines(&pool, INDEXES).await.into_iter().filter(|index| !indexes.contains(index));
                let built: Vec<String> = built.filter(|index| is_of_it(&index)).collect();
                assert!(migration.no_tx || built.is_empty(), "migration {} locks {built:?}", migration.version);
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_migration_that_waits_for_a_long_report_lets_all_other_statements_pass() {
        // Longer than a migration waits for a lock, and shorter than the report takes.
        const PATIENT: &str = "SET lock_timeout = '20s'";
        // Adds columns to `timeline`.
        const ADDS_COLUMNS: i64 = 29;
        const WAITS_SINCE: &str = "SELECT query_start::text FROM pg_stat_activity WHERE datname = current_database()
            AND query LIKE '%ALTER TABLE timeline ADD COLUMN%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()";
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        migrator().run_to(ADDS_COLUMNS - 1, &pool).await.unwrap();
        let mut report = pool.begin().await.unwrap();
        sqlx::raw_sql("SELECT count(*) FROM timeline").execute(&mut *report).await.unwrap();
        let starting = tokio::spawn({
            let pool = pool.clone();
            async move { migrate(&pool).await }
        });
        let mut others = pool.acquire().await.unwrap();
        sqlx::raw_sql(PATIENT).execute(&mut *others).await.unwrap();
        let mut waits = std::collections::BTreeSet::new();
        within_a_minute(async {
            while waits.len() < 3 {
                waits.extend(lines(&pool, WAITS_SINCE).await);
                for statement in ["SELECT count(*) FROM timeline", "DELETE FROM timeline WHERE revision < 0"] {
                    sqlx::raw_sql(statement).execute(&mut *others).await.unwrap();
                }
            }
        })
        .await;
        assert!(!starting.is_finished());
        report.commit().await.unwrap();
        within_a_minute(starting).await.unwrap().unwrap();
        assert_eq!(schema_state(&mut others).await.unwrap(), SchemaState::Current);
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

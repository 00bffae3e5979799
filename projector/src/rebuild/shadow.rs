//! The tables that are filled beside the live ones: a schema of its own, with the same tables, indexes and names.
//!
//! It outlives the process that fills it, so that a rebuild that was interrupted goes on where it was.

use event_store::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;
use views::checkpoint;
use views::{CHECKPOINTS, View};

/// The schema that is filled.
pub(super) const SCHEMA: &str = "tenuto_rebuild";
/// Which program began it, on which version of the views, from which log.
const ABOUT: &str = "about";

/// Takes up what an earlier rebuild has left, if this program began it on these views and this log, or begins. Gives back how far it has come.
pub(super) async fn take_up(
    db: &mut PgConnection,
    live: &str,
    log_id: Uuid,
    anew: bool,
) -> Result<Option<Position>, sqlx::Error> {
    let about = about(db, log_id).await?;
    let begun: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{SCHEMA}.{ABOUT}"))
        .fetch_one(&mut *db)
        .await?;
    let same = begun && {
        let query = format!("SELECT text FROM {SCHEMA}.{ABOUT}");
        sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch_optional(&mut *db).await?.as_ref() == Some(&about)
    };
    if !same || anew {
        begin(db, live, &about).await?;
    }
    // From now on every name means the table beside.
    execute(db, &format!("SET search_path TO {SCHEMA}, {live}")).await?;
    checkpoint::read_in(db, SCHEMA).await
}

/// Makes the indexes that only questions need: filled all at once, they cost a fraction of what they do row by row.
pub(super) async fn index(db: &mut PgConnection, live: &str, view: View) -> Result<(), sqlx::Error> {
    let table = view.table();
    let definitions: Vec<(String, String)> = sqlx::query_as(
        "SELECT i.relname, pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
         WHERE x.indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid)",
    )
    .bind(format!("{live}.{table}"))
    .fetch_all(&mut *db)
    .await?;
    for (name, definition) in definitions {
        let made: bool =
            sqlx::query_scalar("SELECT to_regclass(quote_ident($1) || '.' || quote_ident($2)) IS NOT NULL")
                .bind(SCHEMA)
                .bind(&name)
                .fetch_one(&mut *db)
                .await?;
        if !made {
            let shadow = definition.replacen(&format!(" ON {live}.{table} "), &format!(" ON {SCHEMA}.{table} "), 1);
            execute(db, &shadow).await?;
        }
    }
    execute(db, &format!("ANALYZE {SCHEMA}.{table}")).await
}

/// Takes everything away that stands beside.
pub(super) async fn clear(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    execute(db, &format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await
}

pub(super) async fn execute(db: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await.map(drop)
}

async fn about(db: &mut PgConnection, log_id: Uuid) -> Result<String, sqlx::Error> {
    let migration: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(db).await?;
    Ok(format!("tenuto {} on schema {migration} and log {log_id}", env!("CARGO_PKG_VERSION")))
}

async fn begin(db: &mut PgConnection, live: &str, about: &str) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin().await?;
    clear(&mut transaction).await?;
    execute(&mut transaction, &format!("CREATE SCHEMA {SCHEMA}; CREATE TABLE {SCHEMA}.{ABOUT} (text text NOT NULL)"))
        .await?;
    sqlx::query(AssertSqlSafe(format!("INSERT INTO {SCHEMA}.{ABOUT} VALUES ($1)")))
        .bind(about)
        .execute(&mut *transaction)
        .await?;
    for table in View::ALL.map(View::table).into_iter().chain([CHECKPOINTS]) {
        create(&mut transaction, live, table).await?;
    }
    transaction.commit().await
}

/// A table as the live one is, with its constraints, rights and settings; of its indexes, those of its constraints.
async fn create(db: &mut PgConnection, live: &str, table: &str) -> Result<(), sqlx::Error> {
    let copied = "INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS";
    execute(db, &format!("CREATE TABLE {SCHEMA}.{table} (LIKE {live}.{table} {copied})")).await?;
    let statements: Vec<String> = sqlx::query_scalar(
        "SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $1, $3, conname, pg_get_constraintdef(oid))
         FROM pg_constraint WHERE conrelid = $2::regclass
         UNION ALL
         SELECT format('ALTER TABLE %I.%I SET (%s)', $1, $3, array_to_string(reloptions, ', '))
         FROM pg_class WHERE oid = $2::regclass AND reloptions IS NOT NULL
         UNION ALL
         SELECT format('GRANT %s ON %I.%I TO %s%s', privilege_type, $1, $3,
                       CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                       CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
         FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = $2::regclass AND grantee <> relowner",
    )
    .bind(SCHEMA)
    .bind(format!("{live}.{table}"))
    .bind(table)
    .fetch_all(&mut *db)
    .await?;
    for statement in statements {
        execute(db, &statement).await?;
    }
    Ok(())
}

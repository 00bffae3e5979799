//! The shadow: a schema with the same tables, indexes and names as the live views. A rebuild fills
//! it, and exchanges its tables with the live ones.
//!
//! The schema survives the process that fills it, so that an interrupted rebuild resumes where it
//! was.

mod exchange;

use event_store::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::checkpoint;
use crate::tables::{CHECKPOINTS, View, live_schema};

/// Any number will do, as long as every rebuild of a database takes the same.
const LOCK: i64 = 0x7465_6e75_7262;
/// The schema that is filled.
const SCHEMA: &str = "tenuto_rebuild";
/// Which program began the rebuild, on which version of the views, from which log.
const ABOUT: &str = "about";

/// The shadow of the live views.
#[derive(Debug)]
pub struct Shadow {
    /// The schema of the live views, quoted.
    live: String,
}

impl Shadow {
    /// Takes the only place for a rebuild of this database, on this connection; `None`: another
    /// rebuild has it.
    pub async fn of(db: &mut PgConnection) -> Result<Option<Self>, sqlx::Error> {
        if !sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *db).await? {
            return Ok(None);
        }
        // If a crash of the server undoes a commit, it undoes the shadow's checkpoint with it.
        execute(db, "SET synchronous_commit TO off").await?;
        Ok(Some(Self { live: live_schema(db).await? }))
    }

    /// Releases the place. A connection that closes would release it a little later.
    pub async fn release(db: &mut PgConnection) -> Result<(), sqlx::Error> {
        execute(db, "SELECT pg_advisory_unlock_all()").await
    }

    /// Resumes an earlier rebuild, if this program began it on these views and this log. Otherwise,
    /// or if `restart` is set, begins a new one. Returns the checkpoint of the shadow.
    ///
    /// From now on, each name of a table means the shadow's on this connection.
    pub async fn resume(
        &self,
        db: &mut PgConnection,
        log_id: Uuid,
        restart: bool,
    ) -> Result<Option<Position>, sqlx::Error> {
        let about = about(db, log_id).await?;
        let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(format!("{SCHEMA}.{ABOUT}"))
            .fetch_one(&mut *db)
            .await?;
        let same = exists && {
            let query = format!("SELECT text FROM {SCHEMA}.{ABOUT}");
            sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch_optional(&mut *db).await?.as_ref()
                == Some(&about)
        };
        if !same || restart {
            self.begin(db, &about).await?;
        }
        execute(db, &format!("SET search_path TO {SCHEMA}, {}", self.live)).await?;
        checkpoint::read_in(db, SCHEMA).await
    }

    /// The checkpoint of the live views.
    pub async fn live_checkpoint(&self, db: &mut PgConnection) -> Result<Option<Position>, sqlx::Error> {
        checkpoint::read_in(db, &self.live).await
    }

    /// Creates those indexes of a view that only queries need: on a full table they cost a fraction
    /// of what they cost row by row.
    pub async fn index(&self, db: &mut PgConnection, view: View) -> Result<(), sqlx::Error> {
        let (live, table) = (&self.live, view.table());
        let definitions: Vec<(String, String)> = sqlx::query_as(
            "SELECT i.relname, pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
             WHERE x.indrelid = $1::regclass
               AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid)",
        )
        .bind(format!("{live}.{table}"))
        .fetch_all(&mut *db)
        .await?;
        for (name, definition) in definitions {
            let exists: bool =
                sqlx::query_scalar("SELECT to_regclass(quote_ident($1) || '.' || quote_ident($2)) IS NOT NULL")
                    .bind(SCHEMA)
                    .bind(&name)
                    .fetch_one(&mut *db)
                    .await?;
            if !exists {
                let shadow = definition.replacen(&format!(" ON {live}.{table} "), &format!(" ON {SCHEMA}.{table} "), 1);
                execute(db, &shadow).await?;
            }
        }
        execute(db, &format!("ANALYZE {SCHEMA}.{table}")).await
    }

    /// How many orders the shadow has.
    pub async fn count_orders(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {SCHEMA}.orders")));
        let count: i64 = count.fetch_one(db).await?;
        Ok(count.cast_unsigned())
    }

    /// Drops the shadow.
    pub async fn clear(db: &mut PgConnection) -> Result<(), sqlx::Error> {
        execute(db, &format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await
    }

    async fn begin(&self, db: &mut PgConnection, about: &str) -> Result<(), sqlx::Error> {
        let mut transaction = db.begin().await?;
        Self::clear(&mut transaction).await?;
        let schema = format!("CREATE SCHEMA {SCHEMA}; CREATE TABLE {SCHEMA}.{ABOUT} (text text NOT NULL)");
        execute(&mut transaction, &schema).await?;
        sqlx::query(AssertSqlSafe(format!("INSERT INTO {SCHEMA}.{ABOUT} VALUES ($1)")))
            .bind(about)
            .execute(&mut *transaction)
            .await?;
        for table in View::ALL.map(View::table).into_iter().chain([CHECKPOINTS]) {
            self.create(&mut transaction, table).await?;
        }
        transaction.commit().await
    }

    /// Creates a table like the live one, with its constraints and the indexes of these, its rights
    /// and its settings.
    async fn create(&self, db: &mut PgConnection, table: &str) -> Result<(), sqlx::Error> {
        let live = &self.live;
        let copied =
            "INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS";
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
}

async fn about(db: &mut PgConnection, log_id: Uuid) -> Result<String, sqlx::Error> {
    let migration: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(db).await?;
    Ok(format!("tenuto {} on schema {migration} and log {log_id}", env!("CARGO_PKG_VERSION")))
}

async fn execute(db: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await.map(drop)
}

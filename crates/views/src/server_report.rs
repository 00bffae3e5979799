//! What the server of the views reports about itself, for a person who checks a set-up.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

/// What the server reports about itself and this connection.
#[derive(Debug, FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "a row with settings that are on or off")]
pub struct DatabaseReport {
    /// Such as 180001.
    pub version: i32,
    /// Such as 18.1.
    pub version_text: String,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Whether the connection is within one machine.
    pub is_local: bool,
    /// A standby accepts no writes.
    pub is_standby: bool,
    /// Whether this user's transactions are read-only.
    pub is_read_only: bool,
    /// Whether this user may create tables.
    pub may_create: bool,
    /// Whether writes reach the disk.
    pub fsync: bool,
    /// Whether torn pages can be repaired.
    pub full_page_writes: bool,
    /// What a commit waits for.
    pub synchronous_commit: String,
    /// How many connections the server takes.
    pub max_connections: i32,
    /// The user of this connection.
    pub user: String,
    /// The time of the server.
    pub now: DateTime<Utc>,
}

const REPORT: &str = "
    SELECT current_setting('server_version_num')::int AS version,
           current_setting('server_version') AS version_text,
           coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted,
           inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1' AS is_local,
           pg_is_in_recovery() AS is_standby,
           current_setting('default_transaction_read_only')::bool AS is_read_only,
           coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
           current_setting('fsync')::bool AS fsync,
           current_setting('full_page_writes')::bool AS full_page_writes,
           current_setting('synchronous_commit') AS synchronous_commit,
           current_setting('max_connections')::int AS max_connections,
           current_user::text AS user,
           clock_timestamp() AS now";

/// What the server of this connection reports.
pub async fn server_report(db: &mut PgConnection) -> Result<DatabaseReport, sqlx::Error> {
    sqlx::query_as(REPORT).fetch_one(db).await
}

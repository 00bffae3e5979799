//! What an operator does about a schema that cannot be brought up to date, in one line.

use sqlx::migrate::MigrateError;

/// Postgres's codes of errors that an administrator can remove.
const READ_ONLY: &str = "25006";
const NO_RIGHT: &str = "42501";

pub(crate) fn of_migration(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(version) => later_version(*version),
        MigrateError::VersionMismatch(version) => format!(
            "migration {version} is not the one of this version of Tenuto: another version has made it; install that \
             one, or rebuild the views in an empty database"
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => of(error),
        other => other.to_string(),
    }
}

/// About a migration that this version does not know.
pub fn later_version(version: i64) -> String {
    format!(
        "a later version of Tenuto has made migration {version}; install that version, or rebuild the views in an \
         empty database"
    )
}

pub(crate) fn of(error: &sqlx::Error) -> String {
    let Some(refusal) = error.as_database_error() else { return error.to_string() };
    match refusal.code().as_deref() {
        Some(READ_ONLY) => format!(
            "{}: the database is read-only; name the primary server and not a standby, or set \
             default_transaction_read_only to off for this user",
            refusal.message()
        ),
        Some(NO_RIGHT) => {
            format!("{}; grant this user the right, or connect as the owner of the database", refusal.message())
        }
        _ => error.to_string(),
    }
}

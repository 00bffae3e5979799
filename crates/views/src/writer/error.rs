//! Why changes were not written.

/// Why changes were not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Postgres accepts these data at no time.
    #[error("{0}")]
    Refused(String),
    /// The checkpoint, or the generation of the views, is not the expected one.
    #[error("another process moved the checkpoint of the views")]
    CheckpointMoved,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        match refusal(&error) {
            Some(reason) => Self::Refused(reason),
            None => Self::Database(error),
        }
    }
}

/// The reason, if Postgres refused the data themselves: SQLSTATE classes 22 (data exception: a NUL
/// in a text, a number out of range), 23 (integrity constraint) and 54 (program limit: too large
/// for an index).
fn refusal(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code()?;
            ["22", "23", "54"].iter().any(|class| code.starts_with(class)).then(|| format!("{database} ({code})"))
        }
        sqlx::Error::Encode(source) => Some(source.to_string()),
        _ => None,
    }
}

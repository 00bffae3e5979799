//! The option that names the database with the keys.

use clap::Args;
use command_line::running;
use secrets::{SecretString, exposed};
use servers::NotNamed;
use sqlx::PgPool;

use crate::MaintenanceError;

/// The database with the keys.
#[derive(Debug, Args)]
pub(super) struct Database {
    /// The Postgres that holds the keys [default: that of what runs in the folder .tenuto]
    #[arg(long, env = "TENUTO_POSTGRES", value_name = "postgres://…", hide_env_values = true)]
    postgres: Option<SecretString>,
}

impl Database {
    pub async fn connect(&self) -> Result<PgPool, MaintenanceError> {
        let url = running::postgres(exposed(self.postgres.as_ref()))?.ok_or(NotNamed::POSTGRES)?;
        Ok(servers::views(&url).await?)
    }
}

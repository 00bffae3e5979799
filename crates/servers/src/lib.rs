//! The log and the database of a role or a command: which ones, and how to reach them.

pub mod log;
mod master_key;
mod node_users;
mod postgres;
mod postgres_reason;
mod postgres_tls;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod postgres_tls_tests;
mod rights;
pub mod stream_prefix;

use clap::Args;
use command_line::running::{self, NotFound};
use secrets::{SecretString, exposed};

pub use master_key::{MasterKeyError, take_master_key};
pub use node_users::{NodeUsers, PasswordFault};
pub use postgres::{MAX_CONNECTIONS, PostgresError, ServerError, connect, connect_once, views, views_beside};
pub use rights::{NoRight, may_append, may_read};

/// The servers that the roles share.
#[derive(Debug, Clone, Args)]
pub struct ServerUrls {
    /// The `EventStoreDB` (or `KurrentDB`) that holds the log, as a connection string
    #[arg(long, env = "TENUTO_EVENTSTORE", value_name = "esdb://HOST:PORT?tls=…", hide_env_values = true)]
    pub event_store: Option<SecretString>,
    /// The Postgres that holds the views
    #[arg(long, env = "TENUTO_POSTGRES", value_name = "postgres://…", hide_env_values = true)]
    pub postgres: Option<SecretString>,
    /// What the names of orders' streams start with, in a log that other applications use too: a
    /// log takes it with its first start, keeps it, and tells it to every other role and command
    /// [default: as the log says, or order-]
    #[arg(long, env = "TENUTO_STREAM_PREFIX", value_name = "PREFIX", value_parser = stream_prefix::parse)]
    pub stream_prefix: Option<String>,
}

/// A role on its own needs servers that others reach too.
#[derive(Debug, thiserror::Error)]
#[error("{what} is not named: give {flag} or {variable}")]
pub struct NotNamed {
    what: &'static str,
    flag: &'static str,
    variable: &'static str,
}

impl NotNamed {
    /// The log is not.
    pub const EVENT_STORE: Self = Self { what: "the log", flag: "--event-store", variable: "TENUTO_EVENTSTORE" };
    /// The database is not.
    pub const POSTGRES: Self = Self { what: "the database", flag: "--postgres", variable: "TENUTO_POSTGRES" };
}

impl ServerUrls {
    /// The log's connection string.
    pub fn named_event_store(&self) -> Result<&str, NotNamed> {
        exposed(self.event_store.as_ref()).ok_or(NotNamed::EVENT_STORE)
    }

    /// The servers of a command: the ones that are named, or else those of the process that runs in
    /// this folder.
    pub fn or_running(self) -> Result<Self, NotFound> {
        if self.event_store.is_some() || self.postgres.is_some() {
            return Ok(self);
        }
        let Some(running) = running::in_usual_folder("--event-store and --postgres")? else { return Ok(self) };
        let (event_store, postgres) = (Some(running.event_store.into()), running.postgres.map(Into::into));
        Ok(Self { event_store, postgres, ..self })
    }

    /// The database's URL.
    pub fn named_postgres(&self) -> Result<&str, NotNamed> {
        exposed(self.postgres.as_ref()).ok_or(NotNamed::POSTGRES)
    }
}

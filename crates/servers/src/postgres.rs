//! The database that holds the views.

use std::time::Duration;

use event_store::EventStore;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::time::timeout;
use views::MigrateError;

use crate::postgres_reason::reason;
use crate::postgres_tls::{UnusableFile, checked};
use crate::rights::{NoRight, may_read};

/// Connections a process keeps.
pub const MAX_CONNECTIONS: u32 = 16;
/// How long the first connection may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection: a command is answered within five seconds, also during
/// an outage.
const ACQUIRING: Duration = Duration::from_secs(4);

/// The database, with the views' schema up to date, and a log that may be read.
pub async fn views_beside(log: &EventStore, url: &str) -> Result<PgPool, ServerError> {
    let may_read = async { Ok(may_read(log).await?) };
    Ok(tokio::try_join!(views(url), may_read)?.0)
}

/// The database, with the views' schema up to date.
pub async fn views(url: &str) -> Result<PgPool, ServerError> {
    let pool = connect(url).await?;
    views::migrate(&pool).await?;
    Ok(pool)
}

/// Why the log or the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database cannot be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The views' schema cannot be brought up to date.
    #[error(transparent)]
    Schema(#[from] MigrateError),
    /// The log may not be read.
    #[error(transparent)]
    NoRight(#[from] NoRight),
}

/// The database.
pub async fn connect(url: &str) -> Result<PgPool, PostgresError> {
    // A pool retries until its time is up, and then reports only the timeout. A single connection
    // reports the cause.
    let options = options(url)?;
    single(&options).await?.close().await.unwrap_or_default();
    Ok(PgPoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRING).connect_lazy_with(options))
}

/// One connection to the database.
pub async fn connect_once(url: &str) -> Result<PgConnection, PostgresError> {
    single(&options(url)?).await
}

fn options(url: &str) -> Result<PgConnectOptions, PostgresError> {
    let options: PgConnectOptions = url.parse().map_err(PostgresError::Url)?;
    // A rebuild has slow statements. Its progress and the views' lag tell an operator more than a
    // log of them.
    Ok(checked(options, url)?.disable_statement_logging())
}

async fn single(options: &PgConnectOptions) -> Result<PgConnection, PostgresError> {
    let place = || format!("{}:{}", options.get_host(), options.get_port());
    match timeout(CONNECTING, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(source)) => Err(PostgresError::Connect { place: place(), reason: reason(&source, options), source }),
        Err(_) => Err(PostgresError::Silent { place: place() }),
    }
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL is none of a Postgres.
    #[error("--postgres (TENUTO_POSTGRES) is no URL of a Postgres: {0}; give postgres://USER@HOST:PORT/DATABASE")]
    Url(#[source] sqlx::Error),
    /// A file that the URL names cannot be used.
    #[error(transparent)]
    File(#[from] Box<UnusableFile>),
    /// The first connection failed.
    #[error("Postgres at {place}, named by --postgres (TENUTO_POSTGRES), cannot be used: {reason}")]
    Connect {
        /// Host and port.
        place: String,
        /// Why, and what to do.
        reason: String,
        /// The library's error.
        source: sqlx::Error,
    },
    /// It does not answer in time.
    #[error(
        "Postgres at {place}, named by --postgres (TENUTO_POSTGRES), does not answer within {CONNECTING:?}; is it running, and does the network reach it?"
    )]
    Silent {
        /// Host and port.
        place: String,
    },
}

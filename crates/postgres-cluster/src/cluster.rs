//! A running cluster: start, URLs, databases, stop.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{
    Options,
    authentication::write_rules,
    binaries::Binaries,
    error::{Doing, Error},
    exit::Exit,
    home::Home,
    initialise::initialise,
    leftover::stop_leftover,
    server::Server,
    settings::{PORT, USER, settings},
};

const POLL: Duration = Duration::from_millis(20);
/// Postgres' limit for names. It silently cuts longer ones.
const NAME_BYTES_MAX: usize = 63;
/// "The database system is starting up", in recovery, or shutting down.
const CANNOT_CONNECT_NOW: &str = "57P03";
/// The database exists; the second code is the result of a race.
const DUPLICATE: [&str; 2] = ["42P04", "23505"];
/// The server's message while backends of a killed server still run. They end soon.
const OLD_BACKENDS: &str = "pre-existing shared memory block";
const OLD_BACKENDS_LIMIT: Duration = Duration::from_secs(30);

/// A running cluster. Dropping it starts a fast shutdown; [`Cluster::stop`] also waits for the end.
#[derive(Debug)]
pub struct Cluster {
    // Before `home`, so that the server gets its signal before the lock is released.
    server: Server,
    socket_folder: PathBuf,
    home: Home,
    binaries: Binaries,
    options: Options,
}

impl Cluster {
    /// Starts the cluster in the options' folder, and creates it the first time. It answers queries
    /// when this returns.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let home = Home::open(&options.folder)?;
        let binaries = Binaries::find(&options.search, home.identity(), home.data_version()).await?;
        initialise(&home, &binaries, options.durable).await?;
        stop_leftover(&home.data()).await?;
        write_rules(&home.data(), home.identity())?;
        let socket_folder = home.socket_folder()?;
        let server = launch(&home, &binaries, &socket_folder, &options).await?;
        let cluster = Self { server, socket_folder, home, binaries, options };
        if !cluster.has_checksums().await? {
            tracing::warn!(folder = %cluster.data_folder().display(),
                "this Postgres cluster has no page checksums, as an earlier version made it: while it does not run, \
                 `pg_checksums --enable -D` with this folder adds them");
        }
        Ok(cluster)
    }

    /// Starts the server again after an unexpected end: in the same folder, with the same URLs.
    pub async fn restart(&mut self) -> Result<(), Error> {
        stop_leftover(&self.home.data()).await?;
        self.server = launch(&self.home, &self.binaries, &self.socket_folder, &self.options).await?;
        Ok(())
    }

    /// The URL of a database, for `sqlx`, `psql` and other clients of libpq's URLs. `postgres`
    /// always exists.
    pub fn url(&self, database: &str) -> String {
        let database = percent_encoded(database.as_bytes());
        let socket_folder = percent_encoded(self.socket_folder.as_os_str().as_encoded_bytes());
        format!("postgres://{USER}@localhost:{PORT}/{database}?host={socket_folder}&sslmode=disable")
    }

    /// Creates a database, unless one has this name.
    pub async fn create_database(&self, name: &str) -> Result<(), Error> {
        let name = quoted(name)?;
        let mut connection = self.connect().await?;
        let created = sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0")))
            .execute(&mut connection)
            .await;
        match created {
            Err(error) if !has_code(&error, &DUPLICATE) => Err(error.into()),
            _ => Ok(connection.close().await?),
        }
    }

    /// Drops a database of this name, if one exists, even with open connections.
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        let name = quoted(name)?;
        let mut connection = self.connect().await?;
        sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }

    /// The folder of the cluster's files. It is in the options' folder. If the server's user cannot
    /// reach that, it is in the folder that the note `MOVED` names.
    pub fn data_folder(&self) -> PathBuf {
        self.home.data()
    }

    /// The server's process, unless it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Waits until the server ends. If it was not stopped, that is a failure, and was logged as
    /// one.
    pub async fn exited(&self) -> Exit {
        self.server.exited().await
    }

    /// Stops the server, and waits for its end.
    pub async fn stop(self) {
        self.server.stop().await;
        // The folder is empty now, and the next start creates it again. It should not stay in
        // `/tmp`.
        let _ = std::fs::remove_dir(&self.socket_folder);
    }

    async fn has_checksums(&self) -> Result<bool, Error> {
        let mut connection = self.connect().await?;
        let setting: String = sqlx::query_scalar("SHOW data_checksums").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(setting == "on")
    }

    async fn connect(&self) -> Result<PgConnection, Error> {
        Ok(connect(&self.socket_folder).await?)
    }
}

/// Starts a server, and waits until it answers.
async fn launch(home: &Home, binaries: &Binaries, socket_folder: &Path, options: &Options) -> Result<Server, Error> {
    let begun = Instant::now();
    loop {
        let server = Server::spawn(command(home, binaries, socket_folder, options))
            .await
            .doing(|| "start postgres".to_owned())?;
        match await_ready(&server, socket_folder, options.start_limit).await {
            Ok(()) => {
                tracing::debug!(pid = server.pid(), folder = %home.folder().display(), "postgres answers");
                return Ok(server);
            }
            Err(Error::Exited(exit)) if exit.log.contains(OLD_BACKENDS) && begun.elapsed() < OLD_BACKENDS_LIMIT => {
                tokio::time::sleep(POLL * 10).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn command(home: &Home, binaries: &Binaries, socket_folder: &Path, options: &Options) -> Command {
    let durable = options.durable;
    // A fast shutdown writes everything to disk. If nothing is kept, an immediate one is enough.
    let signal = if durable { "INT" } else { "QUIT" };
    let mut command = if dies_with_parent(signal) {
        let mut setpriv = home.identity().command(Path::new("setpriv"));
        setpriv.args(["--pdeathsig", signal, "--"]).arg(binaries.postgres());
        setpriv
    } else {
        home.identity().command(&binaries.postgres())
    };
    command.arg("-D").arg(home.data()).current_dir(home.folder());
    let own = settings(socket_folder, durable).into_iter().map(|(name, value)| (name.to_owned(), value));
    for (name, value) in own.chain(options.settings.iter().cloned()) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command
}

/// Not every system has a `setpriv` with this option, so it is tried.
fn dies_with_parent(signal: &str) -> bool {
    let mut attempt = Command::new("setpriv");
    attempt.args(["--pdeathsig", signal, "--", "true"]).stdin(Stdio::null()).stdout(Stdio::null());
    attempt.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Polls until the server answers. "Not listening yet" and "still recovering" are not failures; any
/// other error is.
async fn await_ready(server: &Server, socket_folder: &Path, limit: Duration) -> Result<(), Error> {
    let ready = async {
        loop {
            match query_once(socket_folder).await {
                Ok(()) => return Ok(()),
                Err(sqlx::Error::Io(_)) => {}
                Err(error) if has_code(&error, &[CANNOT_CONNECT_NOW]) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        exit = server.exited() => Err(Error::Exited(exit)),
        ready = tokio::time::timeout(limit, ready) => {
            ready.unwrap_or_else(|_| Err(Error::NotReady { limit, log: server.log() }))
        }
    }
}

async fn query_once(socket_folder: &Path) -> Result<(), sqlx::Error> {
    let mut connection = connect(socket_folder).await?;
    sqlx::query("SELECT 1").execute(&mut connection).await?;
    connection.close().await
}

async fn connect(socket_folder: &Path) -> Result<PgConnection, sqlx::Error> {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_folder)
        .port(PORT)
        .username(USER)
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
        .connect()
        .await
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| codes.contains(&&*code))
}

fn quoted(name: &str) -> Result<String, Error> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
        return Err(Error::DatabaseName(name.to_owned()));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_is_quoted_or_refused() {
        assert_eq!(quoted("a\"b").unwrap(), "\"a\"\"b\"");
        for name in ["", "a\0b", &"x".repeat(64)] {
            assert!(matches!(quoted(name), Err(Error::DatabaseName(_))), "{name:?}");
        }
    }

    #[test]
    fn other_characters_are_encoded_in_a_url() {
        assert_eq!(percent_encoded("/tmp/a b?ä".as_bytes()), "%2Ftmp%2Fa%20b%3F%C3%A4");
    }
}

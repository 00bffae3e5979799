//! Roles as separate processes, as few as a test needs.

use std::path::{Path, PathBuf};

use postgres_cluster::testing::{TestDatabase, database};
use rustix::process::Signal;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::process::{Address, Process};

/// The settings of the shipped workflows. No service listens there; without them, a command handler
/// refuses their orders.
pub const SERVICES: [(&str, &str); 4] = {
    let nowhere = "http://127.0.0.1:9";
    [("ORDERS_URL", nowhere), ("PAYMENTS_URL", nowhere), ("SHIPPING_URL", nowhere), ("NOTIFICATIONS_URL", nowhere)]
};

/// A log, a database, and a projector. A test adds command handlers and participants.
pub struct Parts {
    pub log: String,
    pub pool: PgPool,
    database: TestDatabase,
    /// The process of the log.
    pub node: Process,
    node_at: Address,
    _projector: Option<Process>,
    pub folder: TempDir,
}

impl Parts {
    pub async fn new() -> Self {
        let parts = Self::without_projector().await;
        let (projector, _) = parts.projector();
        Self { _projector: Some(projector), ..parts }
    }

    pub async fn without_projector() -> Self {
        let (database, folder, node_at) = (database().await, tempfile::tempdir().unwrap(), Address::new());
        let node = start_node(&data_in(&folder), &node_at);
        let log = format!("esdb://{}?tls=false", node_at.as_str());
        let pool = PgPool::connect(database.url()).await.unwrap();
        Self { log, pool, database, node, node_at, _projector: None, folder }
    }

    /// Stops the log, changes its data folder, and starts it again.
    pub fn restart_node(&mut self, change: impl FnOnce(&Path)) {
        let data = data_in(&self.folder);
        self.node.signal(Signal::TERM);
        self.node.ended();
        change(&data);
        self.node = start_node(&data, &self.node_at);
    }

    fn start(&self, arguments: &[&str]) -> Process {
        self.start_in(arguments, &[])
    }

    /// Starts a role with further settings.
    pub fn start_in(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
        let servers = [("TENUTO_POSTGRES", self.database.url()), ("TENUTO_EVENTSTORE", self.log.as_str())];
        Process::start(arguments, &[&servers[..], &SERVICES, environment].concat())
    }

    /// The URL of the database.
    pub fn postgres(&self) -> &str {
        self.database.url()
    }

    /// Starts a projector. Returns it and its address.
    pub fn projector(&self) -> (Process, String) {
        let process = self.start(&["projector"]);
        let base = process.line_after("probes at ").trim_end_matches("/readyz").to_owned();
        (process, base)
    }

    /// Starts a command handler. Returns it and the URL at which orders are placed.
    pub fn handler(&self) -> (Process, String) {
        self.handler_with(&[])
    }

    /// The same with more arguments.
    pub fn handler_with(&self, more: &[&str]) -> (Process, String) {
        self.handler_at("127.0.0.1:0", more)
    }

    /// The same at a given address.
    pub fn handler_at(&self, address: &str, more: &[&str]) -> (Process, String) {
        let process = self.start(&[&["command-handler", "--listen", address], more].concat());
        let orders = process.line_after("commands at ");
        (process, orders)
    }

    /// Starts a query API. Returns it and its address.
    pub fn queries(&self) -> (Process, String) {
        let process = self.start(&["query-api", "--listen", "127.0.0.1:0"]);
        let base = process.line_after("queries at ").trim_end_matches("/graphql").to_owned();
        (process, base)
    }

    /// Starts services that are reached by events. Returns them and their address.
    pub fn participants(&self) -> (Process, String) {
        self.participants_with(&[])
    }

    /// The same with more arguments.
    pub fn participants_with(&self, more: &[&str]) -> (Process, String) {
        let arguments = [&["participants", "--by-events", "--listen", "127.0.0.1:0"], more].concat();
        let process = self.start(&arguments);
        let base = process.line_after("notifications at ");
        (process, base)
    }

    pub async fn count(&self, of: &'static str) -> i64 {
        sqlx::query_scalar(of).fetch_one(&self.pool).await.unwrap()
    }

    /// The database session of the command handler that reads replies.
    pub async fn reader(&self) -> Option<i32> {
        self.holder(0x7465_6e75_746f_0002).await
    }

    /// The database session that holds the leadership with this lock.
    pub async fn holder(&self, lock: i64) -> Option<i32> {
        let held = "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database
             WHERE locktype = 'advisory' AND granted AND datname = current_database()
               AND (classid::bigint << 32 | objid::bigint) = $1";
        let holders: Vec<i32> = sqlx::query_scalar(held).bind(lock).fetch_all(&self.pool).await.unwrap();
        assert!(holders.len() <= 1, "{holders:?} lead at once");
        holders.first().copied()
    }
}

fn data_in(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

fn start_node(data: &Path, at: &Address) -> Process {
    let node = Process::start(&["event-store", "--listen", at.as_str(), "--data", data.to_str().unwrap()], &[]);
    node.line_after("the log at ");
    node
}

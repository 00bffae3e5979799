//! Roles, each a process of its own, as few as a test needs.

use postgres_cluster::testing::{TestDatabase, database};
use sqlx::PgPool;
use tempfile::TempDir;

use crate::process::Process;

/// A log, a database, and a projector; command handlers and participants as a test has them.
pub struct Parts {
    pub log: String,
    pub pool: PgPool,
    database: TestDatabase,
    /// The process of the log.
    pub node: Process,
    _projector: Option<Process>,
    _folder: TempDir,
}

impl Parts {
    pub async fn new() -> Self {
        let parts = Self::without_projector().await;
        let projector = parts.projector();
        Self { _projector: Some(projector), ..parts }
    }

    pub async fn without_projector() -> Self {
        let database = database().await;
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["event-store", "--listen", "127.0.0.1:0", "--data", folder.path().to_str().unwrap()];
        let node = Process::start(&arguments, &[]);
        let log = node.told("the log at ");
        let pool = PgPool::connect(database.url()).await.unwrap();
        Self { log, pool, database, node, _projector: None, _folder: folder }
    }

    fn start(&self, arguments: &[&str]) -> Process {
        let mut environment = vec![("TENUTO_POSTGRES", self.database.url()), ("TENUTO_EVENTSTORE", self.log.as_str())];
        // No service listens there. Without these settings, no order of the shipped workflows is taken.
        let services = ["ORDERS_URL", "PAYMENTS_URL", "SHIPPING_URL", "NOTIFICATIONS_URL"];
        environment.extend(services.map(|setting| (setting, "http://127.0.0.1:9")));
        Process::start(arguments, &environment)
    }

    /// The URL of the database.
    pub fn postgres(&self) -> &str {
        self.database.url()
    }

    pub fn projector(&self) -> Process {
        let process = self.start(&["projector"]);
        process.told("projecting");
        process
    }

    /// A command handler, and where orders are placed.
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
        let orders = process.told("commands at ");
        (process, orders)
    }

    /// A query side, and its address.
    pub fn queries(&self) -> (Process, String) {
        let process = self.start(&["query-api", "--listen", "127.0.0.1:0"]);
        let base = process.told("queries at ").trim_end_matches("/graphql").to_owned();
        (process, base)
    }

    pub fn participants(&self) -> Process {
        let process = self.start(&["participants", "--by-events", "--listen", "127.0.0.1:0"]);
        process.told("notifications at ");
        process
    }

    pub async fn count(&self, of: &'static str) -> i64 {
        sqlx::query_scalar(of).fetch_one(&self.pool).await.unwrap()
    }

    /// The session of the command handler that reads replies.
    pub async fn reader(&self) -> Option<i32> {
        let held = "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database
             WHERE locktype = 'advisory' AND granted AND datname = current_database()
               AND (classid::bigint << 32 | objid::bigint) = x'74656e75746f0002'::bigint";
        let holders: Vec<i32> = sqlx::query_scalar(held).fetch_all(&self.pool).await.unwrap();
        assert!(holders.len() <= 1, "{holders:?} read replies at once");
        holders.first().copied()
    }
}

//! A log, databases, projectors between them, and what is in the views.

use std::num::NonZeroUsize;
use std::time::Duration;

use event_store::{EventStore, Expected, NewEvent, Position};
use event_store_node::{Node, NodeHandle, NodeOptions};
use postgres_cluster::testing::{TestDatabase, database};
use projector::{Health, ProjectorError, ProjectorOptions, Snapshot};
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::histories::{History, WORKFLOW, raw};

/// What anything may take before the test has failed.
const LONG: Duration = Duration::from_secs(30);

/// A log for one test.
pub struct Log {
    pub store: EventStore,
    _node: NodeHandle,
    _folder: TempDir,
}

impl Log {
    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
        let store = EventStore::connect(&node.connection_string()).unwrap();
        Self { store, _node: node, _folder: folder }
    }

    /// A log with the workflow and these orders, their events in turns. Returns the position of the
    /// last.
    pub async fn with(histories: &[History]) -> (Self, Position) {
        let log = Self::empty().await;
        let registered =
            json!({ "name": "order-fulfilment", "version": 1, "source": WORKFLOW, "at": "2026-01-01T00:00:00Z" });
        let registered = raw("WorkflowRegistered", &registered.to_string(), "{}");
        let mut last = log.append("workflow-order-fulfilment", vec![registered]).await;
        for turn in 0.. {
            let mut over = true;
            for history in histories {
                // Some take two steps at a time.
                let size = 1 + history.id.as_str().len() % 2;
                let Some(events) = history.events.chunks(size).nth(turn) else { continue };
                last = log.append(&history.id.stream(), events.to_vec()).await;
                over = false;
            }
            if over {
                break;
            }
        }
        (log, last)
    }

    pub async fn append(&self, stream: &str, events: Vec<NewEvent>) -> Position {
        self.store.append(stream, Expected::Any, events).await.unwrap().position
    }
}

/// A database with the views' schema.
pub struct Views {
    pub pool: PgPool,
    _database: TestDatabase,
}

impl Views {
    pub async fn empty() -> Self {
        let views = Self::without_schema().await;
        views::migrate(&views.pool).await.unwrap();
        views
    }

    pub async fn without_schema() -> Self {
        let database = database().await;
        let pool = PgPoolOptions::new().max_connections(4).connect(database.url()).await.unwrap();
        Self { pool, _database: database }
    }

    /// The views of a log up to a position, by one projector from beginning to end.
    pub async fn of(log: &Log, through: Position, options: ProjectorOptions) -> Self {
        let views = Self::empty().await;
        let projector = Running::start(log, &views, options);
        projector.reach(through).await;
        projector.stop().await;
        views
    }

    /// Every row of every view and what is parked, as text.
    pub async fn rows(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT 'order ' || to_jsonb(t)::text FROM orders t UNION ALL SELECT 'step ' || to_jsonb(t)::text FROM steps t
             UNION ALL SELECT 'entry ' || to_jsonb(t)::text FROM timeline t UNION ALL SELECT 'due ' || to_jsonb(t)::text FROM todo t
             UNION ALL SELECT 'count ' || to_jsonb(t)::text FROM order_counts t
             UNION ALL SELECT 'by workflow ' || to_jsonb(t)::text FROM workflow_counts t
             UNION ALL SELECT 'estimate ' || to_jsonb(t)::text FROM estimates t
             UNION ALL SELECT 'expected ' || to_jsonb(t)::text FROM expectations t
             UNION ALL SELECT 'workflow ' || to_jsonb(t)::text FROM workflows t
             UNION ALL SELECT 'parked ' || to_jsonb(t)::text FROM parked t ORDER BY 1",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// A column of text.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.unwrap()
    }

    /// Waits until a column of text is that.
    pub async fn until_texts(&self, sql: &'static str, expected: &[String]) {
        let begun = Instant::now();
        loop {
            let texts = self.texts(sql).await;
            if texts == expected {
                return;
            }
            assert!(begun.elapsed() < LONG, "still {texts:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn sql(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }
}

/// Quick, and with batches of that many events.
pub fn batches_of(events: usize) -> ProjectorOptions {
    ProjectorOptions {
        batch_events: NonZeroUsize::new(events).unwrap(),
        pace: Duration::ZERO,
        standby_poll: Duration::from_millis(10),
        back_off_max: Duration::from_millis(200),
        health: Health::default(),
        ..ProjectorOptions::default()
    }
}

/// A projector at work.
pub struct Running {
    pub health: Health,
    shutdown: CancellationToken,
    pub task: JoinHandle<Result<(), ProjectorError>>,
}

impl Running {
    pub fn start(log: &Log, views: &Views, options: ProjectorOptions) -> Self {
        let health = options.health.clone();
        let shutdown = CancellationToken::new();
        let run = projector::run(options, log.store.clone(), views.pool.clone(), shutdown.clone());
        Self { health, shutdown, task: tokio::spawn(run) }
    }

    /// Waits until things stand so.
    pub async fn until(&self, so: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let stands = timeout(LONG, self.health.wait_for(so)).await;
        stands.unwrap_or_else(|_| panic!("still {:?}", self.health.now()))
    }

    /// Waits until the views have that position.
    pub async fn reach(&self, position: Position) -> Snapshot {
        self.until(|snapshot| snapshot.position >= Some(position)).await
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(LONG, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < LONG, "waited in vain until {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

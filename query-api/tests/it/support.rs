//! A router over its own database, and rows for it.

use std::sync::Arc;
use std::time::Duration;

use access::{Caller, Principal};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::{Extension, Router};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::EventStore;
use event_store_node::{Node, NodeHandle, NodeOptions};
use postgres_cluster::testing::{TestDatabase, database};
use query_api::Options;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use tempfile::TempDir;
use tower::ServiceExt;

/// The query side and its database.
pub struct World {
    pub pool: PgPool,
    pub router: Router,
    log: EventStore,
    _database: TestDatabase,
    _log: Option<(NodeHandle, TempDir)>,
}

/// The routes, for callers that are not authenticated.
pub fn anyones(router: Router) -> Router {
    router.layer(Extension(Caller::Anyone))
}

/// A log that is not there.
pub fn no_log() -> EventStore {
    EventStore::connect("esdb://127.0.0.1:1?tls=false").unwrap()
}

/// The moment from which test times are counted.
pub fn epoch() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// An order to be inserted.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: String,
    pub status: &'static str,
    pub state: &'static str,
    pub customer: &'static str,
    pub workflow: (&'static str, i32),
    pub total: &'static str,
    /// Seconds after the epoch.
    pub placed: i64,
    pub updated: i64,
    pub ended: Option<i64>,
    pub position: i64,
}

impl Row {
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            status: "Placed",
            state: "RUNNING",
            customer: "VINET",
            workflow: ("order-fulfilment", 1),
            total: "168.00",
            placed: 0,
            updated: 0,
            ended: None,
            position: 9_007_199_254_740_993,
        }
    }
}

impl World {
    /// Without a log.
    pub async fn new() -> Self {
        Self::over(&no_log(), None).await
    }

    /// With its own log.
    pub async fn with_log() -> (Self, EventStore) {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(NodeOptions::in_folder(folder.path())).await.unwrap();
        let log = EventStore::in_process(node.in_process()).unwrap();
        (Self::over(&log, Some((node, folder))).await, log)
    }

    /// Without a log, and with other settings.
    pub async fn with(options: &Options) -> Self {
        let world = Self::new().await;
        let router = anyones(query_api::router(world.pool.clone(), no_log(), options));
        Self { router, ..world }
    }

    async fn over(log: &EventStore, node: Option<(NodeHandle, TempDir)>) -> Self {
        let database = database().await;
        let pool = PgPool::connect(database.url()).await.unwrap();
        views::migrate(&pool).await.unwrap();
        let router = anyones(query_api::router(pool.clone(), log.clone(), &Options::default()));
        Self { pool, router, log: log.clone(), _database: database, _log: node }
    }

    pub async fn insert(&self, row: &Row) {
        insert(&mut self.pool.acquire().await.unwrap(), row).await;
    }

    /// Runs SQL that has no parameters.
    pub async fn sql(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    /// Counts the orders that were inserted, as the projector does with each batch.
    pub async fn count(&self) {
        count(&mut self.pool.acquire().await.unwrap()).await;
    }

    /// Waits until the query side listens to the projector.
    pub async fn listens(&self) {
        let listens =
            "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()";
        while sqlx::query_scalar::<_, i64>(listens).fetch_one(&self.pool).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What the projector does with the events up to a position, the last of which led to this row.
    pub async fn project(&self, position: i64, row: Option<&Row>) {
        let mut transaction = self.pool.begin().await.unwrap();
        if let Some(row) = row {
            sqlx::query("DELETE FROM orders WHERE id = $1").bind(&row.id).execute(&mut *transaction).await.unwrap();
            insert(&mut transaction, &Row { position, ..row.clone() }).await;
            count(&mut transaction).await;
        }
        let moved = "WITH moved AS (
                         INSERT INTO checkpoints (name, position, prepare) VALUES ('views', $1, $1)
                         ON CONFLICT (name) DO UPDATE SET position = $1, prepare = $1 RETURNING position
                     ) SELECT pg_notify('tenuto_views', position::text) FROM moved";
        sqlx::query(moved).bind(position).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The `data` of a query that has to succeed.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.try_ask(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }

    /// The `data` of a query by a principal with one role, which has to succeed.
    pub async fn ask_as(&self, name: &str, role: &str, query: &str) -> Value {
        let roles = [role.parse().unwrap()].into_iter().collect();
        let caller = Caller::Known(Arc::new(Principal { name: name.to_owned(), roles, on_behalf_of: false }));
        let router = query_api::router(self.pool.clone(), self.log.clone(), &Options::default());
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request = request.body(Body::from(json!({ "query": query }).to_string())).unwrap();
        let response = router.layer(Extension(caller)).oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer.get("errors"), None, "{query} as {role}");
        answer["data"].take()
    }

    /// The whole answer.
    pub async fn try_ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let request = Request::post("/graphql").header("content-type", "application/json");
        let (_, _, body) = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        serde_json::from_slice(&body).unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }
}

async fn count(db: &mut PgConnection) {
    let counted = "DELETE FROM order_counts;
                   INSERT INTO order_counts
                   SELECT date_trunc('hour', placed_at, 'UTC'), state, status, count(*) FROM orders GROUP BY 1, 2, 3
                   UNION ALL SELECT '-infinity', state, status, count(*) FROM orders GROUP BY 2, 3;
                   DELETE FROM workflow_counts;
                   INSERT INTO workflow_counts
                   SELECT workflow, workflow_version, state, count(*) FROM orders GROUP BY 1, 2, 3";
    sqlx::raw_sql(counted).execute(db).await.unwrap();
}

async fn insert(db: &mut PgConnection, row: &Row) {
    let at = |seconds: i64| epoch() + TimeDelta::seconds(seconds);
    sqlx::query(
            "INSERT INTO orders (id, workflow, workflow_version, status, state, customer_id, customer_name, customer_email, currency,
                                 total, lines, ship_to, attributes, result, stuck_reason, placed_at, updated_at, ended_at, revision,
                                 position)
             VALUES ($1, $2, $3, $4, $5, $6, 'Vins et alcools', 'orders@vinet.example', 'EUR', $7::text::numeric,
                     '[{\"sku\": \"11\", \"name\": \"Queso\", \"quantity\": 12, \"unitPrice\": \"14.00\"}]', '{\"city\": \"Reims\"}',
                     '{\"gift\": true}', NULL, CASE WHEN $5 = 'STUCK' THEN 'refund: 500' END, $8, $9, $10, 7, $11)",
        )
        .bind(&row.id)
        .bind(row.workflow.0)
        .bind(row.workflow.1)
        .bind(row.status)
        .bind(row.state)
        .bind(row.customer)
        .bind(row.total)
        .bind(at(row.placed))
        .bind(at(row.updated))
        .bind(row.ended.map(at))
        .bind(row.position)
        .execute(db)
        .await
        .unwrap();
}

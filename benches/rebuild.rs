//! How quickly all views are rebuilt while orders are placed and queried, as a share of the speed
//! of `COPY` with the same rows and tables.
//!
//! `cargo bench --bench rebuild`. It fills an embedded log with orders (`TENUTO_BENCH_ORDERS`,
//! 100,000 by default), projects them, and copies every view into a table like it. Then it rebuilds
//! the views twice: alone, and with 200 more orders and 50 queries a second. Each query reads an
//! order with its steps and its timeline. The benchmark fails if a query fails, or if its answer
//! mixes two moments. At the end the views are compared with the log.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod orders;

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use access::Caller;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::{Extension, Router};
use event_store::{EventStore, Expected, NewEvent};
use event_store_node::{Node, NodeOptions};
use postgres_cluster::{Cluster, Options};
use projector::rebuild::{RebuildOptions, Rebuilt, View, rebuild};
use projector::{Health, ProjectorOptions};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Orders and queries a second.
const ARRIVING: u64 = 200;
const QUERIES: u64 = 50;
/// Clients that query. Each waits for the answer before its next query.
const ASKERS: u32 = 4;
/// The pause between two batches of orders.
const PULSE: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    let count = std::env::var("TENUTO_BENCH_ORDERS").map_or(100_000, |text| text.parse().unwrap());
    let folder = tempfile::Builder::new().prefix("tenuto-rebuild-").tempdir().unwrap();
    // The user of the database needs access.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let node = Node::start(NodeOptions::in_folder(folder.path().join("event-store"))).await.unwrap();
    let store = EventStore::in_process(node.in_process()).unwrap();
    register(&store).await;
    let events = orders::fill(&store, 0..count).await;
    let cluster = Cluster::start(Options::new(folder.path().join("postgres"))).await.unwrap();
    cluster.create_database("bench").await.unwrap();
    let pool = PgPool::connect(&cluster.url("bench")).await.unwrap();
    views::migrate(&pool).await.unwrap();

    let (health, stop) = (Health::default(), CancellationToken::new());
    let options = ProjectorOptions { health: health.clone(), ..ProjectorOptions::default() };
    let projecting = tokio::spawn(projector::run(options, store.clone(), pool.clone(), stop.clone()));
    let begun = Instant::now();
    health.wait_for(|snapshot| snapshot.caught_up).await;
    let rows = rows(&pool).await;
    println!("{count} orders, {events} events, {rows} rows; the projector took {:.1} s", begun.elapsed().as_secs_f64());
    let copied = per_second(rows, copy(&pool, &cluster.data_folder()).await);
    println!("  COPY                {copied:>8.0} rows/s");

    // The same connection as the command's.
    let log = EventStore::connect(&node.connection_string()).unwrap();
    let alone = timed(&log, &pool).await;
    tell("alone", rows, alone, copied);

    let world = World {
        store: store.clone(),
        api: query_api::router(pool.clone(), store.clone(), &query_api::Options::default())
            .layer(Extension(Caller::Anyone)),
        orders: AtomicU64::new(count),
        queries: AtomicU64::new(0),
        slowest_us: AtomicU64::new(0),
    };
    let loaded = tokio::select! {
        loaded = timed(&log, &pool) => loaded,
        () = world.arrive() => unreachable!("orders arrive for ever"),
        _ = futures::future::join_all((0..ASKERS).map(|_| world.ask())) => unreachable!("questions are asked for ever"),
    };
    tell("with load", self::rows(&pool).await, loaded, copied);
    let (arrived, asked) = (world.orders.load(Ordering::Relaxed) - count, world.queries.load(Ordering::Relaxed));
    let (rate, slowest) = (per_second(arrived, loaded), world.slowest_us.load(Ordering::Relaxed) / 1000);
    println!(
        "  meanwhile {arrived} orders arrived ({rate:.0} a second) and {asked} queries were answered, the slowest in {slowest} ms"
    );

    let check = RebuildOptions { only_check: true, ..all() };
    let checked = run(&check, &log, &pool).await;
    println!("  the check finds {} differences", checked.differences.len());
    assert!(checked.differences.is_empty(), "{:?}", checked.differences);
    stop.cancel();
    projecting.await.unwrap().unwrap();
    pool.close().await;
    cluster.stop().await;
    node.shutdown().await;
}

fn all() -> RebuildOptions {
    RebuildOptions { views: View::ALL.to_vec(), only_check: false, restart: true, adopt: false }
}

async fn run(options: &RebuildOptions, log: &EventStore, pool: &PgPool) -> Rebuilt {
    rebuild(options, log, pool, &CancellationToken::new(), |_| {}).await.unwrap()
}

/// Runs a rebuild, and returns the seconds that it took.
async fn timed(log: &EventStore, pool: &PgPool) -> f64 {
    let begun = Instant::now();
    run(&all(), log, pool).await;
    begun.elapsed().as_secs_f64()
}

fn tell(name: &str, rows: u64, seconds: f64, copied: f64) {
    let rate = per_second(rows, seconds);
    println!("  rebuild, {name:<10} {rate:>8.0} rows/s, {:>3.0} % of COPY ({seconds:.1} s)", rate / copied * 100.0);
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

async fn register(store: &EventStore) {
    let registered = json!({
        "name": "order-fulfilment", "version": 1, "source": orders::WORKFLOW, "at": "2026-01-01T00:00:00Z",
    });
    let event = NewEvent {
        id: uuid::Uuid::now_v7(),
        event_type: "WorkflowRegistered".to_owned(),
        data: registered.to_string().into(),
        metadata: "{}".into(),
    };
    store.append("workflow-order-fulfilment", Expected::NoStream, vec![event]).await.unwrap();
}

async fn rows(pool: &PgPool) -> u64 {
    let mut rows = 0;
    for view in View::ALL {
        let query = format!("SELECT count(*) FROM {}", view.table());
        rows += sqlx::query_scalar::<_, i64>(AssertSqlSafe(query)).fetch_one(pool).await.unwrap();
    }
    rows.cast_unsigned()
}

/// Copies every view into a table like it, and returns the seconds.
async fn copy(pool: &PgPool, folder: &std::path::Path) -> f64 {
    let mut seconds = 0.0;
    for table in View::ALL.map(View::table) {
        let file = folder.join(format!("{table}.copy"));
        let file = file.display();
        let before =
            format!("COPY {table} TO '{file}'; CREATE TABLE copied_{table} (LIKE {table} INCLUDING ALL); CHECKPOINT");
        sqlx::raw_sql(AssertSqlSafe(before)).execute(pool).await.unwrap();
        let begun = Instant::now();
        sqlx::raw_sql(AssertSqlSafe(format!("COPY copied_{table} FROM '{file}'"))).execute(pool).await.unwrap();
        seconds += begun.elapsed().as_secs_f64();
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE copied_{table}"))).execute(pool).await.unwrap();
    }
    seconds
}

/// The load during a rebuild.
struct World {
    store: EventStore,
    api: Router,
    /// How many orders exist.
    orders: AtomicU64,
    queries: AtomicU64,
    slowest_us: AtomicU64,
}

impl World {
    async fn arrive(&self) {
        let handful = ARRIVING * u64::try_from(PULSE.as_millis()).unwrap() / 1000;
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            pulse.tick().await;
            let first = self.orders.load(Ordering::Relaxed);
            orders::fill(&self.store, first..first + handful).await;
            self.orders.store(first + handful, Ordering::Relaxed);
        }
    }

    async fn ask(&self) {
        let mut pulse = interval(Duration::from_secs(1) * ASKERS / u32::try_from(QUERIES).unwrap());
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pulse.tick().await;
            let asked = self.queries.fetch_add(1, Ordering::Relaxed);
            let begun = Instant::now();
            // Orders that are just being projected, and any others.
            let newest = self.orders.load(Ordering::Relaxed) + 10;
            let number = if asked.is_multiple_of(2) { newest - asked % 40 } else { asked * 7_919 % newest };
            self.ask_for(&orders::id(number)).await;
            let took = u64::try_from(begun.elapsed().as_micros()).unwrap();
            self.slowest_us.fetch_max(took, Ordering::Relaxed);
        }
    }

    async fn ask_for(&self, order: &str) {
        let query = format!(
            "{{ order(id: \"{order}\") {{ revision state steps {{ status }} timeline(last: 1) {{ nodes {{ revision }} }} }} }}"
        );
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request = request.body(Body::from(json!({ "query": query }).to_string())).unwrap();
        let response = self.api.clone().oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(answer.get("errors").is_none(), "{answer}");
        let order = &answer["data"]["order"];
        if order.is_null() {
            return;
        }
        assert_eq!(order["timeline"]["nodes"][0]["revision"], order["revision"], "not of one moment: {answer}");
        let ended = order["state"] == "COMPLETED";
        let running = order["steps"].as_array().unwrap().iter().any(|step| step["status"] == "RUNNING");
        assert!(!(ended && running), "not of one moment: {answer}");
    }
}

//! The cost of a command handler while orders wait for days: its memory as their number grows, its
//! idle load, and how long it takes to start.
//!
//! `cargo bench --bench waiting`. `TENUTO_BENCH_ORDERS` sets the number of orders (default:
//! 100,000).

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../tests/e2e/process.rs"]
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use postgres_cluster::testing::database;
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use process::{Address, Process, from_environment, until};

/// Orders that are placed concurrently.
const CLIENTS: u64 = 32;
/// How often the start is timed.
const STARTS: usize = 5;
/// How long an idle instance is measured.
const WATCH: Duration = Duration::from_secs(5);

const WORKFLOW: &str = "workflow: waiting
version: 1
participants: { slow: { url: '${SLOW_URL}' } }
steps:
  ship:
    request: slow.ship
    with: { lines: order.lines, shipTo: order.shipTo }
    timeout: 3d
";

#[tokio::main]
async fn main() {
    let orders = from_environment("TENUTO_BENCH_ORDERS", 100_000);
    let bench = Bench::new().await;
    let before = bench.times_to_start().await;
    let handler = bench.handler();
    bench.gets_ready().await;
    bench.register().await;
    println!("{:>9} {:>9}", "waiting", "RSS MiB");
    println!("{:>9} {:>9.1}", 0, mebibytes(&handler));
    let begun = Instant::now();
    for tenth in 0..10 {
        bench.place(orders * tenth / 10..orders * (tenth + 1) / 10).await;
        println!("{:>9} {:>9.1}", orders * (tenth + 1) / 10, mebibytes(&handler));
    }
    println!("placed in {:.0} s", begun.elapsed().as_secs_f64());
    until("every order waits", async || bench.waiting().await == orders).await;
    let idle = processor_ms(&handler);
    tokio::time::sleep(WATCH).await;
    println!("idle: {} ms of CPU in {} s", processor_ms(&handler) - idle, WATCH.as_secs());
    drop(handler);
    let after = bench.times_to_start().await;
    println!("from exec to ready, ms: {before:?} with no order, {after:?} with all of them waiting");
    let handler = bench.handler();
    bench.gets_ready().await;
    println!("after a restart: {:.1} MiB", mebibytes(&handler));
}

/// Everything but the command handler.
struct Bench {
    http: reqwest::Client,
    address: Address,
    environment: Vec<(&'static str, String)>,
    asked: Arc<AtomicU64>,
    views: PgPool,
    _others: (Process, Process, postgres_cluster::testing::TestDatabase, tempfile::TempDir, JoinSet<()>),
}

impl Bench {
    async fn new() -> Self {
        let database = database().await;
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["event-store", "--data", folder.path().to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let node = Process::start(&arguments, &[]);
        let log = node.line_after("the log at ");
        let servers = [("TENUTO_POSTGRES", database.url()), ("TENUTO_EVENTSTORE", &log)];
        let projector = Process::start(&["projector"], &servers);
        projector.line_after("projecting");

        let asked = Arc::new(AtomicU64::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let slow = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(accept).with_state(asked.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });

        let environment = [("TENUTO_POSTGRES", database.url()), ("TENUTO_EVENTSTORE", &log), ("SLOW_URL", &slow)];
        let environment = environment.map(|(name, value)| (name, value.to_owned())).to_vec();
        let views = PgPool::connect(database.url()).await.unwrap();
        let http = reqwest::Client::builder().tcp_nodelay(true).build().unwrap();
        let others = (node, projector, database, folder, tasks);
        Self { http, address: Address::new(), environment, asked, views, _others: others }
    }

    fn handler(&self) -> Process {
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Process::start(&["command-handler", "--listen", self.address.as_str()], &environment)
    }

    async fn gets_ready(&self) {
        let url = format!("{}/readyz", self.address.url());
        until("the command handler is ready", async || {
            self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// In milliseconds, sorted.
    async fn times_to_start(&self) -> Vec<u128> {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let begun = Instant::now();
            let handler = self.handler();
            self.gets_ready().await;
            times.push(begun.elapsed().as_millis());
            drop(handler);
        }
        times.sort_unstable();
        times
    }

    async fn register(&self) {
        let request = self.http.post(format!("{}/workflows", self.address.url()));
        let answer = request.header("content-type", "application/yaml").body(WORKFLOW).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());
    }

    /// Places these orders, and waits until each has sent a request to its participant.
    async fn place(&self, numbers: std::ops::Range<u64>) {
        let end = numbers.end;
        let mut clients = JoinSet::new();
        for first in 0..CLIENTS {
            let (http, url) = (self.http.clone(), format!("{}/orders", self.address.url()));
            let numbers =
                numbers.clone().skip(usize::try_from(first).unwrap()).step_by(usize::try_from(CLIENTS).unwrap());
            clients.spawn(async move {
                for number in numbers {
                    place(&http, &url, number).await;
                }
            });
        }
        clients.join_all().await;
        until("every order has been asked for", async || self.asked.load(Ordering::Relaxed) >= end).await;
    }

    async fn waiting(&self) -> u64 {
        let count = "SELECT count(*) FROM orders WHERE state = 'WAITING'";
        let count: i64 = sqlx::query_scalar(count).fetch_one(&self.views).await.unwrap();
        count.cast_unsigned()
    }
}

async fn accept(State(asked): State<Arc<AtomicU64>>) -> StatusCode {
    asked.fetch_add(1, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn place(http: &reqwest::Client, url: &str, number: u64) {
    let order = json!({
        "orderId": format!("W{number}"),
        "workflow": "waiting",
        "customer": { "id": "VINET", "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": [
            { "sku": "11", "name": "Queso Cabrales", "quantity": 12, "unitPrice": "14.00" },
            { "sku": "42", "name": "Singaporean Hokkien Fried Mee", "quantity": 10, "unitPrice": "9.80" },
        ],
        "shipTo": { "street": "59 rue de l'Abbaye", "city": "Reims", "postalCode": "51100", "country": "France" },
    });
    loop {
        let answer = http.post(url).json(&order).send().await.unwrap();
        if answer.status() == StatusCode::ACCEPTED {
            return;
        }
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text().await.unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(process: &Process) -> f64 {
    process.resident_bytes() as f64 / 1024.0 / 1024.0
}

/// The processor time that it has used, at the kernel's usual hundred ticks a second.
fn processor_ms(process: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|field| fields[*field].parse::<u64>().unwrap()).sum();
    ticks * 10
}

//! What clients that send nothing, or a byte a second, cost a server and its other clients.
//!
//! `cargo bench --bench slow_clients`. It starts `tenuto dev`, and compares one client that places
//! and reads orders with the same client while others hold 2,000 idle connections and 2,000 slow
//! ones: half of these send a head a byte a second, half a body. Then it waits until the server has
//! closed all of them. `TENUTO_BENCH_CLIENTS` sets the number of each kind, `TENUTO_BENCH_ROUNDS`
//! the number of rounds, and with `TENUTO_BENCH_TLS=1` every connection speaks TLS.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

#[path = "../tests/e2e/process.rs"]
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
mod process;

#[path = "../tests/e2e/slow.rs"]
mod slow;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use postgres_cluster::testing::{TestDatabase, database};
use reqwest::{Certificate, Client, StatusCode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tempfile::TempDir;
use tls::client::{ClientFiles, Trust};
use tls::testing::{Authority, Files};
use url::Url;

use process::{Process, from_environment, until};
use slow::{Held, Manner};

/// How long the client is watched, with and without the others. The first head is given up later.
const WATCH: Duration = Duration::from_secs(20);
/// The pause between two requests of the client.
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() {
    allow_many_files();
    let (clients, rounds) =
        (from_environment("TENUTO_BENCH_CLIENTS", 2_000), from_environment("TENUTO_BENCH_ROUNDS", 3));
    let bench = Bench::new(from_environment("TENUTO_BENCH_TLS", 0) == 1).await;
    bench.watch("warm").await;
    println!("{clients} idle clients, and {clients} that send a byte a second");
    for round in 1..=rounds {
        let before = bench.watch(&format!("b{round}")).await;
        // The client's own orders take memory, too.
        let memory = bench.mebibytes();
        let (mut held, begun) = (Held::default(), Instant::now());
        for number in 0..clients {
            let slow = if number % 2 == 0 { Manner::SlowHead } else { Manner::SlowBody };
            for manner in [Manner::Idle, slow] {
                held.open(bench.address, manner, bench.trust.as_ref()).await;
            }
        }
        // Answered after all others were accepted.
        bench.timed(bench.http.get(format!("{}/livez", bench.base)), 200).await;
        let (opened, now) = (begun.elapsed().as_secs_f64(), bench.mebibytes());
        println!("round {round}: opened in {opened:.1} s, {:+.1} MiB to {now:.1} MiB", now - memory);
        let during = bench.watch(&format!("d{round}")).await;
        println!("  {} still open", held.still_open());
        println!("  before: {before}");
        println!("  during: {during}; p99 {:.2} of before", during.p99 / before.p99);
        for (manner, lasted) in held.all_closed().await {
            println!("  {manner:?}: the last one was closed after {:.1} s", lasted.as_secs_f64());
        }
        println!("  after: {:+.1} MiB", bench.mebibytes() - memory);
    }
}

/// Two sockets for each connection are in two processes.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

struct Bench {
    process: Process,
    address: SocketAddr,
    base: String,
    http: Client,
    /// With TLS, what verifies the server.
    trust: Option<ClientFiles>,
    _others: (TestDatabase, TempDir),
}

impl Bench {
    async fn new(with_tls: bool) -> Self {
        let (database, folder) = (database().await, tempfile::tempdir().unwrap());
        let data = folder.path().join("data");
        let mut arguments = vec!["dev", "--listen", "127.0.0.1:0", "--no-samples", "--data", data.to_str().unwrap()];
        let mut client = Client::builder().tcp_nodelay(true);
        let secured: Option<(PathBuf, Files)> = with_tls.then(|| {
            let authority = Authority::new();
            (authority.file(folder.path()), authority.issue("dev", &["127.0.0.1"]).files(folder.path(), "dev"))
        });
        if let Some((root, Files { certificate, key })) = &secured {
            for (name, file) in
                [("--tls-certificate", certificate), ("--tls-key", key), ("--participants-ca-file", root)]
            {
                arguments.extend([name, file.to_str().unwrap()]);
            }
            client = client.add_root_certificate(Certificate::from_pem(&std::fs::read(root).unwrap()).unwrap());
        }
        let process = Process::start(&arguments, &[("TENUTO_POSTGRES", database.url())]);
        let base = process.line_after("commands   POST ").trim_end_matches("/orders").to_owned();
        let (url, http) = (Url::parse(&base).unwrap(), client.build().unwrap());
        let address = *url.socket_addrs(|| None).unwrap().first().unwrap();
        let trust = secured.map(|(root, _)| ClientFiles { trust: Trust::Only(root), pair: None });
        let bench = Self { process, address, base, http, trust, _others: (database, folder) };
        let ready = format!("{}/readyz", bench.base);
        until("it is ready", async || bench.http.get(&ready).send().await.is_ok_and(|a| a.status() == 200)).await;
        bench
    }

    /// What a client sees that places and reads orders.
    async fn watch(&self, prefix: &str) -> Seen {
        let (begun, mut times, mut number) = (Instant::now(), Vec::new(), 0);
        while begun.elapsed() < WATCH {
            number += 1;
            let id = format!("{prefix}-{number}");
            times.push(self.timed(self.http.post(format!("{}/orders", self.base)).json(&order(&id)), 202).await);
            tokio::time::sleep(PAUSE).await;
            times.push(self.timed(self.http.get(format!("{}/orders/{id}", self.base)), 200).await);
            tokio::time::sleep(PAUSE).await;
        }
        Seen::of(times)
    }

    /// In milliseconds.
    async fn timed(&self, request: reqwest::RequestBuilder, expected: u16) -> f64 {
        let begun = Instant::now();
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::from_u16(expected).unwrap(), "{body}");
        begun.elapsed().as_secs_f64() * 1e3
    }

    /// The resident memory of the server.
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    fn mebibytes(&self) -> f64 {
        self.process.resident_bytes() as f64 / 1024.0 / 1024.0
    }
}

/// The times of a client's requests, in milliseconds.
struct Seen {
    requests: usize,
    median: f64,
    p99: f64,
    max: f64,
}

impl Seen {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        Self { requests: times.len(), median: at(50), p99: at(99), max: at(100) }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { requests, median, p99, max } = self;
        write!(f, "{requests} requests, median {median:.2} ms, p99 {p99:.2} ms, longest {max:.1} ms")
    }
}

fn order(id: &str) -> serde_json::Value {
    json!({
        "orderId": id,
        "workflow": "order-fulfilment",
        "customer": { "id": "VINET", "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": [{ "sku": "11", "name": "Queso Cabrales", "quantity": 1, "unitPrice": "14.00" }],
        "shipTo": { "city": "Reims", "country": "France" },
    })
}

//! A world of its own for each test: the binary with a fresh database and a fresh log, on free ports.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use postgres_cluster::testing::{TestDatabase, database};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// The longest that a test waits for something that has to happen.
pub const LIMIT: Duration = Duration::from_mins(2);

/// A process of the binary. It ends with the value.
pub struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// Starts `tenuto` with these arguments and nothing of the environment's settings.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = binary();
        command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// What follows `before` on the first line of the output that has it.
    pub fn told(&self, before: &str) -> String {
        self.told_unless_ended(before).unwrap_or_else(|| panic!("the process ended without saying {before:?}"))
    }

    /// The same; `None` if the process ends before it says so.
    pub fn told_unless_ended(&self, before: &str) -> Option<String> {
        let start = Instant::now();
        loop {
            match self.lines.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) => {
                    if let Some((_, after)) = line.split_once(before) {
                        return Some(after.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("the process did not say {before:?}"),
            }
        }
    }

    /// Sends a signal. It has not been waited for, so the signal reaches it or comes to nothing.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it runs, stopped or not.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this test's own over several lives of a process. It is bound, but nobody listens at it, so that the system
/// gives it to nobody else while that process is down; and who listens with the usual options may.
pub struct Address {
    text: String,
    _bound: TcpSocket,
}

impl Address {
    pub fn new() -> Self {
        let bound = TcpSocket::new_v4().unwrap();
        bound.set_reuseaddr(true).unwrap();
        bound.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { text: bound.local_addr().unwrap().to_string(), _bound: bound }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.text)
    }
}

/// The binary, without settings from the environment.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenuto"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TENUTO_") && name != "TENUTO_LOG") {
        command.env_remove(name);
    }
    if std::env::var_os("TENUTO_LOG").is_none() {
        // Whatever is killed here, the others complain; that would drown what tests say.
        command.env("TENUTO_LOG", "error,eventstore=off");
    }
    command
}

/// Everything in one process.
pub struct World {
    pub base: String,
    pub log: String,
    pub http: reqwest::Client,
    pub process: Process,
    pub database: TestDatabase,
    pub folder: TempDir,
}

impl World {
    /// `tenuto dev`, without the sample orders.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with more arguments.
    pub async fn with(more: &[&str]) -> Self {
        let database = database().await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let mut arguments = vec!["dev", "--listen", "127.0.0.1:0", "--data", data, "--no-samples"];
        arguments.extend(more);
        let process = Process::start(&arguments, &[("TENUTO_POSTGRES", database.url())]);
        let base = process.told("commands   POST ").trim_end_matches("/orders").to_owned();
        let log = process.told("log        ");
        let http = reqwest::Client::builder().tcp_nodelay(true).build().unwrap();
        let world = Self { base, log, http, process, database, folder };
        world.until("it is ready", async || world.get("/readyz").await.0 == 200).await;
        world
    }

    /// Status and body of a GET.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        answer(response).await
    }

    /// Status and body of a POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.http.post(format!("{}{path}", self.base)).json(body).send().await.unwrap();
        answer(response).await
    }

    /// The `data` of a GraphQL query; errors fail the test.
    pub async fn query(&self, query: &str) -> Value {
        let (status, mut body) = self.post("/graphql", &json!({ "query": query })).await;
        assert!(status == 200 && body.get("errors").is_none(), "{query}: {status} {body}");
        body["data"].take()
    }

    /// Sets the stock of the shipping service.
    pub async fn stock(&self, stock: &Value) {
        let (status, body) = self.post("/participants/shipping/stock", stock).await;
        assert!((200..300).contains(&status), "{status} {body}");
    }

    /// Places an order that has to be taken.
    pub async fn place(&self, order: &Value) -> Value {
        let (status, body) = self.post("/orders", order).await;
        assert_eq!(status, 202, "{body}");
        body
    }

    /// An order as GraphQL has it, with these fields.
    pub async fn order(&self, id: &str, fields: &str) -> Value {
        self.query(&format!("{{ order(id: {id:?}) {{ {fields} }} }}")).await["order"].take()
    }

    /// Waits until the order's status and state are these.
    pub async fn comes_to(&self, id: &str, status: &str, state: &str) {
        self.until(&format!("order {id} is {status} and {state}"), async || {
            let order = self.order(id, "status state").await;
            order["status"] == status && order["state"] == state
        })
        .await;
    }

    /// Waits until a condition holds.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        until(what, condition).await;
    }

    /// Where the binary keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// Waits until a condition holds, with a limit.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < LIMIT, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// An order of one line.
pub fn order(id: &str, workflow: &str, sku: &str, quantity: u32) -> Value {
    json!({
        "orderId": id,
        "workflow": workflow,
        "customer": { "id": "VINET", "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": [{ "sku": sku, "name": "Queso Cabrales", "quantity": quantity, "unitPrice": "14.00" }],
        "shipTo": { "city": "Reims", "country": "France" },
    })
}

/// A number that whoever runs the tests may set.
pub fn from_environment(name: &str, otherwise: u64) -> u64 {
    let set = |text: String| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, and is {text:?}"));
    std::env::var(name).map_or(otherwise, set)
}

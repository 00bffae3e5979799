//! The world of a test: its own database, the services on their own port, and a receiver of
//! callbacks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use participants::{Options, Retry};
use postgres_cluster::testing::{TestDatabase, database};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a test waits.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) options: Options,
    url: String,
    http: reqwest::Client,
    server: JoinHandle<()>,
    _database: TestDatabase,
}

/// Options for tests, with short pauses.
pub(crate) fn options() -> Options {
    let retry = Retry { initial: Duration::from_millis(5), max: Duration::from_millis(50), ..Retry::default() };
    Options { retry, ..Options::default() }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let database = database().await;
        let pool = PgPoolOptions::new().max_connections(20).connect(database.url()).await.unwrap();
        participants::migrate(&pool).await.unwrap();
        // Below a path, as the orchestrator serves them on its own port.
        let routes = Router::new().nest("/participants", participants::router(pool.clone(), options.clone()));
        let (url, server) = serve(routes).await;
        Self {
            pool,
            options,
            url: format!("{url}/participants"),
            http: reqwest::Client::new(),
            server,
            _database: database,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        Reply::to(self.request(Method::POST, path).json(&body)).await
    }

    /// A request as the orchestrator makes it: `payments.charge`, for an order.
    pub(crate) fn ask(&self, what: &str, order_id: &str, input: Value) -> ActionRequest<'_> {
        let (participant, action) = what.split_once('.').unwrap();
        ActionRequest {
            world: self,
            participant: participant.to_owned(),
            action: action.to_owned(),
            order_id: order_id.to_owned(),
            key: format!("{order_id}/{action}"),
            input,
            callback: "http://127.0.0.1:1/nobody".to_owned(),
        }
    }

    /// Runs the delivery worker until the handle is stopped or dropped.
    pub(crate) fn deliver(&self) -> Deliveries {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { stopped.await.unwrap_or(()) };
        let task = tokio::spawn(participants::run_deliveries(self.pool.clone(), self.options.clone(), None, shutdown));
        Deliveries { stop: Some(stop), task }
    }

    /// `(on hand, reserved)` of a SKU.
    pub(crate) async fn stock(&self, sku: &str) -> (i64, i64) {
        let stock = self.get("/shipping/stock").await.body;
        let row = stock.as_array().unwrap().iter().find(|row| row["sku"] == sku).unwrap();
        (row["onHand"].as_i64().unwrap(), row["reserved"].as_i64().unwrap())
    }

    pub(crate) async fn shipment(&self, order_id: &str) -> Value {
        self.get(&format!("/shipping/{order_id}")).await.body
    }

    pub(crate) async fn count(&self, of: &'static str) -> i64 {
        sqlx::query_scalar(of).fetch_one(&self.pool).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A running delivery worker.
pub(crate) struct Deliveries {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), reqwest::Error>>,
}

impl Deliveries {
    /// Stops as if the process were killed.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(PATIENCE, &mut self.task).await.unwrap().unwrap().unwrap();
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
pub(crate) struct ActionRequest<'w> {
    world: &'w World,
    participant: String,
    action: String,
    order_id: String,
    key: String,
    input: Value,
    callback: String,
}

impl ActionRequest<'_> {
    pub(crate) fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    pub(crate) fn answering_to(mut self, callbacks: &Callbacks) -> Self {
        self.callback = callbacks.url(&self.order_id);
        self
    }

    pub(crate) fn request(&self) -> RequestBuilder {
        self.world
            .request(Method::POST, &format!("/{}/{}", self.participant, self.action))
            .header("idempotency-key", format!("\"{}\"", self.key))
            .header("tenuto-attempt", "1")
            .header("tenuto-callback", &self.callback)
            .header("traceparent", TRACEPARENT)
            .json(&json!({ "orderId": self.order_id, "step": "s", "action": self.action, "input": self.input }))
    }

    pub(crate) async fn send(&self) -> Reply {
        Reply::to(self.request()).await
    }

    /// Sends it, and expects a completed action.
    pub(crate) async fn outcome(&self) -> String {
        let reply = self.send().await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body["outcome"].as_str().unwrap().to_owned()
    }
}

pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) media_type: String,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let media_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, media_type: media_type.unwrap_or_default(), text, body }
    }
}

/// One answer at a callback.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) order_id: String,
    pub(crate) key: String,
    pub(crate) traceparent: String,
    pub(crate) body: Value,
    pub(crate) status: u16,
}

impl Received {
    pub(crate) fn outcome(&self) -> &str {
        self.body["outcome"].as_str().unwrap()
    }
}

#[derive(Clone, Default)]
struct Script {
    /// The first statuses to answer; after them, 202.
    statuses: Arc<Mutex<VecDeque<u16>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

/// The receiver of later answers.
pub(crate) struct Callbacks {
    url: String,
    script: Script,
    server: JoinHandle<()>,
}

impl Callbacks {
    pub(crate) async fn start() -> Self {
        Self::answering([]).await
    }

    /// Answers with these statuses first, one for each call.
    pub(crate) async fn answering(statuses: impl IntoIterator<Item = u16>) -> Self {
        let script = Script::default();
        script.statuses.lock().unwrap().extend(statuses);
        let routes = Router::new().route("/answers/{order_id}", post(take)).with_state(script.clone());
        let (url, server) = serve(routes).await;
        Self { url, script, server }
    }

    fn url(&self, order_id: &str) -> String {
        format!("{}/answers/{order_id}", self.url)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.script.received.lock().unwrap().clone()
    }

    /// The accepted outcomes of an order, in arrival order.
    pub(crate) fn taken(&self, order_id: &str) -> Vec<String> {
        let received = self.received().into_iter().filter(|r| r.order_id == order_id && r.status == 202);
        received.map(|r| r.outcome().to_owned()).collect()
    }

    /// Waits until this many answers have come, accepted or not.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        until(&format!("{count} answers"), async || self.script.received.lock().unwrap().len() >= count).await;
        self.received()
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    State(script): State<Script>,
    Path(order_id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> StatusCode {
    let status = script.statuses.lock().unwrap().pop_front().unwrap_or(202);
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (key, traceparent) = (header("idempotency-key"), header("traceparent"));
    script.received.lock().unwrap().push(Received { order_id, key, traceparent, body, status });
    StatusCode::from_u16(status).unwrap()
}

async fn serve(routes: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() }))
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

//! A server for tests, on loopback: it returns the answers that a test sets, and keeps the
//! requests.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::client::Client;
use crate::retry::Patience;

/// The server. It ends with the test's runtime.
pub struct Stub {
    pub base: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    replies: VecDeque<Reply>,
    for_ever: Option<Reply>,
    placed: Vec<Placed>,
    batches: VecDeque<Vec<Value>>,
    batched: Vec<Value>,
    answers: VecDeque<Value>,
    queries: Vec<Value>,
    answered: Vec<(String, String, Value)>,
    settled: Vec<(String, String, Value)>,
    orders: HashMap<String, Value>,
}

/// The requests to `/orders`.
#[derive(Debug, Clone)]
pub struct Placed {
    pub body: Bytes,
    pub key: Option<String>,
}

/// An answer of `/orders`.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    retry_after: Option<u32>,
    body: Value,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: json!({ "detail": "so it is" }) }
    }

    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub fn accepted(id: &str) -> Self {
        Self { body: json!({ "orderId": id, "revision": 0, "position": "1" }), ..Self::status(202) }
    }

    pub fn refused(pointer: &str, detail: &str) -> Self {
        Self {
            body: json!({ "detail": detail, "errors": [{ "pointer": pointer, "detail": detail }] }),
            ..Self::status(422)
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl Stub {
    pub async fn start() -> Self {
        let shared = Arc::<Mutex<Shared>>::default();
        let router = Router::new()
            .route("/orders", post(place))
            .route("/orders/batch", post(batch))
            .route("/orders/{id}/steps/{step}/outcome", post(outcome))
            .route("/requests/{id}/{verb}", post(settle))
            .route("/graphql", post(query))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, shared }
    }

    /// A client that gives up within a second.
    pub fn client(&self) -> Client {
        let patience = Patience { first_contact: Duration::from_secs(1), later: Duration::from_secs(1) };
        Client::with_patience(&self.base, patience).unwrap()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// The next answers of `/orders`. Without any, an order is accepted under its own id, or under
    /// `minted-N`.
    pub fn replies(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared().replies.extend(replies);
    }

    pub fn replies_for_ever(&self, reply: Reply) {
        self.shared().for_ever = Some(reply);
    }

    /// The next answers of `/graphql`. Without any, `order(id)`, under any alias, is the order that
    /// `order` set last.
    pub fn answers(&self, answers: impl IntoIterator<Item = Value>) {
        self.shared().answers.extend(answers);
    }

    /// The order that GraphQL returns.
    pub fn order(&self, id: &str, order: Value) {
        self.shared().orders.insert(id.to_owned(), order);
    }

    /// The lines of the next answers of `/orders/batch`, once the replies of `/orders` are used up.
    /// Without any, every order that is named is acted on.
    pub fn batches(&self, batches: impl IntoIterator<Item = Vec<Value>>) {
        self.shared().batches.extend(batches);
    }

    pub fn forget_batches(&self) {
        self.shared().batches.clear();
    }

    /// The requests to `/orders/batch`.
    pub fn batched(&self) -> Vec<Value> {
        self.shared().batched.clone()
    }

    pub fn placed(&self) -> Vec<Placed> {
        self.shared().placed.clone()
    }

    /// The answers of steps, with their orders and steps.
    pub fn answered(&self) -> Vec<(String, String, Value)> {
        self.shared().answered.clone()
    }

    /// The bodies that were sent about requests, with the ids and what was to become of them.
    pub fn settled(&self) -> Vec<(String, String, Value)> {
        self.shared().settled.clone()
    }

    pub fn queries(&self) -> Vec<Value> {
        self.shared().queries.clone()
    }
}

async fn place(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap, body: Bytes) -> Reply {
    let mut shared = shared.lock().unwrap();
    let key = headers.get("Idempotency-Key").map(|key| key.to_str().unwrap().to_owned());
    let order: Value = serde_json::from_slice(&body).unwrap();
    shared.placed.push(Placed { body, key });
    let id = order["orderId"].as_str().map_or_else(|| format!("minted-{}", shared.placed.len()), str::to_owned);
    let next = shared.replies.pop_front().or_else(|| shared.for_ever.clone());
    next.unwrap_or_else(|| Reply::accepted(&id))
}

async fn outcome(
    State(shared): State<Arc<Mutex<Shared>>>,
    Path((order, step)): Path<(String, String)>,
    axum::Json(answer): axum::Json<Value>,
) -> Reply {
    let mut shared = shared.lock().unwrap();
    shared.answered.push((order.clone(), step, answer));
    shared.replies.pop_front().unwrap_or_else(|| Reply::accepted(&order))
}

async fn settle(
    State(shared): State<Arc<Mutex<Shared>>>,
    Path((id, verb)): Path<(String, String)>,
    axum::Json(body): axum::Json<Value>,
) -> Response {
    let mut shared = shared.lock().unwrap();
    shared.settled.push((id.clone(), verb, body));
    if let Some(reply) = shared.replies.pop_front() {
        return reply.into_response();
    }
    match shared.batches.pop_front() {
        Some(lines) => {
            let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n";
            ([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response()
        }
        None => Reply::accepted(&id).into_response(),
    }
}

async fn batch(State(shared): State<Arc<Mutex<Shared>>>, axum::Json(request): axum::Json<Value>) -> Response {
    let mut shared = shared.lock().unwrap();
    shared.batched.push(request.clone());
    if let Some(reply) = shared.replies.pop_front() {
        return reply.into_response();
    }
    let lines = shared.batches.pop_front().unwrap_or_else(|| {
        let named = request["orders"].as_array().cloned().unwrap_or_default();
        let beginning = json!({ "matches": named.len(), "before": "2026-01-31T09:00:00Z" });
        let taken = named.into_iter().map(|id| json!({ "orderId": id, "status": 202, "revision": 1, "position": "1" }));
        [beginning].into_iter().chain(taken).chain([json!({ "done": true })]).collect()
    });
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    text.into_response()
}

/// Knows aliases `oN` for the variable `iN`, and `order` for `id`.
async fn query(State(shared): State<Arc<Mutex<Shared>>>, axum::Json(request): axum::Json<Value>) -> axum::Json<Value> {
    let mut shared = shared.lock().unwrap();
    let variables = request["variables"].as_object().cloned().unwrap_or_default();
    shared.queries.push(request);
    if let Some(answer) = shared.answers.pop_front() {
        return axum::Json(answer);
    }
    let known = |id: &Value| id.as_str().and_then(|id| shared.orders.get(id)).cloned().unwrap_or_default();
    let orders = variables.iter().filter_map(|(name, id)| match name.as_str() {
        "id" => Some(("order".to_owned(), known(id))),
        name => Some((format!("o{}", name.strip_prefix('i')?), known(id))),
    });
    axum::Json(json!({ "data": orders.collect::<serde_json::Map<_, _>>() }))
}

/// Waits until a condition is true.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    for _ in 0..500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 5 s: {what}");
}

//! A system of the shop that is notified: it checks signatures with the official library, keeps
//! what arrives, and fails as a test wants it to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::process::Address;

/// A notification: its order, the revision, the type.
pub type Told = (String, u64, String);

/// How the receiver answers.
#[derive(Debug, Clone, Default)]
pub enum Answers {
    #[default]
    Ok,
    Status(u16),
    /// This status for notifications of this order, and success for others.
    StatusFor(String, u16),
    /// Success, after this time.
    Slow(Duration),
    /// A redirect to this URL.
    Redirect(String),
}

/// What has arrived.
#[derive(Debug, Default)]
pub struct Seen {
    /// The notifications that were answered with success, in the order of their first arrival.
    pub accepted: Vec<Told>,
    /// The same, each once.
    pub different: BTreeSet<Told>,
    /// How often each message arrived, by its id.
    pub attempts: BTreeMap<String, u32>,
    /// The notification of each message id.
    pub ids: BTreeMap<String, Told>,
    pub wrong_signatures: u32,
    /// How many signatures the last message had.
    pub signatures: usize,
    /// The last body.
    pub last: Value,
    /// Types of messages that are not about orders.
    pub others: Vec<String>,
}

#[derive(Clone, Default)]
struct Shared {
    secrets: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Answers>>,
    seen: Arc<Mutex<Seen>>,
}

pub struct Receiver {
    address: Address,
    shared: Shared,
    running: Option<Runtime>,
}

impl Receiver {
    /// A receiver that listens.
    pub fn start() -> Self {
        let mut receiver = Self { address: Address::new(), shared: Shared::default(), running: None };
        receiver.up();
        receiver
    }

    pub fn url(&self) -> String {
        format!("{}/hooks", self.address.url())
    }

    /// Checks signatures with this secret, and with those before it.
    pub fn trust(&self, secret: &str) {
        self.shared.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// Checks signatures with this secret only.
    pub fn trust_only(&self, secret: &str) {
        *self.shared.secrets.lock().unwrap() = vec![secret.to_owned()];
    }

    /// The secret that is trusted now.
    pub fn secret(&self) -> String {
        self.shared.secrets.lock().unwrap().last().unwrap().clone()
    }

    pub fn answer(&self, answers: Answers) {
        *self.shared.answers.lock().unwrap() = answers;
    }

    /// Listens again.
    pub fn up(&mut self) {
        let (address, shared) = (self.address.as_str().to_owned(), self.shared.clone());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = TcpListener::bind(address).await.unwrap();
            let router = Router::new().fallback(receive).with_state(shared);
            axum::serve(listener, router).await.unwrap();
        });
        self.running = Some(runtime);
    }

    /// Ends as a process does that is killed: with all its connections.
    pub fn down(&mut self) {
        if let Some(runtime) = self.running.take() {
            // The runtime of the test must not block, and the address has to be free afterwards.
            std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(30))).join().unwrap();
        }
    }

    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.seen.lock().unwrap())
    }

    /// Each notification that was accepted.
    pub fn accepted(&self) -> BTreeSet<Told> {
        self.seen(|seen| seen.different.clone())
    }

    /// How many notifications were accepted. A test asks for it again and again, and must not keep
    /// the receiver from answering meanwhile.
    pub fn how_many(&self) -> usize {
        self.seen(|seen| seen.different.len())
    }

    /// Each order whose notifications first arrived in another order than they happened.
    pub fn out_of_order(&self) -> Vec<String> {
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        let mut first = BTreeSet::new();
        self.seen(|seen| {
            let fresh = seen.accepted.iter().filter(|told| first.insert((*told).clone()));
            let wrong = fresh.filter(|(order, revision, _)| last.insert(order.clone(), *revision) > Some(*revision));
            wrong.map(|(order, ..)| order.clone()).collect()
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.down();
    }
}

async fn receive(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let value: Value = serde_json::from_slice(&body).unwrap();
    let (kind, data) = (value["type"].as_str().unwrap().to_owned(), &value["data"]);
    let order = data["orderId"].as_str().unwrap_or_default().to_owned();
    let told = (order, data["revision"].as_u64().unwrap_or_default(), kind.clone());
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    {
        let secrets = shared.secrets.lock().unwrap().clone();
        let is_right = secrets.iter().any(|secret| Webhook::new(secret).unwrap().verify(&body, &headers).is_ok());
        let mut seen = shared.seen.lock().unwrap();
        seen.wrong_signatures += u32::from(!is_right && !secrets.is_empty());
        seen.signatures = headers["webhook-signature"].to_str().unwrap().split(' ').count();
        *seen.attempts.entry(id.clone()).or_default() += 1;
        if !kind.starts_with("order.") {
            seen.others.push(kind);
        }
        let before = seen.ids.insert(id, told.clone());
        assert!(before.is_none_or(|before| before == told), "one id, two messages");
        seen.last = value;
    }
    let answers = shared.answers.lock().unwrap().clone();
    match answers {
        Answers::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
        Answers::StatusFor(order, status) if order == told.0 => {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        Answers::Redirect(to) => return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Answers::Slow(time) => tokio::time::sleep(time).await,
        Answers::Ok | Answers::StatusFor(..) => {}
    }
    if told.2.starts_with("order.") {
        let mut seen = shared.seen.lock().unwrap();
        seen.different.insert(told.clone());
        seen.accepted.push(told);
    }
    StatusCode::NO_CONTENT.into_response()
}

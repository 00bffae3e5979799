//! A participant that answers as a test wants, and keeps the requests that it received.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::process::until;

/// A participant that runs.
#[derive(Clone, Default)]
pub struct Service(Arc<Mutex<Exchanges>>);

#[derive(Default)]
struct Exchanges {
    requests: Vec<Request>,
    answers: Vec<(&'static str, Answer)>,
}

/// A request that it received.
#[derive(Debug, Clone)]
pub struct Request {
    pub action: String,
    pub order: String,
    pub traceparent: String,
    pub callback: String,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Status(StatusCode),
    Silence,
}

impl Service {
    /// Starts it. Returns the workflow `traced`, in which an order is charged, shipped, and maybe
    /// undone.
    pub async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/{action}", post(act)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!(
            "workflow: traced\nversion: 1\nparticipants: {{ desk: {{ url: '{url}' }} }}\nsteps:\n  \
             charge: {{ call: desk.charge, undo: desk.refund, timeout: 1s, retry: {{ attempts: 5, initial: 100ms }} }}\n  \
             ship: {{ after: [charge], request: desk.ship, undo: desk.return, timeout: 1h, \
             outcomes: [shipped, backordered, lost], interim: {{ backordered: 1h }}, compensate-on: [lost] }}\n"
        )
    }

    /// The next requests for these actions are answered like this. All others are done, and a
    /// shipment is accepted.
    pub fn answers(&self, answers: &[(&'static str, Answer)]) {
        self.0.lock().unwrap().answers = answers.to_vec();
    }

    /// The requests for an order.
    pub fn requests_for(&self, order: &str) -> Vec<Request> {
        self.0.lock().unwrap().requests.iter().filter(|request| request.order == order).cloned().collect()
    }

    /// Waits until it has received so many requests for an action of an order. Returns the last.
    pub async fn receives(&self, order: &str, action: &str, count: usize) -> Request {
        let of_action = || {
            let all = self.requests_for(order).into_iter();
            all.filter(|request| request.action == action).collect::<Vec<_>>()
        };
        until(&format!("{action} of {order} arrives"), async || of_action().len() >= count).await;
        of_action().pop().unwrap()
    }
}

async fn act(
    State(Service(state)): State<Service>,
    Path(action): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let answer = {
        let mut state = state.lock().unwrap();
        let order = body["orderId"].as_str().unwrap().to_owned();
        let (traceparent, callback) = (header("traceparent"), header("tenuto-callback"));
        state.requests.push(Request { action: action.clone(), order, traceparent, callback });
        let planned = state.answers.iter().position(|(of, _)| *of == action);
        planned.map(|index| state.answers.remove(index).1)
    };
    match answer {
        Some(Answer::Status(status)) => status.into_response(),
        Some(Answer::Silence) => std::future::pending().await,
        None if action == "ship" => StatusCode::ACCEPTED.into_response(),
        None => Json(json!({})).into_response(),
    }
}

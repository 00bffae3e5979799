//! A load balancer: it sends each request to the next ready instance, and to the one after that if
//! there is no answer.
//!
//! It may repeat a request that was already sent, as balancers do for idempotent requests. Placing
//! an order and answering for a step are idempotent.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How long an instance may take to answer a request. A stopped instance never answers.
const TRY: Duration = Duration::from_secs(3);
/// How often, and with which time limit, each instance is probed.
const CHECK_EVERY: Duration = Duration::from_millis(100);
const CHECK: Duration = Duration::from_secs(1);
const BODY_BYTES_MAX: usize = 1 << 20;

/// Requests that did not succeed at once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// No instance listened there: the next one got the request.
    pub unconnected: usize,
    /// No answer in time: the next instance got the request.
    pub timed_out: usize,
    /// The connection broke: the next instance got the request.
    pub broken: usize,
    /// No instance answered: the client was asked to come back.
    pub unanswered: usize,
    /// The instance itself asked the client to come back.
    pub later: usize,
}

/// A running balancer. It ends with the value.
pub struct Balancer {
    pub url: String,
    inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

struct Inner {
    client: reqwest::Client,
    upstreams: Vec<Upstream>,
    turn: AtomicUsize,
    tally: Mutex<Tally>,
}

struct Upstream {
    url: String,
    ready: AtomicBool,
}

impl Balancer {
    pub async fn start(client: reqwest::Client, upstreams: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstreams =
            upstreams.into_iter().map(|url| Upstream { url, ready: AtomicBool::new(true) }).collect::<Vec<_>>();
        let inner = Arc::new(Inner { client, upstreams, turn: AtomicUsize::new(0), tally: Mutex::default() });
        let router = Router::new().fallback(pass_on).with_state(inner.clone());
        let mut tasks = JoinSet::new();
        for index in 0..inner.upstreams.len() {
            tasks.spawn(check(inner.clone(), index));
        }
        tasks.spawn(async move {
            let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
            axum::serve(listener, router).await.unwrap();
        });
        Self { url, inner, _tasks: tasks }
    }

    pub fn tally(&self) -> Tally {
        *self.inner.tally.lock().unwrap()
    }
}

/// Probes an instance repeatedly.
async fn check(inner: Arc<Inner>, index: usize) {
    let upstream = &inner.upstreams[index];
    loop {
        let asked = inner.client.get(format!("{}/readyz", upstream.url)).timeout(CHECK).send().await;
        upstream.ready.store(asked.is_ok_and(|answer| answer.status().is_success()), Ordering::Relaxed);
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

async fn pass_on(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    for upstream in inner.in_turn() {
        match inner.ask(upstream, &parts, body.clone()).await {
            Ok(answer) => {
                let later = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
                inner.note(|tally| tally.later += usize::from(later));
                return answer;
            }
            Err(error) if error.is_timeout() => inner.note(|tally| tally.timed_out += 1),
            Err(error) if error.is_connect() => inner.note(|tally| tally.unconnected += 1),
            Err(_) => inner.note(|tally| tally.broken += 1),
        }
    }
    inner.note(|tally| tally.unanswered += 1);
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "no instance answers").into_response()
}

impl Inner {
    /// The ready instances, beginning with the next one. All instances if none is ready.
    fn in_turn(&self) -> Vec<&Upstream> {
        let count = self.upstreams.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let all = || (0..count).map(|step| &self.upstreams[(first + step) % count]);
        let ready: Vec<_> = all().filter(|upstream| upstream.ready.load(Ordering::Relaxed)).collect();
        if ready.is_empty() { all().collect() } else { ready }
    }

    async fn ask(&self, upstream: &Upstream, parts: &Parts, body: Bytes) -> Result<Response, reqwest::Error> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers.clone();
        for hop in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION] {
            headers.remove(hop);
        }
        let request = self.client.request(parts.method.clone(), format!("{}{path}", upstream.url));
        let answer = request.headers(headers).timeout(TRY).body(body).send().await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove(header::TRANSFER_ENCODING);
        let mut response = Response::new(Body::from(answer.bytes().await?));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn note(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap());
    }
}

//! What probes and tools ask of a server over HTTP, on the port that carries gRPC: `/health/live`, `/ping`, `/info` and
//! `/gossip`, as a server answers them.
//!
//! Everything that comes as HTTP/1 is answered here, and so is a `GET` over HTTP/2. What is not one of these pages is
//! refused in words: a browser's page must not be able to reach the log, and gRPC needs HTTP/2.

use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use serde_json::json;
use tonic::body::{BoxBody, boxed};
use tower::{Layer, Service};

use super::connection::Reached;
use super::member::Member;
use super::reader::Reader;

/// The pages of a node, before its gRPC services.
#[derive(Clone)]
pub(super) struct Pages {
    pub(super) member: Member,
    pub(super) reader: Reader,
    /// Whether the system's projections run.
    pub(super) projections: bool,
}

impl<S> Layer<S> for Pages {
    type Service = WithPages<S>;

    fn layer(&self, service: S) -> WithPages<S> {
        WithPages { pages: self.clone(), service }
    }
}

#[derive(Clone)]
pub(super) struct WithPages<S> {
    pages: Pages,
    service: S,
}

impl<S> Service<Request<BoxBody>> for WithPages<S>
where
    S: Service<Request<BoxBody>, Response = Response<BoxBody>, Future: Send + 'static>,
{
    type Response = Response<BoxBody>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<BoxBody>) -> Self::Future {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        if is_read || request.version() < Version::HTTP_2 {
            let page = self.pages.answer(&request);
            return async { Ok(page) }.boxed();
        }
        self.service.call(request).boxed()
    }
}

impl Pages {
    fn answer<B>(&self, request: &Request<B>) -> Response<BoxBody> {
        let path = request.uri().path();
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let page = match path.trim_end_matches('/') {
            "/health/live" => Page::nothing(live_code(request.uri().query().unwrap_or_default())),
            "/ping" => Page::json(&json!({ "text": "Ping request successfully handled" })),
            "/info" => Page::json(&self.info()),
            "/gossip" => {
                let reached = request.extensions().get::<Reached>().and_then(|Reached(address)| *address);
                Page::json(&self.member.gossip(reached, self.reader.head()))
            }
            _ => {
                let said = format!(
                    "{path} does not exist on this node. It has /health/live, /ping, /info and /gossip for HTTP, and \
                     everything else for gRPC over HTTP/2.\n"
                );
                return Page::text(StatusCode::NOT_FOUND, said).response();
            }
        };
        if is_read { page.response() } else { not_allowed(request.method(), path) }
    }

    fn info(&self) -> serde_json::Value {
        json!({
            "dbVersion": Member::VERSION,
            "esVersion": Member::VERSION,
            "state": "leader",
            "features": { "projections": self.projections, "userManagement": false, "atomPub": false },
            "authentication": { "type": "insecure", "properties": {} },
        })
    }
}

/// A probe may ask for another code than 204 by `?liveCode=200`.
fn live_code(query: &str) -> StatusCode {
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("liveCode="));
    let wanted = wanted.and_then(|code| code.parse().ok()).filter(|code| (200..600).contains(code));
    wanted.and_then(|code: u16| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::NO_CONTENT)
}

fn not_allowed(method: &Method, path: &str) -> Response<BoxBody> {
    let said = format!("{method} is not allowed on {path}; use GET.\n");
    let mut answer = Page::text(StatusCode::METHOD_NOT_ALLOWED, said).response();
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

struct Page {
    status: StatusCode,
    kind: Option<&'static str>,
    body: String,
}

impl Page {
    fn nothing(status: StatusCode) -> Self {
        Self { status, kind: None, body: String::new() }
    }

    fn json(body: &serde_json::Value) -> Self {
        Self { status: StatusCode::OK, kind: Some("application/json; charset=utf-8"), body: body.to_string() }
    }

    fn text(status: StatusCode, body: String) -> Self {
        Self { status, kind: Some("text/plain; charset=utf-8"), body }
    }

    fn response(self) -> Response<BoxBody> {
        let mut answer = Response::new(boxed(self.body));
        *answer.status_mut() = self.status;
        if let Some(kind) = self.kind {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}

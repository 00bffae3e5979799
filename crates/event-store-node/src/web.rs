//! The pages that probes and tools request from a server over HTTP, on the port that carries gRPC:
//! `/health/live`, `/ping`, `/info`, `/gossip`, `/stats` and `/admin/scavenge` (see [`admin`])
//! with the answers of a server, and `/metrics`.
//!
//! All HTTP/1 requests are answered here, and every `GET` over HTTP/2. A request for another page
//! is refused with an explanation: a web page in a browser must not reach the log, and gRPC needs
//! HTTP/2.

use std::sync::Arc;

use futures::FutureExt;
use http::{Method, Request, Response, StatusCode, Version};
use serde_json::json;
use tonic::body::BoxBody;
use tower::Service;

use super::admin;
use super::connection::Reached;
use super::gate::{Answering, Gate};
use super::member::Member;
use super::page::Page;
use super::reader::Reader;
use super::scavenge::Scavenges;
use super::stats;

/// The node's pages, in front of its gRPC services.
#[derive(Clone)]
pub(super) struct Pages {
    pub(super) member: Member,
    pub(super) reader: Reader,
    pub(super) scavenges: Scavenges,
    pub(super) metrics: Arc<metrics::Page>,
    /// Whether the system projections run.
    pub(super) projections: bool,
    /// Whether the node has users.
    pub(super) users: bool,
}

impl Gate for Pages {
    fn pass<S>(&self, request: Request<BoxBody>, behind: &mut S) -> Answering<S::Error>
    where
        S: Service<Request<BoxBody>, Response = Response<BoxBody>, Future: Send + 'static> + Clone + Send + 'static,
    {
        if let Some(command) = admin::command(&request) {
            let scavenges = self.scavenges.clone();
            let answer = async move {
                match command {
                    Ok(command) => admin::answer(command, scavenges).await,
                    Err(refusal) => refusal,
                }
            };
            return async { Ok(answer.await.response()) }.boxed();
        }
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        if is_read || request.version() < Version::HTTP_2 {
            let page = self.answer(&request);
            return async { Ok(page) }.boxed();
        }
        behind.call(request).boxed()
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
            "/metrics" => match self.metrics.text() {
                Ok(text) => Page::metrics(text),
                Err(_) => Page::nothing(StatusCode::INTERNAL_SERVER_ERROR),
            },
            "/stats" => Page::json(&stats::nested(self.reader.head())),
            "/gossip" => {
                let reached = request.extensions().get::<Reached>().and_then(|reached| reached.at);
                Page::json(&self.member.gossip(reached, self.reader.head()))
            }
            _ => {
                let text = format!(
                    "{path} does not exist on this node. It has /health/live, /ping, /info, /gossip, /metrics, /stats and {} for HTTP, \
                     and everything else for gRPC over HTTP/2.\n",
                    admin::PLACE
                );
                return Page::text(StatusCode::NOT_FOUND, text).response();
            }
        };
        if is_read { page.response() } else { Page::not_allowed(request.method(), path, "GET, HEAD").response() }
    }

    fn info(&self) -> serde_json::Value {
        json!({
            "dbVersion": Member::VERSION,
            "esVersion": Member::VERSION,
            "state": "leader",
            "features": { "projections": self.projections, "userManagement": self.users, "atomPub": false },
            "authentication": { "type": if self.users { "internal" } else { "insecure" }, "properties": {} },
        })
    }
}

/// A probe may request a code other than 204 with `?liveCode=200`.
fn live_code(query: &str) -> StatusCode {
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("liveCode="));
    let wanted = wanted.and_then(|code| code.parse().ok()).filter(|code| (200..600).contains(code));
    wanted.and_then(|code: u16| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::NO_CONTENT)
}

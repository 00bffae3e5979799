//! Requests that another role answers: they go on to it. So each role serves the whole API, and no
//! load balancer has to know which role has which path and method.
//!
//! What a role does not answer itself goes on, if the table of routes has it. There is no second
//! list. A request goes on once, since two roles of different versions may each expect that the
//! other has a path.
//!
//! A request keeps its credentials: the other role authenticates the caller again. A client
//! certificate does not go on.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod headers;
mod socket;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use access::routes::{Found, methods, operation};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use domain::workflow::address;
use futures::{StreamExt, stream};
use http_problem::Problem;
use reqwest::{Client, RequestBuilder};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

/// The largest body that is taken: that of the command handler.
const MAX_BODY: usize = 1024 * 1024;
/// The time limit until an answer begins: more than a request may wait for the end of an order.
const PATIENCE: Duration = Duration::from_secs(75);
/// The time limit for a connection.
const CONNECTING: Duration = Duration::from_secs(4);
/// The pause before the next try.
const AGAIN: Duration = Duration::from_millis(100);
/// The type of an answer without an end.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// The role that requests go on to.
#[derive(Debug, Clone, Copy)]
pub struct Role {
    /// Its name, for callers: `the command handler`.
    pub name: &'static str,
    /// The option with its URL.
    pub option: &'static str,
}

/// Sends requests on to one role.
#[derive(Debug)]
pub struct Forward {
    client: Client,
    to: Url,
    role: Role,
    leaving: CancellationToken,
    /// How long a request waits for the role.
    starting: Duration,
}

/// Why requests cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The URL cannot be used.
    #[error("{option} {url}: {fault}")]
    Url {
        /// The option.
        option: &'static str,
        /// Its value.
        url: String,
        /// What is wrong with it.
        fault: String,
    },
    /// No client can be made.
    #[error("no HTTP client can be made, which would send requests to {name}")]
    Client {
        /// The name of the role.
        name: &'static str,
        /// Why.
        source: reqwest::Error,
    },
}

impl Forward {
    /// Sends requests on to the role at this URL, which has no path. Streams end when this process
    /// is `leaving`. A request waits at most this long for a role that is `starting` again.
    pub fn new(role: Role, url: &str, leaving: CancellationToken, starting: Duration) -> Result<Self, ForwardError> {
        let wrong = |fault: String| ForwardError::Url { option: role.option, url: url.to_owned(), fault };
        let to = address::base(url).map_err(wrong)?;
        if to.path() != "/" {
            return Err(wrong("it must have no path: name the server alone".to_owned()));
        }
        let no_client = |source| ForwardError::Client { name: role.name, source };
        let client = http_client::builder().map_err(no_client)?.connect_timeout(CONNECTING);
        let client = client.http1_only().build().map_err(no_client)?;
        Ok(Self { client, to, role, leaving, starting })
    }

    /// What answers the requests that a role's own routes do not answer.
    pub fn router(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }

    /// The same path at the other role.
    fn url_of(&self, uri: &Uri) -> Url {
        let mut to = self.to.clone();
        to.set_path(uri.path());
        to.set_query(uri.query());
        to
    }

    async fn send(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY).await else {
            let detail = format!("the body must arrive whole and have at most {MAX_BODY} bytes");
            return Problem::too_large(detail).into_response();
        };
        let (to, headers) = (self.url_of(&parts.uri), headers::of_request(&parts.headers));
        let asked = self.client.request(parts.method, to).headers(headers).body(body);
        match self.in_time(self.reach(asked)).await {
            Ok(answer) => self.returned(answer),
            Err(away) => away.into_response(),
        }
    }

    /// Sends a request. Tries again while no connection is made: then nothing was sent.
    async fn reach(&self, request: RequestBuilder) -> reqwest::Result<reqwest::Response> {
        let until = Instant::now() + self.starting;
        loop {
            // Only a body that is a stream cannot be sent again.
            let Some(again) = request.try_clone() else { return request.send().await };
            match again.send().await {
                Err(error) if error.is_connect() && Instant::now() < until => sleep(AGAIN).await,
                asked => return asked,
            }
        }
    }

    async fn in_time(
        &self,
        asked: impl Future<Output = reqwest::Result<reqwest::Response>>,
    ) -> Result<reqwest::Response, Problem> {
        match timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.away(&error_causes::with_causes(&error))),
            Err(_) => Err(self.away("it does not answer in time")),
        }
    }

    /// The request was not answered, and may have been received. Each request can be sent again.
    fn away(&self, reason: &str) -> Problem {
        let name = self.role.name;
        warn!(reason, "{name} cannot be reached: {}", self.role.option);
        Problem::later(format!("{name} cannot be reached; send the same request again"))
    }

    /// The answer, as it arrives: a batch answers line by line, and a subscription event by event.
    fn returned(&self, answer: reqwest::Response) -> Response {
        let (status, headers) = (answer.status(), headers::of_answer(answer.headers()));
        let has_end = headers.get(header::CONTENT_TYPE).is_none_or(|of| !of.as_bytes().starts_with(EVENT_STREAM));
        let chunks = stream::try_unfold(answer, async |mut answer| {
            let chunk = answer.chunk().await?;
            Ok::<_, reqwest::Error>(chunk.map(|chunk| (chunk, answer)))
        });
        let body = if has_end {
            Body::from_stream(chunks)
        } else {
            Body::from_stream(chunks.take_until(self.leaving.clone().cancelled_owned()))
        };
        (status, headers, body).into_response()
    }
}

async fn answer(State(forward): State<Arc<Forward>>, request: Request) -> Response {
    let (method, uri) = (request.method(), request.uri());
    match operation(method, uri.path()) {
        Found::Operation(_) if !headers::were_sent_on(request.headers()) => {
            if request.headers().contains_key(header::UPGRADE) {
                return forward.open_socket(request).await;
            }
            forward.send(request).await
        }
        Found::OtherMethod => {
            ([(header::ALLOW, methods(uri.path()))], Problem::method_not_allowed(method, uri)).into_response()
        }
        Found::Operation(_) | Found::Nothing => Problem::no_such_path(method, uri, "this server has").into_response(),
    }
}

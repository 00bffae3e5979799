//! Commands that arrive at the query side: they go on to the command handler.
//!
//! So the console reaches everything at the server that it comes from, and no browser has to be
//! allowed to send requests across origins. A request keeps its credentials: the command handler
//! authenticates the caller again.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::workflow::address;
use futures::stream;
use http_problem::Problem;
use reqwest::Client;
use tokio::time::timeout;
use tracing::warn;
use url::Url;

/// The largest body that is taken: that of the command handler.
const MAX_BODY: usize = 1024 * 1024;
/// The time limit until an answer begins.
const PATIENCE: Duration = Duration::from_mins(1);
/// The time limit for a connection.
const CONNECTING: Duration = Duration::from_secs(5);
/// Headers of a request that go on, besides those of a `CloudEvent`.
const OF_A_REQUEST: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
];
/// Headers of an answer that come back.
const OF_AN_ANSWER: [HeaderName; 5] =
    [header::CONTENT_TYPE, header::LOCATION, header::RETRY_AFTER, header::WWW_AUTHENTICATE, header::ALLOW];

struct Forward {
    client: Client,
    to: Url,
}

/// Why commands cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CommandUrlError {
    /// The URL cannot be used.
    #[error("--command-url {url}: {fault}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        fault: String,
    },
    /// There is no client of HTTP.
    #[error("no HTTP client can be made, which would send commands to the command handler")]
    Client(#[from] reqwest::Error),
}

/// Sends the commands on to the command handler at this URL, which has no path.
pub fn commands_at(url: &str) -> Result<Router, CommandUrlError> {
    let wrong = |fault: String| CommandUrlError::Url { url: url.to_owned(), fault };
    let to = address::base(url).map_err(wrong)?;
    if to.path() != "/" {
        return Err(wrong("it must have no path: name the server alone".to_owned()));
    }
    let client = http_client::builder()?.connect_timeout(CONNECTING).build()?;
    Ok(Router::new()
        .route("/orders", post(forward))
        .route("/orders/batch", post(forward))
        .route("/orders/{id}/{operation}", post(forward))
        .route("/orders/{id}/personal-data", get(forward))
        .route("/orders/{id}/steps/{step}/outcome", post(forward))
        .route("/customers/{id}/forget", post(forward))
        .route("/workflows", post(forward))
        .route("/workflows/check", post(forward))
        .route("/circuits", get(forward))
        .with_state(Arc::new(Forward { client, to })))
}

async fn forward(State(forward): State<Arc<Forward>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        let detail = format!("the body must arrive whole and have at most {MAX_BODY} bytes");
        return Problem::new(axum::http::StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
    };
    let mut to = forward.to.clone();
    to.set_path(parts.uri.path());
    to.set_query(parts.uri.query());
    let asked = forward.client.request(parts.method, to).headers(going_on(&parts.headers)).body(body).send();
    match timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => returned(answer),
        Ok(Err(error)) => away(&error_causes::with_causes(&error)),
        Err(_) => away("it does not answer in time"),
    }
}

/// The request was not answered, and may have been received. Commands can be sent again.
fn away(reason: &str) -> Response {
    warn!(reason, "the command handler cannot be reached");
    Problem::later("the command handler cannot be reached; send the same request again").into_response()
}

fn going_on(headers: &HeaderMap) -> HeaderMap {
    copied(headers, |name| OF_A_REQUEST.contains(name) || name.as_str().starts_with("ce-"))
}

/// The answer, as it arrives: a batch answers line by line.
fn returned(answer: reqwest::Response) -> Response {
    let (status, headers) = (answer.status(), copied(answer.headers(), |name| OF_AN_ANSWER.contains(name)));
    let chunks = stream::try_unfold(answer, async |mut answer| {
        let chunk = answer.chunk().await?;
        Ok::<_, reqwest::Error>(chunk.map(|chunk| (chunk, answer)))
    });
    (status, headers, Body::from_stream(chunks)).into_response()
}

fn copied(headers: &HeaderMap, is_wanted: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let wanted = headers.iter().filter(|(name, _)| is_wanted(name));
    let mut copied = HeaderMap::new();
    wanted.for_each(|(name, value): (&HeaderName, &HeaderValue)| {
        copied.append(name.clone(), value.clone());
    });
    copied
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, StatusCode};
    use tokio::net::TcpListener;
    use tower::ServiceExt;

    use super::*;

    /// A command handler that repeats what it received.
    async fn handler() -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let repeat = async |request: Request| {
            let (parts, body) = request.into_parts();
            let mut names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            let body = to_bytes(body, MAX_BODY).await.unwrap();
            let text = format!("{} {} {} {}", parts.method, parts.uri, names.join(","), body.len());
            (StatusCode::ACCEPTED, [("location", "/orders/1"), ("x-other", "1")], text)
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(repeat)).await });
        url
    }

    async fn sent(to: &str, request: Request) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = commands_at(to).unwrap().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_command_goes_on_with_its_path_its_body_and_the_headers_that_matter() {
        let request = Request::post("/orders/a%20b/cancel?x=1")
            .header("authorization", "Bearer tnt_a_b")
            .header("idempotency-key", "k")
            .header("ce-id", "1")
            .header("cookie", "c=1")
            .header("origin", "http://localhost:1")
            .body("{}".into());
        let (status, headers, text) = sent(&handler().await, request.unwrap()).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        let names = "accept,authorization,ce-id,content-length,host,idempotency-key";
        assert_eq!(text, format!("POST /orders/a%20b/cancel?x=1 {names} 2"));
        assert_eq!(headers["location"], "/orders/1");
        assert!(!headers.contains_key("x-other"));
    }

    #[tokio::test]
    async fn only_commands_go_on_and_a_body_is_bounded() {
        let to = handler().await;
        for (method, path, expected) in [
            (Method::GET, "/circuits", 202),
            (Method::POST, "/workflows/check", 202),
            (Method::POST, "/orders/1/steps/ship/outcome", 202),
            (Method::GET, "/orders/1/cancel", 405),
            (Method::POST, "/graphql", 404),
            (Method::GET, "/metrics", 404),
        ] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            assert_eq!(sent(&to, request).await.0.as_u16(), expected, "{path}");
        }
        let large = Request::post("/orders").body(vec![b' '; MAX_BODY + 1].into()).unwrap();
        assert_eq!(sent(&to, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_command_handler_that_is_away_is_reported_as_such() {
        let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let request = Request::get("/circuits").body(Body::empty()).unwrap();
        let (status, headers, text) = sent(&format!("http://{closed}"), request).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            text.contains("the command handler cannot be reached") && headers.contains_key("retry-after"),
            "{text}"
        );
    }

    #[test]
    fn a_url_that_is_not_that_of_a_server_is_an_error_that_names_it() {
        for url in ["", "shop", "ftp://shop", "http://shop/api", "http://shop/?x=1"] {
            let error = commands_at(url).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--command-url {url}: ")), "{error}");
        }
    }
}

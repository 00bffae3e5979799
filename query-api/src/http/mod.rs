//! GraphQL over HTTP, after the specification of that name, and the pages around it.

mod events;
mod media;
pub mod operation;
mod protocol;
mod request;
mod run;
mod socket;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures::stream;
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::Options;
use crate::admission::Admission;
use crate::budget::{Limits, is_overloaded};
use crate::freshness::Waiting;
use crate::live::LiveStats;
use crate::schema::{Schema, sdl};
use media::Wanted;
use request::{NotWellFormed, from_json, from_query};
use run::{Answered, Operation, is_request_error};

/// What the handlers use.
pub struct Endpoint {
    schema: Schema,
    sdl: String,
    pool: PgPool,
    waiting: Waiting,
    /// Room for connections that stay.
    places: Arc<Semaphore>,
    stats: LiveStats,
    leaving: CancellationToken,
    beginning: Duration,
    taking: Duration,
    max_body_bytes: usize,
    timeout: Duration,
    /// Room for costly queries.
    admission: Admission,
    /// Room for queries.
    queries: Semaphore,
    /// The largest answer.
    limits: Limits,
    /// The memory of all large answers until they are sent, in KiB.
    answers_memory: Arc<Semaphore>,
}

impl Endpoint {
    pub fn new(schema: Schema, pool: PgPool, waiting: Waiting, admission: Admission, options: &Options) -> Arc<Self> {
        let sdl = sdl(&schema);
        Arc::new(Self {
            schema,
            sdl,
            pool,
            waiting,
            places: Arc::new(Semaphore::new(options.max_connections)),
            stats: options.stats.clone(),
            leaving: options.leaving.clone(),
            beginning: options.beginning,
            taking: options.taking,
            max_body_bytes: options.max_body_bytes,
            timeout: options.timeout,
            admission,
            queries: Semaphore::new(options.max_queries),
            limits: Limits { bytes: options.max_answer_bytes, values: options.max_answer_values },
            answers_memory: Arc::new(Semaphore::new(options.max_answers_memory_bytes / 1024)),
        })
    }
}

/// `POST /graphql`.
pub async fn post(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: Body) -> Response {
    let wanted = match media::wanted(&headers) {
        Some(Wanted::Html) | None => return refuse(Wanted::Json, StatusCode::NOT_ACCEPTABLE, media::OFFERED),
        Some(wanted) => wanted,
    };
    if !media::is_json_request(&headers) {
        return refuse(wanted, StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json in UTF-8");
    }
    let Ok(body) = to_bytes(body, endpoint.max_body_bytes).await else {
        let limit = format!("the body must arrive whole and have at most {} bytes", endpoint.max_body_bytes);
        return refuse(wanted, StatusCode::PAYLOAD_TOO_LARGE, &limit);
    };
    match from_json(&body) {
        Ok(request) if wanted == Wanted::EventStream => events::stream(&endpoint, request),
        Ok(request) => match endpoint.read(request).await {
            Ok(operation) => endpoint.respond_to(wanted, operation).await,
            Err(error) => respond_with(wanted, Answered::refusal(error)).await,
        },
        Err(error) => refuse(wanted, StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// `GET /graphql`: a query; for browsers the console; or the beginning of a WebSocket.
pub async fn get(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if headers.contains_key(header::UPGRADE) {
        return match upgrade {
            Ok(upgrade) => socket::open(endpoint, upgrade),
            Err(rejection) => rejection.into_response(),
        };
    }
    let request = from_query(query.as_deref().unwrap_or_default());
    let wanted = match (media::wanted(&headers), &request) {
        (Some(Wanted::Html), Err(NotWellFormed::NoQuery)) => return console(),
        (Some(Wanted::Html) | None, _) => return refuse(Wanted::Json, StatusCode::NOT_ACCEPTABLE, media::OFFERED),
        (Some(wanted), _) => wanted,
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => return refuse(wanted, StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let operation = match endpoint.read(request).await {
        Ok(operation) => operation,
        Err(error) if wanted == Wanted::EventStream => return events::refuse(&endpoint, error),
        Err(error) => return respond_with(wanted, Answered::refusal(error)).await,
    };
    if operation.document.kind == Some(OperationType::Mutation) {
        let refusal = refuse(wanted, StatusCode::METHOD_NOT_ALLOWED, "GET answers queries only");
        return ([(header::ALLOW, "POST")], refusal).into_response();
    }
    if wanted == Wanted::EventStream {
        return events::stream_of(&endpoint, endpoint.clone().answers_to(operation));
    }
    endpoint.respond_to(wanted, operation).await
}

/// `GET /schema.graphql`.
pub async fn schema_text(State(endpoint): State<Arc<Endpoint>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], endpoint.sdl.clone()).into_response()
}

impl Endpoint {
    async fn respond_to(&self, wanted: Wanted, operation: Operation) -> Response {
        respond_with(wanted, self.answer(operation).await).await
    }
}

/// An answer, whose status shows whether the request was executed. If it was not, the answer has no
/// `data`.
async fn respond_with(wanted: Wanted, answered: Answered) -> Response {
    let Answered { answer, is_large, share } = answered;
    if is_overloaded(&answer) {
        return later_with(wanted, &json!({ "errors": answer.errors }));
    }
    if is_request_error(&answer) {
        let status = match wanted {
            Wanted::GraphqlResponse => StatusCode::BAD_REQUEST,
            Wanted::Json | Wanted::Html | Wanted::EventStream => StatusCode::OK,
        };
        return respond(wanted, status, &json!({ "errors": answer.errors }));
    }
    if !is_large {
        return respond(wanted, StatusCode::OK, &answer);
    }
    match to_json(is_large, answer).await {
        Some(text) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, wanted.content_type())], in_parts(text, share)).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// An answer or a message as JSON. A large one takes a while, and is written on a separate thread.
async fn to_json(is_large: bool, answer: impl serde::Serialize + Send + 'static) -> Option<String> {
    let written = if is_large {
        tokio::task::spawn_blocking(move || serde_json::to_string(&answer)).await.ok()?
    } else {
        serde_json::to_string(&answer)
    };
    written.inspect_err(|error| tracing::error!(%error, "an answer could not be written as JSON")).ok()
}

/// A large text that keeps its share of the memory until it is sent.
fn in_parts(text: String, share: Option<OwnedSemaphorePermit>) -> Body {
    const PART: usize = 256 * 1024;
    let text = Bytes::from(text);
    let parts = (0..text.len().div_ceil(PART)).map(move |part| {
        let _until_all_are_sent = &share;
        Ok::<_, Infallible>(text.slice(part * PART..text.len().min((part + 1) * PART)))
    });
    Body::from_stream(stream::iter(parts))
}

/// A request that is not one of GraphQL over HTTP, with the reason.
fn refuse(wanted: Wanted, status: StatusCode, message: &str) -> Response {
    respond(wanted, status, &json!({ "errors": [{ "message": message }] }))
}

/// The same request may be answered later.
fn later(wanted: Wanted, message: &str) -> Response {
    later_with(wanted, &json!({ "errors": [{ "message": message }] }))
}

fn later_with(wanted: Wanted, body: &serde_json::Value) -> Response {
    ([(header::RETRY_AFTER, "1")], respond(wanted, StatusCode::SERVICE_UNAVAILABLE, body)).into_response()
}

fn respond(wanted: Wanted, status: StatusCode, body: &impl serde::Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, wanted.content_type())], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that needs only this server: a header forbids scripts and styles from elsewhere.
fn console() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_SECURITY_POLICY, policy), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, Html(include_str!("../../assets/console.html"))).into_response()
}

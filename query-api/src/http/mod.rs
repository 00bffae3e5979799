//! GraphQL over HTTP, after the specification of that name, and the pages around it.

mod events;
mod media;
mod operation;
mod protocol;
mod request;
mod run;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Options;
use crate::freshness::Waiting;
use crate::live::LiveStats;
use crate::schema::{Schema, sdl};
use media::Wanted;
use request::{NotWellFormed, from_json, from_query};
use run::{TOO_LONG, is_request_error, missing};

/// What the handlers share.
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
}

impl Endpoint {
    pub fn new(schema: Schema, pool: PgPool, waiting: Waiting, options: &Options) -> Arc<Self> {
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
        Ok(request) if wanted == Wanted::EventStream => events::stream(endpoint, request),
        Ok(request) => endpoint.answer(wanted, request).await,
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
    let mut request = match request {
        Ok(request) => request,
        Err(error) => return refuse(wanted, StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if operation::is_mutation(&mut request) {
        let refusal = refuse(wanted, StatusCode::METHOD_NOT_ALLOWED, "GET answers queries only");
        return ([(header::ALLOW, "POST")], refusal).into_response();
    }
    if wanted == Wanted::EventStream {
        return events::stream(endpoint, request);
    }
    endpoint.answer(wanted, request).await
}

/// `GET /schema.graphql`.
pub async fn schema_text(State(endpoint): State<Arc<Endpoint>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], endpoint.sdl.clone()).into_response()
}

impl Endpoint {
    async fn answer(&self, wanted: Wanted, mut request: async_graphql::Request) -> Response {
        if let Some(name) = operation::missing_variable(&mut request) {
            return not_executed(wanted, &[json!({ "message": missing(&name) })]);
        }
        let later = |message: &str| later(wanted, message);
        let answer = match tokio::time::timeout(self.timeout, self.execute(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return later(&error.to_string()),
            Err(_) => return later(TOO_LONG),
        };
        if is_request_error(&answer) {
            return not_executed(wanted, &answer.errors);
        }
        respond(wanted, StatusCode::OK, &answer)
    }
}

/// The answer to a request whose document or variables do not fit the schema. It has no `data` entry.
fn not_executed(wanted: Wanted, errors: &[impl serde::Serialize]) -> Response {
    let status = match wanted {
        Wanted::GraphqlResponse => StatusCode::BAD_REQUEST,
        Wanted::Json | Wanted::Html | Wanted::EventStream => StatusCode::OK,
    };
    respond(wanted, status, &json!({ "errors": errors }))
}

/// A request that is not one of GraphQL over HTTP, with the reason.
fn refuse(wanted: Wanted, status: StatusCode, message: &str) -> Response {
    respond(wanted, status, &json!({ "errors": [{ "message": message }] }))
}

/// The same request may be answered later.
fn later(wanted: Wanted, message: &str) -> Response {
    let later = refuse(wanted, StatusCode::SERVICE_UNAVAILABLE, message);
    ([(header::RETRY_AFTER, "1")], later).into_response()
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

/// A page that needs nothing but this server: no script or style comes from elsewhere, and the browser is told so.
fn console() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_SECURITY_POLICY, policy), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, Html(include_str!("../../assets/console.html"))).into_response()
}

//! GraphQL over HTTP, after the specification of that name, and the pages around it.

mod media;
mod operation;
mod request;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Response as Answer, Value};
use axum::body::{Body, to_bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;
use sqlx::PgPool;

use crate::Options;
use crate::schema::{Schema, sdl};
use crate::store::Store;
use media::Wanted;
use request::{NotWellFormed, from_json, from_query};

/// What the handlers share.
pub struct Endpoint {
    schema: Schema,
    sdl: String,
    pool: PgPool,
    max_body_bytes: usize,
    timeout: Duration,
}

impl Endpoint {
    pub fn new(schema: Schema, pool: PgPool, options: &Options) -> Arc<Self> {
        let sdl = sdl(&schema);
        Arc::new(Self { schema, sdl, pool, max_body_bytes: options.max_body_bytes, timeout: options.timeout })
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
        Ok(request) => endpoint.answer(wanted, request).await,
        Err(error) => refuse(wanted, StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// `GET /graphql`: a query, or for browsers the console.
pub async fn get(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
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
    endpoint.answer(wanted, request).await
}

/// `GET /schema.graphql`.
pub async fn schema_text(State(endpoint): State<Arc<Endpoint>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], endpoint.sdl.clone()).into_response()
}

impl Endpoint {
    async fn answer(&self, wanted: Wanted, mut request: async_graphql::Request) -> Response {
        if let Some(name) = operation::missing_variable(&mut request) {
            return not_executed(wanted, &[json!({ "message": format!("the variable ${name} must have a value") })]);
        }
        let request = request.data(Store::new(self.pool.clone()));
        let Ok(answer) = tokio::time::timeout(self.timeout, self.schema.execute(request)).await else {
            let late = refuse(wanted, StatusCode::SERVICE_UNAVAILABLE, "the query took too long");
            return ([(header::RETRY_AFTER, "1")], late).into_response();
        };
        if is_request_error(&answer) {
            return not_executed(wanted, &answer.errors);
        }
        respond(wanted, StatusCode::OK, &answer)
    }
}

/// Whether the request never came to execution: it does not parse, is not valid, or its variables do not fit.
fn is_request_error(answer: &Answer) -> bool {
    answer.data == Value::Null && !answer.errors.is_empty() && answer.errors.iter().all(|error| error.path.is_empty())
}

/// The answer to a request whose document or variables do not fit the schema. It has no `data` entry.
fn not_executed(wanted: Wanted, errors: &[impl serde::Serialize]) -> Response {
    let status = match wanted {
        Wanted::GraphqlResponse => StatusCode::BAD_REQUEST,
        Wanted::Json | Wanted::Html => StatusCode::OK,
    };
    respond(wanted, status, &json!({ "errors": errors }))
}

/// A request that is not one of GraphQL over HTTP, with the reason.
fn refuse(wanted: Wanted, status: StatusCode, message: &str) -> Response {
    respond(wanted, status, &json!({ "errors": [{ "message": message }] }))
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

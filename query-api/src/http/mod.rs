//! GraphQL over HTTP, after the specification of that name, and the pages around it.

mod asker;
mod endpoint;
mod events;
mod media;
pub mod operation;
mod protocol;
mod request;
mod respond;
mod run;
mod socket;

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::console::graphiql;
use asker::Asker;
pub use endpoint::Endpoint;
use media::Wanted;
use request::{NotWellFormed, from_json, from_query};
use respond::{refuse, respond_with};
use run::{Answered, Operation};

/// `POST /graphql`.
pub async fn post(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
) -> Response {
    let asker = Asker::of(&extensions);
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
        Ok(request) if wanted == Wanted::EventStream => events::stream(&endpoint, request, asker),
        Ok(request) => match endpoint.read(request, &asker).await {
            Ok(operation) => endpoint.respond_to(wanted, operation).await,
            Err(error) => respond_with(wanted, Answered::refusal(error)).await,
        },
        Err(error) => refuse(wanted, StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// `GET /graphql`: a query; for browsers `GraphiQL`; or the beginning of a WebSocket.
pub async fn get(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    extensions: Extensions,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let asker = Asker::of(&extensions);
    if headers.contains_key(header::UPGRADE) {
        return match upgrade {
            Ok(upgrade) => socket::open(endpoint, upgrade, asker),
            Err(rejection) => rejection.into_response(),
        };
    }
    let request = from_query(query.as_deref().unwrap_or_default());
    let wanted = match (media::wanted(&headers), &request) {
        (Some(Wanted::Html), Err(NotWellFormed::NoQuery)) => return graphiql(&headers),
        (Some(Wanted::Html) | None, _) => return refuse(Wanted::Json, StatusCode::NOT_ACCEPTABLE, media::OFFERED),
        (Some(wanted), _) => wanted,
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => return refuse(wanted, StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let operation = match endpoint.read(request, &asker).await {
        Ok(operation) => operation,
        Err(error) if wanted == Wanted::EventStream => return events::refuse(&endpoint, error, asker),
        Err(error) => return respond_with(wanted, Answered::refusal(error)).await,
    };
    if operation.document.kind == Some(OperationType::Mutation) {
        let refusal = refuse(wanted, StatusCode::METHOD_NOT_ALLOWED, "GET answers queries only");
        return ([(header::ALLOW, "POST")], refusal).into_response();
    }
    if wanted == Wanted::EventStream {
        return events::stream_of(&endpoint, endpoint.clone().answers_to(operation), asker);
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

//! Writes answers and refusals as HTTP responses.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::media::Wanted;
use super::run::{Answered, is_request_error};
use crate::budget::is_overloaded;

/// An answer, whose status shows whether the request was executed. If it was not, the answer has no
/// `data`.
pub(super) async fn respond_with(wanted: Wanted, answered: Answered) -> Response {
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
pub(super) async fn to_json(is_large: bool, answer: impl serde::Serialize + Send + 'static) -> Option<String> {
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
pub(super) fn refuse(wanted: Wanted, status: StatusCode, message: &str) -> Response {
    respond(wanted, status, &json!({ "errors": [{ "message": message }] }))
}

/// The same request may be answered later.
pub(super) fn later(wanted: Wanted, message: &str) -> Response {
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

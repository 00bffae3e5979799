//! The answer to every accepted command.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use domain::ids::{OrderId, RequestId};
use serde::Serialize;

use crate::orchestrator::Accepted;

/// The answer to every accepted command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    order_id: OrderId,
    revision: u64,
    /// A decimal number, as text: it may exceed what a JSON reader keeps exactly.
    position: String,
    #[serde(flatten)]
    waits: Option<Waits>,
}

/// What an answer says of a command that a second person has to approve.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waits {
    /// The id of the request.
    request: String,
    state: &'static str,
    expires_at: Timestamp,
}

impl Waits {
    /// A request that waits.
    pub fn new(id: &RequestId, expires_at: Timestamp) -> Self {
        Self { request: id.to_string(), state: "WAITS_FOR_APPROVAL", expires_at }
    }
}

/// The answer to a command that is in the log. A request has an address.
pub(super) fn accepted(accepted: &Accepted) -> Response {
    let receipt = (StatusCode::ACCEPTED, Json(Receipt::from(accepted)));
    match &accepted.request {
        None => receipt.into_response(),
        Some(request) => ([(header::LOCATION, location(&request.id))], receipt).into_response(),
    }
}

/// The address of a request.
pub(super) fn location(id: &RequestId) -> String {
    format!("/requests/{id}")
}

impl From<&Accepted> for Receipt {
    fn from(accepted: &Accepted) -> Self {
        Self {
            order_id: accepted.order_id.clone(),
            revision: accepted.revision,
            position: accepted.position.to_string(),
            waits: accepted.request.as_ref().map(|request| Waits::new(&request.id, request.expires_at)),
        }
    }
}

//! `POST /orders`.

use std::sync::Arc;

use access::Caller;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Request, StatusCode, header};
use axum::response::IntoResponse;
use domain::order::request::{Violation, check};
use http_problem::{Kind, Problem};
use http_request::body;
use serde_json::{Value, json};
use tracing::warn;

use super::endpoint::Handle;
use super::idempotency_key;
use super::in_time::in_time;
use super::openapi::{Operation, Shared, body as described_body, example, json_limits, parameter_ref, schema_ref};
use super::receipt::Receipt;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::PlaceError;
use crate::placing::{KeyRefused, NewOrderRequest, NotPlaced};

pub(super) const PATH: &str = "/orders";

pub(super) async fn handle<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let figures = endpoint.orchestrator.figures();
    let refused = |reason: &'static str, problem| {
        figures.refused(reason);
        problem
    };
    if let Some(reason) = endpoint.admission.closed() {
        return Err(refused("closed", Problem::later(reason)));
    }
    let placed_by = Caller::of(request.extensions()).name().map(str::to_owned);
    let body = body::json(request, &["application/json"]).await;
    let (headers, value) = body.map_err(|problem| refused("malformed", problem))?;
    let idempotency_key = idempotency_key::read(&headers).map_err(|problem| refused("malformed", problem))?;
    let order = check(&value).map_err(|faults| refused("invalid", Problem::invalid(faults)))?;
    let request = NewOrderRequest { order, placed_by, idempotency_key, traceparent: traceparent(&headers) };
    // What is counted until the answer comes: the time limit drops the work.
    let mut reason = "unanswered";
    let placing = async {
        endpoint.placing.place(request).await.map_err(|error| {
            reason = error.reason();
            not_placed(error)
        })
    };
    let accepted = in_time(placing).await.map_err(|problem| refused(reason, problem))?;
    // With the position, a client that follows it waits until the views have the order.
    let location = format!("/orders/{}?position={}", accepted.order_id, accepted.position);
    let location: [(HeaderName, String); 1] = [(header::LOCATION, location)];
    Ok((StatusCode::ACCEPTED, location, Json(Receipt::from(&accepted))))
}

/// W3C Trace Context: `00-<32 hex>-<16 hex>-<2 hex>`, lower case. Other values are ignored, and so
/// are all-zero ids and version `ff`.
fn traceparent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get("traceparent")?.to_str().ok()?.trim();
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return None };
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let nonzero = |text: &str| text.bytes().any(|b| b != b'0');
    let valid =
        hex(version, 2) && *version != "ff" && hex(trace, 32) && nonzero(trace) && hex(span, 16) && nonzero(span);
    (valid && hex(flags, 2)).then(|| Arc::from(text))
}

fn not_placed(error: NotPlaced) -> Problem {
    match error {
        NotPlaced::Key(error) => match error {
            KeyRefused::Running => Problem::conflict(error.to_string()),
            KeyRefused::OtherContent => Problem::new(Kind::Invalid, error.to_string()),
            KeyRefused::Unreadable => Problem::internal(error.to_string()),
            KeyRefused::Failed(_) => Problem::later(error.to_string()),
        },
        NotPlaced::Order(error) => problem(error),
        NotPlaced::BrokeDown => Problem::later(error.to_string()),
    }
}

fn problem(error: PlaceError) -> Problem {
    match error {
        PlaceError::UnknownWorkflow(_) => Problem::at("/workflow", error.to_string()),
        PlaceError::OtherContent(_) | PlaceError::Foreign(_) => Problem::conflict(error.to_string()),
        PlaceError::Refused(refusal) => Problem::at("", refusal.to_string()),
        PlaceError::TooLarge(_) => Problem::too_large(error.to_string()),
        PlaceError::Incomplete(_) => Problem::gone(error.to_string()),
        // A conflict would tell a client that its own order, whose answer it missed, was not taken.
        PlaceError::Unreadable(..) | PlaceError::NoDriver(_) | PlaceError::NoAddress { .. } => {
            Problem::later(error.to_string())
        }
        PlaceError::Failed(ref reason) => {
            warn!(reason, "an order could not be taken");
            Problem::later(format!("the order could not be recorded: {reason}; send the same request again"))
        }
    }
}

pub(super) fn described() -> Operation {
    let examples = [("everything", example_of_everything()), ("least", example_of_the_least())];
    let location = json!({
        "required": true,
        "description": "The address of the order's status.",
        "schema": { "type": "string", "format": "uri-reference" },
        "example": format!("/orders/{}?position=4", example::ORDER),
    });
    let accepted = json!({
        "description": "The order is in the log, and Tenuto brings it to its end.",
        "headers": { "Location": location },
        "content": { "application/json": { "schema": schema_ref("Receipt"), "example": example::receipt(1, 4) } },
        "links": { "status": { "operationId": "getOrder", "parameters": { "id": "$response.body#/orderId" } } },
    });
    let taken = example::order(example::ORDER).map(|id| problem(PlaceError::OtherContent(id)));
    let key = |refused| not_placed(NotPlaced::Key(refused));
    Operation::post(PATH, "placeOrder", "orders", "Place an order")
        .description(
            "The order follows the newest version of its workflow. The same request again gets the same answer and has no \
             further effect. Requests are the same if they have the same `orderId`; without an `orderId`, the same \
             `Idempotency-Key`. Without both, each request is another order.",
        )
        .parameter(parameter_ref("IdempotencyKey"))
        .parameter(parameter_ref("Traceparent"))
        .body(described_body("NewOrder", &json_limits(), examples))
        .answer_with(202, accepted)
        .refusal(
            "The `orderId` belongs to an order with other content, or a request with this `Idempotency-Key` is still \
             running.",
            [
                ("otherContent", taken.unwrap_or_else(|| Problem::conflict(""))),
                ("stillRunning", key(KeyRefused::Running)),
            ],
        )
        .refusal(
            "The order is wrong (`errors` names up to 100 places, and counts the rest), the workflow does not exist, or \
             the `Idempotency-Key` was used with other content.",
            [
                ("wrong", Problem::invalid(example_of_violations())),
                ("unknownWorkflow", problem(PlaceError::UnknownWorkflow("order-fulfillment".to_owned()))),
                ("keyUsedBefore", key(KeyRefused::OtherContent)),
            ],
        )
        .refusal("The record of this `Idempotency-Key` cannot be read. The order was not placed.", [(
            "unreadable",
            key(KeyRefused::Unreadable),
        )])
        .shared(Shared::OF_A_BODY).shared([Shared::HistoryIncomplete])
}

fn example_of_violations() -> Vec<Violation> {
    let order = json!({
        "workflow": "order-fulfilment", "customer": { "id": "VINET" }, "currency": "EUR",
        "lines": [{ "sku": "11", "quantity": 0, "unitPrice": 9.8 }],
    });
    check(&order).err().unwrap_or_default()
}

/// An order with every field.
fn example_of_everything() -> Value {
    json!({
        "orderId": example::ORDER,
        "workflow": "order-fulfilment",
        "customer": { "id": "VINET", "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": [
            { "sku": "11", "name": "Queso Cabrales", "quantity": 12, "unitPrice": "14.00" },
            { "sku": "42", "name": "Singaporean Hokkien Fried Mee", "quantity": 10, "unitPrice": "9.80" },
        ],
        "shipTo": {
            "name": "Vins et alcools Chevalier",
            "street": "59 rue de l'Abbaye",
            "city": "Reims",
            "region": "Grand Est",
            "postalCode": "51100",
            "country": "France",
        },
        "attributes": { "gift": true, "channel": { "name": "web", "campaign": null } },
    })
}

/// An order with only the required fields.
fn example_of_the_least() -> Value {
    json!({
        "workflow": "order-fulfilment-without-backorder",
        "customer": { "id": "TOMSP" },
        "currency": "JPY",
        "lines": [{ "sku": "14", "quantity": 9, "unitPrice": "2350" }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_is_kept() {
        let read = |text: &str| {
            traceparent(&HeaderMap::from_iter([("traceparent".parse().unwrap(), text.parse().unwrap())])).is_some()
        };
        assert!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!read("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
        assert!(!read("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!read("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
        assert!(!read("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
        assert!(!read("00-4bf92f-00f067aa0ba902b7-01"));
    }
}

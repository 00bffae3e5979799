//! `GET /circuits`: the circuits of this instance to participants over HTTP.

use axum::Json;
use axum::extract::State;

use serde_json::json;

use super::endpoint::Handle;
use super::openapi::{Operation, schema_ref};
use crate::clock::Clock;
use crate::log::Log;
use crate::participants::ServiceState;

pub(super) const PATH: &str = "/circuits";

pub(super) async fn handle<L: Log, C: Clock>(State(endpoint): State<Handle<L, C>>) -> Json<Vec<ServiceState>> {
    Json(endpoint.orchestrator.participants().http().states())
}

pub(super) fn described() -> Operation {
    let content = json!({ "application/json": { "schema": { "type": "array", "items": schema_ref("Circuit") } } });
    Operation::get(PATH, "listCircuits", "service", "The circuits of this instance to participants over HTTP")
        .description(
            "After ten attempts in a row without an answer, or with a 5xx, the circuit to a participant opens: attempts \
             wait, within their deadlines, and one at a time tests whether the participant answers again. A mistake of \
             the deployment (an expired API key, a wrong path) opens the circuit to its action at once. Attempts that \
             this circuit holds back count as failed by the mistake: their steps wait for an operator, and no order is \
             undone.",
        )
        .answer_with(200, json!({
            "description": "One entry for each participant that was called since the instance started.",
            "content": content,
        }))
}

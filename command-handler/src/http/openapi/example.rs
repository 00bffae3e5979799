//! Values that several examples show.

use domain::ids::OrderId;
use domain::order::Refusal;
use event_store::Position;
use http_problem::Problem;
use serde::Serialize;
use serde_json::Value;

use crate::http::receipt::Receipt;
use crate::http::refused::problem;
use crate::orchestrator::{Accepted, CommandError};

/// The order of the examples.
pub(in crate::http) const ORDER: &str = "10248";

/// The answer to a command about the order of the examples.
pub(in crate::http) fn receipt(revision: u64, position: u64) -> Value {
    value(&accepted(revision, position).as_ref().map(Receipt::from))
}

/// A command about the order of the examples that was taken.
pub(in crate::http) fn accepted(revision: u64, position: u64) -> Option<Accepted> {
    let position = Position { commit: position, prepare: position };
    order(ORDER).map(|order_id| Accepted { order_id, revision, position, request: None })
}

pub(in crate::http) fn no_such_order() -> Problem {
    let unknown = order("10000").map(CommandError::UnknownOrder);
    unknown.map_or_else(|| Problem::not_found(""), |unknown| problem(unknown, ""))
}

pub(in crate::http) fn no_such_step() -> Problem {
    let (workflow, step) = ("order-fulfilment".to_owned(), "sip".to_owned());
    problem(CommandError::Refused(Refusal::UnknownStep { workflow, step }), "")
}

pub(in crate::http) fn order(id: &str) -> Option<OrderId> {
    OrderId::new(id).ok()
}

/// As JSON.
pub(in crate::http) fn value(example: &impl Serialize) -> Value {
    serde_json::to_value(example).unwrap_or_default()
}

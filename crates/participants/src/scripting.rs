//! Scripts faults over HTTP: `POST /faults` adds a list of them, `GET /faults` lists the remaining
//! ones, `DELETE /faults` ends them all.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use http_problem::Problem;

use crate::contract::{json_body, whole_body};
use crate::faults::{Fault, Faults};
use crate::notifications::Notifications;
use crate::orders::Orders;
use crate::participant::Participant;
use crate::payments::Payments;
use crate::problem::invalid;
use crate::shipping::Shipping;

/// The longest delay, in milliseconds.
const DELAY_MS_MAX: u64 = 10 * 60 * 1000;

pub(crate) fn routes(faults: Faults) -> Router {
    Router::new().route("/faults", get(show).post(script).delete(end)).with_state(faults)
}

async fn show(State(faults): State<Faults>) -> Json<Vec<Fault>> {
    Json(faults.list())
}

async fn script(
    State(faults): State<Faults>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<Fault>>, Problem> {
    let scripted: Vec<Fault> = json_body(&headers, &whole_body(body)?)?;
    scripted.iter().enumerate().try_for_each(|(index, fault)| check(fault, index))?;
    faults.add(scripted)?;
    Ok(Json(faults.list()))
}

async fn end(State(faults): State<Faults>) -> StatusCode {
    faults.clear();
    StatusCode::NO_CONTENT
}

/// Whether a fault can be scripted: its action exists, and it names one effect.
fn check(fault: &Fault, index: usize) -> Result<(), Problem> {
    let wrong = |field: &str, detail: &str| Err(invalid(format!("/{index}/{field}"), detail));
    let Some(actions) = actions_of(&fault.participant) else {
        return wrong("participant", "must be orders, payments, shipping or notifications");
    };
    if !actions.contains(&fault.action.as_str()) {
        return wrong("action", "is not an action of this participant");
    }
    if fault.respond.as_ref().is_some_and(|respond| !(400..=599).contains(&respond.status)) {
        return wrong("respond/status", "must be 400 to 599");
    }
    if fault.delay_ms.is_some_and(|delay_ms| delay_ms > DELAY_MS_MAX) {
        return wrong("delayMs", "must be at most ten minutes");
    }
    if fault.times == Some(0) || fault.for_ms == Some(0) {
        return wrong("times", "must be at least 1");
    }
    if fault.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1.0)) {
        return wrong("rate", "must be above 0 and at most 1");
    }
    match [fault.respond.is_some(), fault.lose_answer, fault.crash.is_some()].into_iter().filter(|set| *set).count() {
        0 if fault.delay_ms.is_none() => wrong("", "names no effect: give respond, delayMs, loseAnswer or crash"),
        0 | 1 => Ok(()),
        _ => wrong("", "only one of respond, loseAnswer and crash can happen"),
    }
}

fn actions_of(participant: &str) -> Option<&'static [&'static str]> {
    match participant {
        Orders::NAME => Some(Orders::ACTIONS),
        Payments::NAME => Some(Payments::ACTIONS),
        Shipping::NAME => Some(Shipping::ACTIONS),
        Notifications::NAME => Some(Notifications::ACTIONS),
        _ => None,
    }
}

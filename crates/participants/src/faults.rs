//! Scripted faults, to try what happens when a participant fails. They are kept in memory and end
//! with the process.
//!
//! `POST /faults` adds a list of them, `GET /faults` lists the remaining ones, `DELETE /faults`
//! ends them all. A fault names its action, what happens (a delay, an answer instead of the effect,
//! the effect without its answer, a broken connection before or after the effect), and how long: a
//! number of calls, a time, or a share of the calls.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http_problem::Problem;
use serde::{Deserialize, Serialize};

use crate::contract::{json_body, whole_body};
use crate::notifications::Notifications;
use crate::orders::Orders;
use crate::participant::Participant;
use crate::payments::Payments;
use crate::problem::invalid;
use crate::shipping::Shipping;

/// The limit for scripted faults.
const FAULTS_MAX: usize = 100;
/// The longest delay, in milliseconds.
const DELAY_MS_MAX: u64 = 10 * 60 * 1000;

/// One scripted fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fault {
    participant: String,
    action: String,
    /// The answer, without the effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    respond: Option<Respond>,
    /// A delay before the call. Without another fault, the call then succeeds late.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    /// The effect happens, but the answer is 503.
    #[serde(default, skip_serializing_if = "is_false")]
    lose_answer: bool,
    /// The connection breaks without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    crash: Option<Crash>,
    /// The number of calls that it affects.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    /// How long it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    for_ms: Option<u64>,
    /// The share of calls that it affects, evenly spread: 0.25 affects each fourth call.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Respond {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Crash {
    Before,
    After,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Fault {
    fn check(&self, index: usize) -> Result<(), Problem> {
        let wrong = |field: &str, detail: &str| Err(invalid(format!("/{index}/{field}"), detail));
        let Some(actions) = actions_of(&self.participant) else {
            return wrong("participant", "must be orders, payments, shipping or notifications");
        };
        if !actions.contains(&self.action.as_str()) {
            return wrong("action", "is not an action of this participant");
        }
        if self.respond.as_ref().is_some_and(|respond| !(400..=599).contains(&respond.status)) {
            return wrong("respond/status", "must be 400 to 599");
        }
        if self.delay_ms.is_some_and(|delay_ms| delay_ms > DELAY_MS_MAX) {
            return wrong("delayMs", "must be at most ten minutes");
        }
        if self.times == Some(0) || self.for_ms == Some(0) {
            return wrong("times", "must be at least 1");
        }
        if self.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1.0)) {
            return wrong("rate", "must be above 0 and at most 1");
        }
        match [self.respond.is_some(), self.lose_answer, self.crash.is_some()].into_iter().filter(|set| *set).count() {
            0 if self.delay_ms.is_none() => wrong("", "names no effect: give respond, delayMs, loseAnswer or crash"),
            0 | 1 => Ok(()),
            _ => wrong("", "only one of respond, loseAnswer and crash can happen"),
        }
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

/// An active fault.
#[derive(Debug)]
struct Armed {
    /// The scripted fault; `times` counts down.
    fault: Fault,
    since: Instant,
    /// The accumulated share of a call.
    due: f64,
}

impl Armed {
    fn new(fault: Fault) -> Self {
        Self { fault, since: Instant::now(), due: 0.0 }
    }

    fn is_over(&self) -> bool {
        let elapsed = self.fault.for_ms.is_some_and(|for_ms| self.since.elapsed() >= Duration::from_millis(for_ms));
        elapsed || self.fault.times == Some(0)
    }

    /// Whether it affects this call.
    fn strikes(&mut self) -> bool {
        self.due += self.fault.rate.unwrap_or(1.0);
        if self.due < 1.0 {
            return false;
        }
        self.due -= 1.0;
        if let Some(times) = &mut self.fault.times {
            *times -= 1;
        }
        true
    }
}

/// The active faults, shared by all services.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Armed>>>);

impl Faults {
    fn in_force(&self) -> MutexGuard<'_, Vec<Armed>> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.retain(|armed| !armed.is_over());
        faults
    }

    fn add(&self, scripted: Vec<Fault>) -> Result<(), Problem> {
        let mut faults = self.in_force();
        if faults.len() + scripted.len() > FAULTS_MAX {
            return Err(invalid("", format!("there may be at most {FAULTS_MAX} faults at once")));
        }
        faults.extend(scripted.into_iter().map(Armed::new));
        Ok(())
    }

    fn list(&self) -> Vec<Fault> {
        self.in_force().iter().map(|armed| armed.fault.clone()).collect()
    }

    /// The first fault that affects this call, if any.
    pub(crate) fn strike(&self, participant: &str, action: &str) -> Strike {
        let mut faults = self.in_force();
        let mut aimed = faults.iter_mut().filter(|a| a.fault.participant == participant && a.fault.action == action);
        Strike(aimed.find_map(|armed| armed.strikes().then(|| armed.fault.clone())))
    }
}

/// What happens to one call.
pub(crate) struct Strike(Option<Fault>);

impl Strike {
    /// Before the effect: what happens instead of it, if anything.
    pub(crate) async fn instead(&self) -> Option<Mishap> {
        let fault = self.0.as_ref()?;
        if let Some(delay_ms) = fault.delay_ms {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        if fault.crash == Some(Crash::Before) {
            return Some(Mishap::Silence);
        }
        let Respond { status, detail } = fault.respond.as_ref()?;
        let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Some(Mishap::Answers(Problem::new(status, detail.as_deref().unwrap_or("a scripted fault"))))
    }

    /// After the effect: what replaces its answer, if that is lost.
    pub(crate) fn afterwards(&self) -> Option<Mishap> {
        let fault = self.0.as_ref()?;
        if fault.lose_answer {
            return Some(Mishap::Answers(Problem::later("a scripted fault lost the answer")));
        }
        (fault.crash == Some(Crash::After)).then_some(Mishap::Silence)
    }
}

/// What replaces an answer.
pub(crate) enum Mishap {
    Answers(Problem),
    /// Nothing: over HTTP, the connection breaks.
    Silence,
}

impl IntoResponse for Mishap {
    fn into_response(self) -> Response {
        match self {
            Self::Answers(problem) => problem.into_response(),
            Self::Silence => broken_connection(),
        }
    }
}

/// A body that fails at once: the server closes the connection before it writes anything.
fn broken_connection() -> Response {
    let nothing = futures::stream::once(async { Err::<Bytes, _>(io::Error::other("a scripted fault")) });
    Response::new(Body::from_stream(nothing))
}

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
    scripted.iter().enumerate().try_for_each(|(index, fault)| fault.check(index))?;
    faults.add(scripted)?;
    Ok(Json(faults.list()))
}

async fn end(State(faults): State<Faults>) -> StatusCode {
    faults.in_force().clear();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(fields: &serde_json::Value) -> Fault {
        let mut whole =
            serde_json::json!({ "participant": "payments", "action": "charge", "respond": { "status": 503 } });
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn a_fault_affects_the_scripted_number_of_calls_of_its_action() {
        let faults = Faults::default();
        faults.add(vec![fault(&serde_json::json!({ "times": 2 }))]).unwrap();
        assert!(faults.strike("payments", "refund").0.is_none());
        let struck: Vec<bool> = (0..4).map(|_| faults.strike("payments", "charge").0.is_some()).collect();
        assert_eq!(struck, [true, true, false, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_rate_is_spread_evenly() {
        let faults = Faults::default();
        faults.add(vec![fault(&serde_json::json!({ "rate": 0.25 }))]).unwrap();
        let struck = (0..100).filter(|_| faults.strike("payments", "charge").0.is_some()).count();
        assert_eq!(struck, 25);
    }
}

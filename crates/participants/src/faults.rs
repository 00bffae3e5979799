//! Scripted faults, to try what happens when a participant fails. They are kept in memory and end
//! with the process.
//!
//! A fault names its action, what happens (a delay, an answer instead of the effect, the effect
//! without its answer, a broken connection before or after the effect), and how long: a number of
//! calls, a time, or a share of the calls.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_problem::Problem;
use serde::{Deserialize, Serialize};

use crate::problem::invalid;

/// The limit for scripted faults.
const FAULTS_MAX: usize = 100;

/// One scripted fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) participant: String,
    pub(crate) action: String,
    /// The answer, without the effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) respond: Option<Respond>,
    /// A delay before the call. Without another fault, the call then succeeds late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay_ms: Option<u64>,
    /// The effect happens, but the answer is 503.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) lose_answer: bool,
    /// The connection breaks without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crash: Option<Crash>,
    /// The number of calls that it affects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
    /// How long it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) for_ms: Option<u64>,
    /// The share of calls that it affects, evenly spread: 0.25 affects each fourth call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Respond {
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Crash {
    Before,
    After,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
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

    pub(crate) fn add(&self, scripted: Vec<Fault>) -> Result<(), Problem> {
        let mut faults = self.in_force();
        if faults.len() + scripted.len() > FAULTS_MAX {
            return Err(invalid("", format!("there may be at most {FAULTS_MAX} faults at once")));
        }
        faults.extend(scripted.into_iter().map(Armed::new));
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.in_force().iter().map(|armed| armed.fault.clone()).collect()
    }

    pub(crate) fn clear(&self) {
        self.in_force().clear();
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
        Some(Mishap::Answers(Problem::scripted(status, detail.as_deref().unwrap_or("a scripted fault"))))
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

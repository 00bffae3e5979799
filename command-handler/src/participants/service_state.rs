//! How a service that is called over HTTP stands: what operators and metrics see of its circuits.

use std::time::Duration;

use serde::Serialize;

use super::breaker::{CLOSED, Reading};

/// No answer, or a 5xx.
const UNCLEAR: &str = "unclear";
/// A mistake of the deployment, which an operator must correct.
const MISCONFIGURED: &str = "misconfigured";
/// Why a circuit is not closed.
pub(crate) const CIRCUIT_CAUSES: [&str; 2] = [UNCLEAR, MISCONFIGURED];

/// How a service that is called over HTTP stands with this instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceState {
    /// What workflows call it.
    pub(super) participants: Vec<String>,
    /// `closed`, `open` or `half-open`; where only some of its actions are held back, as these
    /// stand.
    pub(super) circuit: &'static str,
    /// Why it is not closed: `unclear` (no answer, or a 5xx) or `misconfigured` (a mistake that a
    /// person has to mend).
    pub(super) cause: Option<&'static str>,
    /// Calls under way.
    pub(super) calls_in_flight: usize,
    /// Attempts that wait for the circuit to close.
    pub(super) attempts_waiting: usize,
    /// Unclear answers since the last clear one.
    pub(super) failures_in_a_row: u32,
    /// The last of them.
    pub(super) last_error: Option<String>,
    /// How long until the next attempt is let through, where the circuit is open.
    pub(super) tried_again_in_ms: Option<u64>,
    /// The actions that are held back by a mistake.
    pub(super) actions: Vec<ActionState>,
}

/// How an action that failed by a mistake stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionState {
    /// Its name.
    pub(super) action: String,
    /// `open` or `half-open`.
    pub(super) circuit: &'static str,
    /// Attempts that wait for it to close.
    pub(super) attempts_waiting: usize,
    /// The mistake.
    pub(super) last_error: Option<String>,
    /// How long until the next attempt is let through, where it is open.
    pub(super) tried_again_in_ms: Option<u64>,
}

impl ServiceState {
    /// Of a service with these calls under way. `mistakes` are the circuits to its actions.
    pub(super) fn of(
        participants: Vec<String>,
        calls_in_flight: usize,
        reading: Reading,
        mistakes: Vec<(String, Reading)>,
    ) -> Self {
        let Reading { circuit, waiting, failures, last_error, tried_again_in } = reading;
        let held_back = mistakes.into_iter().filter(|(_, reading)| reading.circuit != CLOSED).map(ActionState::of);
        let mut state = Self {
            participants,
            circuit,
            cause: (circuit != CLOSED).then_some(UNCLEAR),
            calls_in_flight,
            attempts_waiting: waiting,
            failures_in_a_row: failures,
            last_error,
            tried_again_in_ms: tried_again_in.map(milliseconds),
            actions: held_back.collect(),
        };
        state.attempts_waiting += state.actions.iter().map(|action| action.attempts_waiting).sum::<usize>();
        if let (CLOSED, Some(action)) = (state.circuit, state.actions.first()) {
            state.circuit = action.circuit;
            state.cause = Some(MISCONFIGURED);
            state.last_error.clone_from(&action.last_error);
            state.tried_again_in_ms = action.tried_again_in_ms;
        }
        state
    }
}

impl ActionState {
    fn of((action, reading): (String, Reading)) -> Self {
        let Reading { circuit, waiting, last_error, tried_again_in, .. } = reading;
        let tried_again_in_ms = tried_again_in.map(milliseconds);
        Self { action, circuit, attempts_waiting: waiting, last_error, tried_again_in_ms }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! Time has passed: retries are due, answers are overdue, attempts are lost.

use serde_json::Value;

use super::answer::{completed, failed};
use super::attempt::started;
use super::{DecideError, Decision};
use crate::order::command::Now;
use crate::order::event::{Basis, Direction, Event, Mode, StepAttemptFailed};
use crate::order::failure::{lost as lost_error, no_answer, nothing_followed};
use crate::order::pending::GRACE;
use crate::order::state::{OrderState, Phase, Stage, StepState};
use crate::workflow::{Step, Workflow};

/// After so many attempts, a lost one is not repeated: what stops the instance that makes it does so each time.
pub(super) const MOST_ATTEMPTS: u32 = 10_000;
/// The outcome of a wait that is over.
const ELAPSED: &str = "elapsed";

pub(super) fn tick(workflow: &Workflow, state: &OrderState, now: Now) -> Result<Decision, DecideError> {
    let mut decision = Decision::about(state, now.at);
    // Time stands still for an order that is held.
    if state.paused.is_some() {
        return Ok(decision);
    }
    for (id, known) in &state.steps {
        if let Stage::Awaiting { direction, deadline } = known.stage
            && deadline <= now.at
        {
            decision.record(overdue(workflow.known_step(id)?, known, direction, &decision))?;
        }
    }
    // An order that has just failed tries nothing again.
    let failing = decision.events.iter().any(|event| matches!(event, Event::StepFailed(_)));
    for (id, known) in &state.steps {
        let step = workflow.known_step(id)?;
        match known.stage {
            Stage::InFlight { direction, attempt, deadline } if deadline + GRACE <= now.at => {
                lost(workflow, step, direction, attempt, failing, &mut decision)?;
            }
            Stage::BackingOff { direction, attempt, until } if until <= now.at && !failing => {
                again(workflow, step, direction, attempt, &mut decision)?;
            }
            _ => {}
        }
    }
    Ok(decision)
}

/// A wait has come to its end: as planned, with the answer that is assumed then, or in vain.
fn overdue(step: &Step, known: &StepState, direction: Direction, decision: &Decision) -> Event {
    let assumed = match (direction, step.mode) {
        (Direction::Undo, _) => None,
        (Direction::Do, Mode::Wait) => Some(ELAPSED),
        (Direction::Do, Mode::Call | Mode::Request | Mode::Await) => step.on_timeout.as_deref(),
    };
    match (assumed, &known.outcome) {
        (Some(outcome), _) => completed(step, direction, outcome, &Value::Null, Basis::Deadline, None, decision),
        (None, Some(outcome)) if direction == Direction::Do => {
            failed(step, direction, nothing_followed(outcome), true, decision)
        }
        (None, _) => failed(step, direction, no_answer(), step.action.is_some(), decision),
    }
}

/// Nobody recorded what came of the attempt: whoever made it is gone. It is made again, and does not count as a failure.
fn lost(
    workflow: &Workflow,
    step: &Step,
    direction: Direction,
    attempt: u32,
    failing: bool,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    match given_up(step, direction, attempt, lost_error(), failing, decision)? {
        Next::Again => again(workflow, step, direction, attempt, decision),
        Next::Nothing => Ok(()),
    }
}

/// What follows an attempt that nobody will hear the answer to.
pub(super) enum Next {
    /// It is made again.
    Again,
    /// The step has failed: its order is being undone, and tries nothing forward any more; or it was tried often enough.
    Nothing,
}

/// Records that nobody will hear the answer to this attempt. That is not the participant's failure, and does not count as one.
pub(super) fn given_up(
    step: &Step,
    direction: Direction,
    attempt: u32,
    error: String,
    failing: bool,
    decision: &mut Decision,
) -> Result<Next, DecideError> {
    let in_vain = direction == Direction::Do && (failing || decision.state.phase == Phase::Undoing);
    if in_vain || attempt >= MOST_ATTEMPTS {
        decision.record(failed(step, direction, error, true, decision))?;
        return Ok(Next::Nothing);
    }
    decision.record(Event::StepAttemptFailed(StepAttemptFailed {
        step: step.id.clone(),
        direction,
        attempt,
        error,
        lost: true,
        unsent: false,
        misconfigured: false,
        maybe_done: false,
        retry_at: decision.at,
        at: decision.at,
    }))?;
    Ok(Next::Again)
}

/// The attempt after this one.
pub(super) fn again(
    workflow: &Workflow,
    step: &Step,
    direction: Direction,
    attempt: u32,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    if let Some(event) = started(workflow, step, direction, attempt.saturating_add(1), None, decision) {
        decision.record(event)?;
    }
    Ok(())
}

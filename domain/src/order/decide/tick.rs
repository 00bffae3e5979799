//! Time has passed: retries are due, answers are overdue, attempts are lost.

use serde_json::Value;

use super::answer::{completed, failed};
use super::attempt::started;
use super::decision::{DecideError, Decision};
use crate::order::command::Now;
use crate::order::event::{Basis, Direction, Event, Mode, RequestSettled, Settlement, StepAttemptFailed};
use crate::order::failure::{lost as lost_error, no_answer, nothing_followed};
use crate::order::pending::GRACE;
use crate::order::state::{Order, Phase, Stage, StepState};
use crate::workflow::{Step, Workflow};

/// After this many attempts, a lost one is not repeated: probably the attempt itself stops each
/// instance that makes it.
pub(super) const MAX_ATTEMPTS: u32 = 10_000;
/// The outcome of a wait that has ended.
const ELAPSED: &str = "elapsed";

pub(super) fn tick(workflow: &Workflow, state: &Order, now: Now, decision: &mut Decision) -> Result<(), DecideError> {
    expire_requests(state, now, decision)?;
    // The clock of a paused order stands still.
    if state.paused.is_some() {
        return Ok(());
    }
    for (id, known) in &state.steps {
        if let Stage::Awaiting { direction, deadline } = known.stage
            && deadline <= now.at
        {
            decision.follow(overdue(workflow.known_step(id)?, known, direction, decision))?;
        }
    }
    // An order that has just failed tries nothing again.
    let failing = decision.events.iter().any(|event| matches!(event, Event::StepFailed(_)));
    for (id, known) in &state.steps {
        let step = workflow.known_step(id)?;
        match known.stage {
            Stage::InFlight { direction, attempt, deadline } if deadline + GRACE <= now.at => {
                lost(workflow, step, direction, attempt, failing, decision)?;
            }
            Stage::BackingOff { direction, attempt, until }
                if until <= now.at && !failing && state.phase.starts(direction) =>
            {
                next_attempt(workflow, step, direction, attempt, decision)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Requests that were not approved in time.
fn expire_requests(state: &Order, now: Now, decision: &mut Decision) -> Result<(), DecideError> {
    for open in state.requests.values().filter(|open| open.expires_at <= now.at) {
        let (request, how) = (open.request, Settlement::Expired);
        decision.record(Event::RequestSettled(RequestSettled { request, how, at: decision.at }))?;
    }
    Ok(())
}

/// A deadline has passed: the step is completed with the assumed outcome, or has failed.
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

/// The result of the attempt is not recorded: its instance is gone. The attempt is made again, and
/// does not count as a failure.
fn lost(
    workflow: &Workflow,
    step: &Step,
    direction: Direction,
    attempt: u32,
    failing: bool,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let given_up = given_up(step, direction, attempt, lost_error(), failing, decision);
    let is_made_again = matches!(given_up, Event::StepAttemptFailed(_));
    decision.follow(given_up)?;
    if is_made_again { next_attempt(workflow, step, direction, attempt, decision) } else { Ok(()) }
}

/// The answer to this attempt is lost. That is not a failure of the participant: the attempt is
/// made again. The step fails if its order is being undone, or if it has reached the limit of
/// attempts.
pub(super) fn given_up(
    step: &Step,
    direction: Direction,
    attempt: u32,
    error: String,
    failing: bool,
    decision: &Decision,
) -> Event {
    let forward_while_undoing = direction == Direction::Do && (failing || decision.state.phase == Phase::Undoing);
    if forward_while_undoing || attempt >= MAX_ATTEMPTS {
        return failed(step, direction, error, true, decision);
    }
    Event::StepAttemptFailed(StepAttemptFailed {
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
    })
}

/// Starts the next attempt.
pub(super) fn next_attempt(
    workflow: &Workflow,
    step: &Step,
    direction: Direction,
    attempt: u32,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    if let Some(event) = started(workflow, step, direction, attempt.saturating_add(1), None, decision) {
        decision.follow(event)?;
    }
    Ok(())
}

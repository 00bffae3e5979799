//! Time has passed: retries are due, answers are overdue, attempts are lost.

use super::answer::failed;
use super::attempt::started;
use super::{DecideError, Decision};
use crate::order::command::Now;
use crate::order::event::{Direction, Event, StepAttemptFailed};
use crate::order::pending::GRACE;
use crate::order::state::{OrderState, Phase, Stage};
use crate::workflow::{Step, Workflow};

pub(super) fn tick(workflow: &Workflow, state: &OrderState, now: Now) -> Result<Decision, DecideError> {
    let mut decision = Decision::about(state, now.at);
    for (id, known) in &state.steps {
        if matches!(known.stage, Stage::Awaiting { deadline } if deadline <= now.at) {
            let error = match &known.outcome {
                Some(outcome) => format!("nothing followed {outcome:?} in time"),
                None => "no answer in time".to_owned(),
            };
            decision.record(failed(workflow.known_step(id)?, Direction::Do, error, true, &decision))?;
        }
    }
    // An order that has just failed tries nothing again.
    let failing = !decision.events.is_empty();
    for (id, known) in &state.steps {
        let step = workflow.known_step(id)?;
        match known.stage {
            Stage::InFlight { direction, attempt, deadline } if deadline + GRACE <= now.at => {
                lost(step, direction, attempt, failing, &mut decision)?;
            }
            Stage::BackingOff { direction, attempt, until } if until <= now.at && !failing => {
                again(step, direction, attempt, &mut decision)?;
            }
            _ => {}
        }
    }
    Ok(decision)
}

/// Nobody recorded what came of the attempt: whoever made it is gone. It is made again, and does not count as a failure.
fn lost(
    step: &Step,
    direction: Direction,
    attempt: u32,
    failing: bool,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let error = "no answer was recorded: whoever made this attempt has gone".to_owned();
    if direction == Direction::Do && (failing || decision.state.phase == Phase::Undoing) {
        decision.record(failed(step, direction, error, true, decision))?;
        return Ok(());
    }
    decision.record(Event::StepAttemptFailed(StepAttemptFailed {
        step: step.id.clone(),
        direction,
        attempt,
        error,
        lost: true,
        retry_at: decision.at,
        at: decision.at,
    }))?;
    again(step, direction, attempt, decision)
}

fn again(step: &Step, direction: Direction, attempt: u32, decision: &mut Decision) -> Result<(), DecideError> {
    if let Some(event) = started(step, direction, attempt.saturating_add(1), None, decision) {
        decision.record(event)?;
    }
    Ok(())
}

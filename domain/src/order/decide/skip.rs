//! An operator assumes a step's answer. The order no longer waits for it or requests it.

use serde_json::Value;

use super::answer::completed;
use super::decision::{DecideError, Decision};
use super::definition::DONE;
use super::retry::step_not_now;
use super::signal::unknown_outcome;
use crate::ids::StepId;
use crate::order::command::Operate;
use crate::order::event::{Basis, Direction};
use crate::order::state::{Order, Stage};
use crate::workflow::Workflow;

/// The step counts as answered. The participant may have acted, so compensation undoes the step.
pub(super) fn skip(
    workflow: &Workflow,
    state: &Order,
    operate: &Operate,
    id: &StepId,
    (outcome, data): (Option<&str>, &Value),
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let step = workflow.known_step(id)?;
    let direction = direction_of(workflow, state, id)
        // An operator who names an outcome means the forward step, and must not skip an undo that
        // has begun.
        .filter(|direction| *direction == Direction::Do || outcome.is_none())
        .ok_or_else(|| step_not_now(operate.operation.as_str(), state, id))?;
    let outcome = outcome.unwrap_or(DONE);
    if direction == Direction::Do && !step.knows(outcome) {
        return Err(unknown_outcome(step, outcome).into());
    }
    let event = completed(step, direction, outcome, data, Basis::Assumption, None, decision);
    decision.record(event)?;
    Ok(())
}

/// The direction to skip: a step that has begun and not ended, or at which the order is stuck.
fn direction_of(workflow: &Workflow, state: &Order, id: &str) -> Option<Direction> {
    match state.steps.get(id)?.stage {
        Stage::InFlight { direction, .. } | Stage::BackingOff { direction, .. } | Stage::Awaiting { direction, .. } => {
            Some(direction)
        }
        Stage::UndoFailed => Some(Direction::Undo),
        Stage::Held { .. } => Some(Direction::Do),
        Stage::Failed { .. } => workflow.is_after_compensation(id).then_some(Direction::Do),
        Stage::Completed | Stage::Skipped | Stage::Undone => None,
    }
}

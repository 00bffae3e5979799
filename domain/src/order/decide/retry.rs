//! An operator retries now: steps that wait for their next attempt, or at which the order is stuck.

use super::begin::begin_if_ready;
use super::decision::{DecideError, Decision};
use super::tick::{MAX_ATTEMPTS, next_attempt};
use crate::ids::StepId;
use crate::order::command::{Operate, Refusal};
use crate::order::event::Direction;
use crate::order::state::{Order, Stage, State, StepState};
use crate::workflow::Workflow;

pub(super) fn retry(
    workflow: &Workflow,
    state: &Order,
    operate: &Operate,
    wanted: Option<&StepId>,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let operation = operate.operation.as_str();
    if state.paused.is_some() {
        return Err(Refusal::NotNow { operation, state: State::Paused }.into());
    }
    if let Some(id) = wanted {
        let known = state.steps.get(&workflow.known_step(id)?.id);
        if known.and_then(|known| can_be_tried(workflow, state, id, known)).is_none() {
            let refusal = never_asked(workflow, state, Some(id)).unwrap_or_else(|| step_not_now(operation, state, id));
            return Err(refusal.into());
        }
    }
    let mut steps = state.to_retry.clone();
    for (id, known) in state.steps.iter().filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id)) {
        let Some((_, attempts)) = can_be_tried(workflow, state, id, known) else { continue };
        if attempts >= MAX_ATTEMPTS {
            return Err(Refusal::TooManyAttempts { step: id.clone(), count: attempts }.into());
        }
        steps.insert(id.clone());
    }
    decision.request_retries(steps);
    retry_requested_steps(workflow, decision)?;
    if decision.events.is_empty() {
        let refusal = never_asked(workflow, state, None);
        return Err(refusal.unwrap_or_else(|| Refusal::NothingToRetry { state: state.state() }).into());
    }
    Ok(())
}

/// Retries the requested steps, as far as there is room. The split event names the others, and the
/// next decision retries them: no command names them again.
pub(super) fn retry_requested_steps(workflow: &Workflow, decision: &mut Decision) -> Result<(), DecideError> {
    for id in decision.to_retry.clone() {
        let Some(known) = decision.state.steps.get(&id) else { continue };
        let Some((direction, attempts)) = can_be_tried(workflow, &decision.state, &id, known) else { continue };
        let began = !known.was_held_before_it_began();
        decision.split_if_spent()?;
        if decision.starts_nothing_more() {
            return Ok(());
        }
        let step = workflow.known_step(&id)?;
        if began {
            next_attempt(workflow, step, direction, attempts, decision)?;
        } else {
            begin_if_ready(workflow, step, decision)?;
        }
    }
    Ok(())
}

/// The direction in which a step can be tried again, and the attempts so far.
fn can_be_tried(workflow: &Workflow, state: &Order, id: &str, known: &StepState) -> Option<(Direction, u32)> {
    let tried = match known.stage {
        Stage::BackingOff { direction, attempt, .. } => Some((direction, attempt)),
        Stage::UndoFailed => Some((Direction::Undo, known.undo_attempts)),
        Stage::Held { .. } => Some((Direction::Do, known.attempts)),
        // A failed forward step leads to compensation, so the order is stuck only at a step after
        // it. A step whose input had no value sent no request, and would have no value again.
        Stage::Failed { .. } if known.attempts > 0 && workflow.is_after_compensation(id) => {
            Some((Direction::Do, known.attempts))
        }
        Stage::InFlight { .. }
        | Stage::Awaiting { .. }
        | Stage::Completed
        | Stage::Skipped
        | Stage::Failed { .. }
        | Stage::Undone => None,
    };
    tried.filter(|(direction, _)| state.phase.starts(*direction))
}

/// Why the step at which the order is stuck cannot be tried again: no request was ever sent for it.
fn never_asked(workflow: &Workflow, state: &Order, wanted: Option<&StepId>) -> Option<Refusal> {
    let id = &state.stuck.as_ref()?.step;
    let known = state.steps.get(id)?;
    let fits = wanted.is_none_or(|wanted| wanted == id) && workflow.is_after_compensation(id);
    let failed = matches!(known.stage, Stage::Failed { .. });
    (fits && failed).then(|| Refusal::NeverAsked { step: id.clone(), state: state.state() })
}

pub(super) fn step_not_now(operation: &'static str, state: &Order, id: &str) -> Refusal {
    Refusal::StepNotNow { operation, step: id.to_owned(), status: state.status_of(id), state: state.state() }
}

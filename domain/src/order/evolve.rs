//! The fold: a state and the next fact give the next state. It is total: what does not fit is a [`Misfit`], never a panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::event::{Direction, Event, OrderPlaced, StepStarted};
use super::state::{Asked, OrderState, Phase, Stage, StepState, Stuck};
use crate::Timestamp;

/// An event that cannot follow the state it was applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow here: {because}")]
pub struct Misfit {
    /// The event's type.
    pub event: &'static str,
    /// Why not.
    pub because: String,
}

/// Folds one event into a state; no state: the order does not exist yet.
pub fn evolve(state: Option<OrderState>, event: &Event) -> Result<OrderState, Misfit> {
    let misfit = |because: String| Misfit { event: event.type_name(), because };
    let mut state = match (state, event) {
        (None, Event::OrderPlaced(placed)) => return Ok(placed_state(placed)),
        (None, _) => return Err(misfit("the order was never placed".into())),
        (Some(_), Event::OrderPlaced(_)) => return Err(misfit("the order is placed already".into())),
        (Some(state), _) if state.ended() => return Err(misfit("the order has ended".into())),
        (Some(state), _) => state,
    };
    let at = event.at();
    if let Some(id) = event.moved_step() {
        let known = state.steps.remove(id);
        let next = next_step(known, event).map_err(|because| misfit(format!("step {id:?} {because}")))?;
        if matches!(next.stage, Stage::Completed | Stage::Failed { maybe_done: true }) {
            state.settled.retain(|settled| settled != id);
            state.settled.push(id.clone());
        }
        state.steps.insert(id.clone(), next);
    }
    match event {
        Event::StatusChanged(e) => state.status.clone_from(&e.status),
        Event::CompensationStarted(e) => {
            state.phase = Phase::Undoing;
            state.undone_because = Some(e.because.clone());
        }
        Event::CompensationCompleted(_) => state.phase = Phase::Compensated,
        Event::OrderCompleted(e) => {
            state.phase = Phase::Completed;
            state.result = e.result.clone();
            state.ended_at = Some(at);
        }
        Event::OrderCanceled(_) => {
            state.phase = Phase::Canceled;
            state.ended_at = Some(at);
        }
        Event::OrderStuck(e) => {
            state.stuck = Some(Stuck { step: e.step.clone(), direction: e.direction, reason: e.reason.clone() });
        }
        Event::OrderPlaced(_)
        | Event::StepStarted(_)
        | Event::StepAccepted(_)
        | Event::StepCompleted(_)
        | Event::StepAttemptFailed(_)
        | Event::StepFailed(_)
        | Event::StepSkipped(_) => {}
    }
    state.updated_at = at;
    Ok(state)
}

fn placed_state(placed: &OrderPlaced) -> OrderState {
    OrderState {
        status: placed.status.clone(),
        phase: Phase::Forward,
        undone_because: None,
        stuck: None,
        steps: BTreeMap::new(),
        settled: Vec::new(),
        result: Value::Null,
        updated_at: placed.at,
        ended_at: None,
        placed: Arc::new(placed.clone()),
    }
}

impl StepState {
    fn at_rest(stage: Stage, at: Timestamp) -> Self {
        Self {
            stage,
            asked: None,
            input: Value::Null,
            attempts: 0,
            failures: 0,
            outcome: None,
            data: Value::Null,
            answer_keys: Vec::new(),
            last_error: None,
            started_at: at,
            ended_at: None,
        }
    }
}

/// The transition table of a step; the error says where it stood instead.
fn next_step(known: Option<StepState>, event: &Event) -> Result<StepState, String> {
    use Direction::{Do, Undo};
    let at = event.at();
    let Some(mut step) = known else {
        return match event {
            Event::StepStarted(e) if e.direction == Do && e.attempt == 1 => {
                Ok(start(StepState::at_rest(Stage::Skipped, at), e))
            }
            Event::StepSkipped(_) => Ok(StepState { ended_at: Some(at), ..StepState::at_rest(Stage::Skipped, at) }),
            Event::StepFailed(e) if e.direction == Do => Ok(StepState {
                last_error: Some(e.error.clone()),
                ended_at: Some(at),
                ..StepState::at_rest(Stage::Failed { maybe_done: false }, at)
            }),
            _ => Err("has not started".into()),
        };
    };
    match (step.stage, event) {
        (Stage::BackingOff { direction, attempt, .. }, Event::StepStarted(e))
            if e.direction == direction && e.attempt == attempt + 1 =>
        {
            Ok(start(step, e))
        }
        (Stage::Completed | Stage::Failed { .. }, Event::StepStarted(e)) if e.direction == Undo && e.attempt == 1 => {
            step.failures = 0;
            Ok(start(step, e))
        }
        (Stage::InFlight { direction: Do, .. }, Event::StepAccepted(e)) => {
            step.stage = Stage::Awaiting { deadline: e.deadline };
            Ok(step)
        }
        (
            Stage::InFlight { direction: Do, .. } | Stage::BackingOff { direction: Do, .. } | Stage::Awaiting { .. },
            Event::StepCompleted(e),
        ) if e.direction == Do => {
            step.outcome = Some(e.outcome.clone());
            step.data = e.data.clone();
            step.answer_keys.extend(e.answer_key.clone());
            step.ended_at = Some(at);
            step.stage = e.open_until.map_or(Stage::Completed, |deadline| Stage::Awaiting { deadline });
            Ok(step)
        }
        (Stage::InFlight { direction: Undo, .. }, Event::StepCompleted(e)) if e.direction == Undo => {
            step.stage = Stage::Undone;
            step.ended_at = Some(at);
            Ok(step)
        }
        (Stage::InFlight { direction, attempt, .. }, Event::StepAttemptFailed(e))
            if e.direction == direction && e.attempt == attempt =>
        {
            step.failures += u32::from(!e.lost);
            step.last_error = Some(e.error.clone());
            step.stage = Stage::BackingOff { direction, attempt, until: e.retry_at };
            Ok(step)
        }
        (
            Stage::InFlight { direction: Do, .. } | Stage::BackingOff { direction: Do, .. } | Stage::Awaiting { .. },
            Event::StepFailed(e),
        ) if e.direction == Do => Ok(fail(step, Stage::Failed { maybe_done: e.maybe_done }, &e.error, at)),
        (Stage::InFlight { direction: Undo, .. }, Event::StepFailed(e)) if e.direction == Undo => {
            Ok(fail(step, Stage::UndoFailed, &e.error, at))
        }
        (stage, _) => Err(format!("stands at {stage:?}")),
    }
}

fn start(mut step: StepState, e: &StepStarted) -> StepState {
    step.stage = Stage::InFlight { direction: e.direction, attempt: e.attempt, deadline: e.deadline };
    if let Some(input) = &e.input {
        step.input = input.clone();
    }
    if e.direction == Direction::Do {
        step.attempts = e.attempt;
        step.asked = Some(Asked { participant: e.participant.clone(), action: e.action.clone(), mode: e.mode });
    }
    step
}

fn fail(mut step: StepState, stage: Stage, error: &str, at: Timestamp) -> StepState {
    step.stage = stage;
    step.last_error = Some(error.to_owned());
    step.ended_at = Some(at);
    step
}

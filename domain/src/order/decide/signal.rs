//! Somebody answers later: a participant that was asked for something, or a person.

use super::answer::{completed, failed};
use super::{DecideError, Decision};
use crate::order::command::{LateRefusal, Refusal, Signal};
use crate::order::event::{Basis, Direction, Mode};
use crate::order::state::{OrderState, Stage, StepState};
use crate::workflow::{Step, Workflow};

/// The most answers for now that one step takes: they could go on for ever, and an order's history must not. The answer that settles
/// it is always taken.
const MOST_ANSWERS: usize = 100;

pub(super) fn signal(workflow: &Workflow, state: &OrderState, signal: &Signal) -> Result<Decision, DecideError> {
    let step = workflow.known_step(&signal.step)?;
    let mut decision = Decision::about(state, signal.now.at);
    let known = state.steps.get(&step.id);
    if known.is_some_and(|known| repeats(known, signal)) {
        return Ok(decision);
    }
    if signal.direction == Direction::Do && !step.knows(&signal.outcome) {
        return Err(unknown_outcome(step, &signal.outcome).into());
    }
    let waiting = waiting(step, state, signal.direction)?;
    let for_now = signal.direction == Direction::Do && step.interim.contains_key(&signal.outcome);
    if for_now && waiting.answer_keys.len() >= MOST_ANSWERS {
        return Err(Refusal::TooManyAnswers { step: step.id.clone(), count: MOST_ANSWERS }.into());
    }
    // Every answer is counted by its key, so one without a key gets the next number for one.
    let key = signal.key.clone().unwrap_or_else(|| format!("answer-{}", waiting.answer_keys.len() + 1));
    let Signal { direction, outcome, data, .. } = signal;
    let event = completed(step, *direction, outcome, data, Basis::Answer, Some(&key), &decision);
    decision.record(event)?;
    Ok(decision)
}

/// A participant that accepted a request says later that it will not do it.
pub(super) fn refusal(workflow: &Workflow, state: &OrderState, late: &LateRefusal) -> Result<Decision, DecideError> {
    let step = workflow.known_step(&late.step)?;
    let mut decision = Decision::about(state, late.now.at);
    // Said again, or too late: an order that has come by its end of the step needs it no more.
    if state.steps.get(&step.id).is_some_and(|known| !known.stage.is_open()) {
        return Ok(decision);
    }
    // Said of an earlier request, after which an operator has asked anew.
    let is_old = |known| late.request.is_some_and(|id| !state.is_asked_under(id, &step.id, known, late.direction));
    if state.steps.get(&step.id).is_some_and(is_old) {
        return Ok(decision);
    }
    waiting(step, state, late.direction)?;
    decision.record(failed(step, late.direction, late.error.clone(), false, &decision))?;
    Ok(decision)
}

pub(super) fn unknown_outcome(step: &Step, outcome: &str) -> Refusal {
    Refusal::UnknownOutcome { step: step.id.clone(), outcome: outcome.to_owned(), known: step.outcomes.clone() }
}

/// The step, if it is one that is answered later, and its answer is still to come.
fn waiting<'s>(step: &Step, state: &'s OrderState, direction: Direction) -> Result<&'s StepState, Refusal> {
    let answered_later = match direction {
        Direction::Do => matches!(step.mode, Mode::Request | Mode::Await),
        Direction::Undo => step.undo.is_some(),
    };
    let known = state.steps.get(&step.id);
    // The answer may overtake the acceptance of the request, or follow an attempt whose acceptance got lost.
    known
        .filter(|known| answered_later && known.stage.is_open_in(direction) && !state.ended())
        .ok_or_else(|| Refusal::NotWaiting { step: step.id.clone(), state: state.state() })
}

/// Under the same key it is the same answer. Without a key, the same content as the last answer is taken for it.
fn repeats(known: &StepState, signal: &Signal) -> bool {
    match (&signal.key, signal.direction) {
        (Some(key), _) => known.answer_keys.contains(key),
        (None, Direction::Do) => known.outcome.as_ref() == Some(&signal.outcome) && known.data == signal.data,
        (None, Direction::Undo) => known.stage == Stage::Undone,
    }
}

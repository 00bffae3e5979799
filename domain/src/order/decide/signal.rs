//! A participant answers later.

use super::answer::completed;
use super::{DecideError, Decision};
use crate::order::command::{Refusal, Signal};
use crate::order::event::{Direction, Mode};
use crate::order::state::{OrderState, Stage, StepState};
use crate::workflow::Workflow;

/// The most answers that one step takes: interim ones could go on for ever, and an order's history must not.
const MOST_ANSWERS: usize = 100;

pub(super) fn signal(workflow: &Workflow, state: &OrderState, signal: &Signal) -> Result<Decision, DecideError> {
    let step = workflow.known_step(&signal.step)?;
    let decision = Decision::about(state, signal.now.at);
    let known = state.steps.get(&step.id);
    if known.is_some_and(|known| repeats(known, signal)) {
        return Ok(decision);
    }
    if !step.knows(&signal.outcome) {
        return Err(Refusal::UnknownOutcome {
            step: step.id.clone(),
            outcome: signal.outcome.clone(),
            known: step.outcomes.clone(),
        }
        .into());
    }
    let waiting = known.filter(|known| step.mode == Mode::Request && takes_an_answer(known.stage) && !state.ended());
    let Some(waiting) = waiting else {
        return Err(Refusal::NotWaiting { step: step.id.clone(), state: state.state() }.into());
    };
    if waiting.answer_keys.len() >= MOST_ANSWERS {
        return Err(Refusal::TooManyAnswers { step: step.id.clone(), count: MOST_ANSWERS }.into());
    }
    let mut decision = decision;
    // Every answer is counted by its key, so one without a key gets the next number for one.
    let key = signal.key.clone().unwrap_or_else(|| format!("answer-{}", waiting.answer_keys.len() + 1));
    let event = completed(step, &signal.outcome, &signal.data, Some(&key), &decision);
    decision.record(event)?;
    Ok(decision)
}

/// Under the same key it is the same answer. Without a key, the same content as the last answer is taken for it.
fn repeats(known: &StepState, signal: &Signal) -> bool {
    match &signal.key {
        Some(key) => known.answer_keys.contains(key),
        None => known.outcome.as_ref() == Some(&signal.outcome) && known.data == signal.data,
    }
}

/// The answer may overtake the acceptance of the request, or follow an attempt whose acceptance got lost.
fn takes_an_answer(stage: Stage) -> bool {
    match stage {
        Stage::InFlight { direction, .. } | Stage::BackingOff { direction, .. } => direction == Direction::Do,
        Stage::Awaiting { .. } => true,
        Stage::Completed | Stage::Skipped | Stage::Failed { .. } | Stage::Undone | Stage::UndoFailed => false,
    }
}

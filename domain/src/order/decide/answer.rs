//! Records the result of an attempt.

use std::time::Duration;

use serde_json::Value;

use super::attempt::{later, max_slow_wait, max_wait, retry_at, with_wait_asked_for};
use super::decision::{DecideError, Decision};
use crate::order::command::{Answer, Refusal, Reply};
use crate::order::event::{Basis, Direction, Event, Mode, StepAccepted, StepAttemptFailed, StepCompleted, StepFailed};
use crate::order::failure::{accepted_in_vain, last_attempt, no_outcome, unknown_outcome};
use crate::order::state::{Order, Phase};
use crate::workflow::{Step, Workflow};

pub(super) fn answer(
    workflow: &Workflow,
    state: &Order,
    answer: &Answer,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let step = workflow.known_step(&answer.attempt.step)?;
    if !state.is_in_flight(&answer.attempt) {
        return Err(Refusal::NotWaiting { step: step.id.clone(), state: state.state() }.into());
    }
    // The participant has acted, and its answer is not one that the definition expects.
    let unexpected = |error: String| misconfigured(step, state, answer, &error, None, true, decision);
    let event = match (&answer.reply, answer.attempt.direction) {
        (Reply::Done { outcome, data }, direction) => match step.outcome_of(direction, outcome.as_deref()) {
            None => unexpected(no_outcome()),
            Some(outcome) if direction == Direction::Do && !step.knows(outcome) => {
                unexpected(unknown_outcome(step, outcome))
            }
            Some(outcome) => completed(step, direction, outcome, data, Basis::Answer, None, decision),
        },
        (Reply::Accepted, direction) if answers_later(step, direction) => Event::StepAccepted(StepAccepted {
            step: step.id.clone(),
            direction,
            deadline: later(decision.at, step.time_to_answer(direction)),
            at: decision.at,
        }),
        (Reply::Accepted, _) => unexpected(accepted_in_vain()),
        // The refusal is about this attempt only. An earlier attempt without a clear result may
        // have acted.
        (Reply::Refused { error }, direction) => {
            failed(step, direction, error.clone(), is_unsure(state, &step.id), decision)
        }
        (Reply::Unclear { error, retry_after }, _) => unclear(step, state, answer, error, *retry_after, decision),
        (Reply::Misconfigured { error, retry_after, maybe_done }, _) => {
            misconfigured(step, state, answer, error, *retry_after, *maybe_done, decision)
        }
        (Reply::Held { error }, direction) => {
            held(step, direction, error.clone(), is_unsure(state, &step.id), decision)
        }
    };
    decision.record(event)?;
    Ok(())
}

/// Whether the participant may answer later. Every undo may be answered later.
fn answers_later(step: &Step, direction: Direction) -> bool {
    match direction {
        Direction::Do => step.mode == Mode::Request,
        Direction::Undo => true,
    }
}

/// The event of an answer that the step knows, in the exchange or later. The outcome of an undo has
/// no consequences.
pub(super) fn completed(
    step: &Step,
    direction: Direction,
    outcome: &str,
    data: &Value,
    basis: Basis,
    key: Option<&str>,
    decision: &Decision,
) -> Event {
    let forward = direction == Direction::Do;
    Event::StepCompleted(StepCompleted {
        step: step.id.clone(),
        direction,
        outcome: outcome.to_owned(),
        basis,
        data: data.clone(),
        answer_key: key.map(str::to_owned),
        open_until: step.interim.get(outcome).filter(|_| forward).map(|wait| later(decision.at, *wait)),
        at: decision.at,
    })
}

pub(super) fn failed(step: &Step, direction: Direction, error: String, maybe_done: bool, decision: &Decision) -> Event {
    Event::StepFailed(failure(step, direction, error, maybe_done, decision))
}

/// The step waits for an operator, and is not tried again until then.
pub(super) fn held(step: &Step, direction: Direction, error: String, maybe_done: bool, decision: &Decision) -> Event {
    let failure = failure(step, direction, error, maybe_done, decision);
    Event::StepFailed(StepFailed { misconfigured: true, ..failure })
}

/// The event of a step that failed for good, without the marks of a special cause.
pub(super) fn failure(
    step: &Step,
    direction: Direction,
    error: String,
    maybe_done: bool,
    decision: &Decision,
) -> StepFailed {
    StepFailed {
        step: step.id.clone(),
        direction,
        error,
        maybe_done,
        misconfigured: false,
        unsent: false,
        answer_key: None,
        at: decision.at,
    }
}

pub(super) fn is_unsure(state: &Order, step: &str) -> bool {
    state.steps.get(step).is_some_and(|known| known.unsure)
}

/// How many attempts have failed, with the present one; `None`: it was the last one. During
/// compensation, no forward step is tried again: it would have to be undone, too.
fn failures_before_another_attempt(step: &Step, state: &Order, answer: &Answer) -> Option<u32> {
    let failures = state.steps.get(&answer.attempt.step).map_or(0, |s| s.failures) + 1;
    let forward_while_undoing = answer.attempt.direction == Direction::Do && state.phase == Phase::Undoing;
    (!forward_while_undoing && failures < step.retry.attempts).then_some(failures)
}

/// A mistake is tried again slowly. After the last attempt, a forward step is held for an operator;
/// any other step has failed.
fn misconfigured(
    step: &Step,
    state: &Order,
    answer: &Answer,
    error: &str,
    retry_after: Option<Duration>,
    maybe_done: bool,
    decision: &Decision,
) -> Event {
    let (direction, at) = (answer.attempt.direction, decision.at);
    let Some(failures) = failures_before_another_attempt(step, state, answer) else {
        let maybe_done = maybe_done || is_unsure(state, &step.id);
        return held(step, direction, last_attempt(error, answer.attempt.number), maybe_done, decision);
    };
    let longest = max_slow_wait(&step.retry, failures);
    Event::StepAttemptFailed(StepAttemptFailed {
        step: step.id.clone(),
        direction,
        attempt: answer.attempt.number,
        error: with_wait_asked_for(error, retry_after, at),
        lost: false,
        unsent: false,
        misconfigured: true,
        maybe_done,
        retry_at: retry_at(longest, &step.retry, retry_after, answer.now.jitter, at),
        at,
    })
}

fn unclear(
    step: &Step,
    state: &Order,
    answer: &Answer,
    error: &str,
    retry_after: Option<Duration>,
    decision: &Decision,
) -> Event {
    let Some(failures) = failures_before_another_attempt(step, state, answer) else {
        return failed(step, answer.attempt.direction, last_attempt(error, answer.attempt.number), true, decision);
    };
    let longest = max_wait(&step.retry, failures);
    Event::StepAttemptFailed(StepAttemptFailed {
        step: step.id.clone(),
        direction: answer.attempt.direction,
        attempt: answer.attempt.number,
        error: with_wait_asked_for(error, retry_after, decision.at),
        lost: false,
        unsent: false,
        misconfigured: false,
        maybe_done: false,
        retry_at: retry_at(longest, &step.retry, retry_after, answer.now.jitter, decision.at),
        at: decision.at,
    })
}

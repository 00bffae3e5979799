//! A later answer, from a participant with an open request, or from a person.
//!
//! An answer is acknowledged only if it is on record: recorded now, or recorded before with the
//! same content. Any other answer is refused, and the refusal names the recorded one.

use serde_json::Value;

use super::answer::{completed, failure};
use super::decision::{DecideError, Decision};
use crate::order::command::{LateRefusal, Refusal, Signal};
use crate::order::event::{Basis, Direction, Event, Mode, StepFailed};
use crate::order::failure::no_outcome;
use crate::order::recorded_answer::{Content, OnRecord, content, refusal_content};
use crate::order::state::{Order, Stage, StepState};
use crate::workflow::{Step, Workflow};

/// The limit of interim answers of one step, so that they cannot fill an order's history. The
/// answer that settles the step is always taken.
const MAX_ANSWERS: usize = 100;

pub(super) fn signal(
    workflow: &Workflow,
    state: &Order,
    signal: &Signal,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let step = workflow.known_step(&signal.step)?;
    let Signal { direction, outcome, data, .. } = signal;
    let Some(outcome) = step.outcome_of(*direction, outcome.as_deref()) else {
        return without_outcome(step, state, signal, decision);
    };
    let late_answer = LateAnswer::Outcome { outcome, data };
    let known = state.steps.get(&step.id);
    if let Some(known) = known
        && is_repeated(step, known, *direction, signal.key.as_deref(), late_answer)?
    {
        return Ok(());
    }
    if *direction == Direction::Do && !step.knows(outcome) {
        return Err(unknown_outcome(step, outcome).into());
    }
    let waiting = waiting(step, state, *direction, late_answer)?;
    let for_now = *direction == Direction::Do && step.interim.contains_key(outcome);
    if for_now && waiting.answers.len() >= MAX_ANSWERS {
        return Err(Refusal::TooManyAnswers { step: step.id.clone(), count: MAX_ANSWERS }.into());
    }
    // Answers are counted by their keys, so an answer without a key gets the next number.
    let key = signal.key.clone().unwrap_or_else(|| format!("answer-{}", waiting.answers.len() + 1));
    let event = completed(step, *direction, outcome, data, Basis::Answer, Some(&key), decision);
    decision.record(event)?;
    Ok(())
}

/// The participant has acted, and would answer a second request in the same way. So the step is
/// held at once.
fn without_outcome(step: &Step, state: &Order, signal: &Signal, decision: &mut Decision) -> Result<(), DecideError> {
    let error = no_outcome();
    let late_answer = LateAnswer::Refusal(&error);
    if let Some(known) = state.steps.get(&step.id)
        && is_repeated(step, known, signal.direction, signal.key.as_deref(), late_answer)?
    {
        return Ok(());
    }
    waiting(step, state, signal.direction, late_answer)?;
    let failure = failure(step, signal.direction, error, true, decision);
    let answer_key = signal.key.clone();
    decision.record(Event::StepFailed(StepFailed { misconfigured: true, answer_key, ..failure }))?;
    Ok(())
}

/// A participant that accepted a request refuses it later.
pub(super) fn refusal(
    workflow: &Workflow,
    state: &Order,
    late: &LateRefusal,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let step = workflow.known_step(&late.step)?;
    let late_answer = LateAnswer::Refusal(&late.error);
    if let Some(known) = state.steps.get(&step.id) {
        if is_repeated(step, known, late.direction, late.key.as_deref(), late_answer)? {
            return Ok(());
        }
        // This refuses an earlier request. An operator has retried since, and the present request
        // has its own answer.
        if late.request.is_some_and(|id| !state.is_last_request(id, &step.id, known, late.direction)) {
            return Err(too_late(step, state, "was asked again after that request".to_owned()).into());
        }
    }
    waiting(step, state, late.direction, late_answer)?;
    let failure = failure(step, late.direction, late.error.clone(), false, decision);
    let (misconfigured, answer_key) = (late.misconfigured, late.key.clone());
    decision.record(Event::StepFailed(StepFailed { misconfigured, answer_key, ..failure }))?;
    Ok(())
}

pub(super) fn unknown_outcome(step: &Step, outcome: &str) -> Refusal {
    Refusal::UnknownOutcome { step: step.id.clone(), outcome: outcome.to_owned(), known: step.outcomes.clone() }
}

/// The content of a later answer.
#[derive(Clone, Copy)]
enum LateAnswer<'a> {
    Outcome { outcome: &'a str, data: &'a Value },
    Refusal(&'a str),
}

impl LateAnswer<'_> {
    fn content(self) -> Content {
        match self {
            LateAnswer::Outcome { outcome, data } => content(outcome, data),
            LateAnswer::Refusal(error) => refusal_content(error),
        }
    }

    fn is_refusal(self) -> bool {
        matches!(self, LateAnswer::Refusal(_))
    }
}

/// Whether the same answer is on record. Another answer under a used key is refused, as the
/// Idempotency-Key draft requires.
fn is_repeated(
    step: &Step,
    known: &StepState,
    direction: Direction,
    key: Option<&str>,
    late_answer: LateAnswer<'_>,
) -> Result<bool, Refusal> {
    match key.map(|key| known.on_record(direction, key, late_answer.content())) {
        Some(OnRecord::Same) => Ok(true),
        Some(OnRecord::Other(taken)) => {
            Err(Refusal::OtherAnswer { step: step.id.clone(), key: taken.key.clone(), recorded: taken.outcome_text() })
        }
        // Older histories recorded a refusal without its key, so only its text can be compared. If
        // the recorded refusal has a key, the same text under another key is another refusal.
        Some(OnRecord::No) if !late_answer.is_refusal() || known.has_recorded(direction, late_answer.content()) => {
            Ok(false)
        }
        Some(OnRecord::No) | None => Ok(is_last_answer(known, direction, late_answer)),
    }
}

/// Whether the last recorded answer in this direction has the same content.
fn is_last_answer(known: &StepState, direction: Direction, late_answer: LateAnswer<'_>) -> bool {
    match (late_answer, direction) {
        (LateAnswer::Outcome { outcome, data }, Direction::Do) => {
            let answered = known.outcome.as_deref() == Some(outcome) && known.data == *data;
            answered && known.basis == Basis::Answer
        }
        (LateAnswer::Outcome { outcome, data }, Direction::Undo) => known.undo_answer == Some(content(outcome, data)),
        (LateAnswer::Refusal(error), Direction::Do) => {
            matches!(known.stage, Stage::Failed { .. }) && known.last_error.as_deref() == Some(error)
        }
        (LateAnswer::Refusal(error), Direction::Undo) => {
            known.stage == Stage::UndoFailed && known.last_error.as_deref() == Some(error)
        }
    }
}

/// The step, if it takes a later answer and still waits for one.
fn waiting<'s>(
    step: &Step,
    state: &'s Order,
    direction: Direction,
    late_answer: LateAnswer<'_>,
) -> Result<&'s StepState, Refusal> {
    let answered_later = match direction {
        Direction::Do => matches!(step.mode, Mode::Request | Mode::Await),
        Direction::Undo => step.undo.is_some(),
    };
    let not_waiting = || Refusal::NotWaiting { step: step.id.clone(), state: state.state() };
    let known = state.steps.get(&step.id).filter(|_| answered_later).ok_or_else(not_waiting)?;
    // The answer may arrive before the acceptance of its request, or the acceptance may be lost.
    let is_open = match late_answer {
        LateAnswer::Outcome { .. } => known.may_complete(direction, Basis::Answer),
        LateAnswer::Refusal(_) => known.stage.is_open_in(direction),
    };
    if is_open && !state.ended() { Ok(known) } else { Err(over(step, state, known, direction, late_answer)) }
}

/// Why the step does not wait for this answer: it has ended, perhaps in contradiction to the
/// answer.
fn over(step: &Step, state: &Order, known: &StepState, direction: Direction, late_answer: LateAnswer<'_>) -> Refusal {
    let not_waiting = || Refusal::NotWaiting { step: step.id.clone(), state: state.state() };
    let contradicts = |recorded| Refusal::Contradicts { step: step.id.clone(), state: state.state(), recorded };
    let failed = || format!("failed: {}", known.last_error.as_deref().unwrap_or_default());
    if direction == Direction::Undo {
        return match known.stage {
            Stage::Undone if late_answer.is_refusal() => contradicts("is undone".to_owned()),
            Stage::Undone => too_late(step, state, "is undone".to_owned()),
            Stage::UndoFailed => too_late(step, state, format!("could not be undone: {}", failed())),
            _ => not_waiting(),
        };
    }
    if known.stage == Stage::Skipped {
        return not_waiting();
    }
    // An interim answer does not end the step.
    let settled = known.outcome.as_ref().filter(|outcome| !step.interim.contains_key(*outcome));
    match (settled, late_answer) {
        (Some(outcome), LateAnswer::Outcome { outcome: other, data }) if outcome == other && known.data == *data => {
            too_late(step, state, recorded(outcome, known.basis))
        }
        (Some(outcome), _) => contradicts(recorded(outcome, known.basis)),
        (None, LateAnswer::Refusal(_)) if matches!(known.stage, Stage::Held { .. }) => contradicts(failed()),
        (None, LateAnswer::Refusal(_)) => too_late(step, state, failed()),
        // What may have been done is undone, unless the step has no undo.
        (None, LateAnswer::Outcome { .. }) => match known.stage {
            Stage::Failed { maybe_done } if !maybe_done || step.undo.is_none() => contradicts(failed()),
            _ => too_late(step, state, failed()),
        },
    }
}

fn too_late(step: &Step, state: &Order, recorded: String) -> Refusal {
    Refusal::TooLate { step: step.id.clone(), state: state.state(), recorded }
}

/// How a step got its outcome, for people.
fn recorded(outcome: &str, basis: Basis) -> String {
    match basis {
        Basis::Answer => format!("answered {outcome:?}"),
        Basis::Assumption => format!("was skipped by an operator, and counts as {outcome:?}"),
        Basis::Deadline => format!("was not answered in time, and counts as {outcome:?}"),
    }
}

//! The start of a step: whether it is ready, and its input.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::answer::{failed, held};
use super::attempt::{started, waiting};
use super::decision::{DecideError, Decision};
use super::scope::{recorded_scope, scope};
use crate::order::event::{Direction, Event, StepSkipped};
use crate::order::failure::{hidden_guard, no_guard, no_input, too_large};
use crate::order::limits::{json_bound, json_size};
use crate::order::personal::Recorded;
use crate::order::state::{Order, Phase, Stage, StepState};
use crate::workflow::{Evaluated, Join, Step, UNITS, Workflow};

/// The budget of all expressions in the `with` of one step: twice that of one expression.
const INPUT_UNITS: u64 = 2 * UNITS;

/// Starts or skips a step if it is ready.
pub(super) fn begin_if_ready(workflow: &Workflow, step: &Step, decision: &mut Decision) -> Result<(), DecideError> {
    match readiness(workflow, step, decision) {
        Readiness::NotYet => {}
        Readiness::Skip(because) => {
            decision.follow(Event::StepSkipped(StepSkipped { step: step.id.clone(), because, at: decision.at }))?;
        }
        Readiness::Go => begin(workflow, step, decision)?,
        Readiness::Broken(error) => decision.follow(failed(step, Direction::Do, error, false, decision))?,
        Readiness::Hidden(_) if ends_without_personal_data(&decision.state) => {
            decision.follow(skipped_without_personal_data(step, decision))?;
        }
        Readiness::Hidden(error) => decision.follow(held(step, Direction::Do, error, false, decision))?,
    }
    Ok(())
}

/// Whether an operator canceled an order whose personal data cannot be read. Such an order ends
/// without the steps that need them.
fn ends_without_personal_data(state: &Order) -> bool {
    state.canceled && state.phase == Phase::Compensated && state.placed.sealed.is_some()
}

fn skipped_without_personal_data(step: &Step, decision: &Decision) -> Event {
    let because = "the order was canceled, and personal data that the step needs cannot be read".to_owned();
    Event::StepSkipped(StepSkipped { step: step.id.clone(), because, at: decision.at })
}

enum Readiness {
    NotYet,
    Go,
    Skip(String),
    Broken(String),
    /// The guard needs personal data that cannot be read.
    Hidden(String),
}

/// See [`Join`] for the rule.
fn readiness(workflow: &Workflow, step: &Step, decision: &mut Decision) -> Readiness {
    let state = &decision.state;
    let before: Vec<Predecessor> =
        step.after.iter().map(|id| Predecessor::of(state.steps.get(id).map(Arc::as_ref))).collect();
    if !before.is_empty() && before.iter().all(|b| *b == Predecessor::Skipped) {
        return Readiness::Skip(format!("{} was skipped", step.after.join(", ")));
    }
    let joined = match step.join {
        _ if before.is_empty() => true,
        Join::All => before.iter().all(|b| *b != Predecessor::Unsettled),
        Join::Any => before.iter().any(|b| matches!(b, Predecessor::Completed | Predecessor::AnsweredForNow)),
    };
    if !joined {
        return Readiness::NotYet;
    }
    let only_interim = match step.join {
        Join::All => before.contains(&Predecessor::AnsweredForNow),
        Join::Any => !before.is_empty() && !before.contains(&Predecessor::Completed),
    };
    let Some(guard) = &step.when else {
        return if only_interim { Readiness::NotYet } else { Readiness::Go };
    };
    // A guard is not evaluated on placeholders, because they do not have the values of personal
    // data.
    if let Some(sealed) = state.placed.sealed.as_ref().filter(|_| guard.looks_into_personal_data()) {
        return if only_interim { Readiness::NotYet } else { Readiness::Hidden(hidden_guard(sealed.key)) };
    }
    let (holds, spent) = guard.holds_metered(&scope(workflow, state, guard));
    decision.spend(spent);
    match holds {
        Ok(true) => Readiness::Go,
        // The next answer may bring what the guard needs.
        Ok(false) | Err(_) if only_interim => Readiness::NotYet,
        Ok(false) => Readiness::Skip(format!("{} does not hold", guard.source())),
        Err(error) => Readiness::Broken(no_guard(error)),
    }
}

/// The state of a step, as its successors see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Predecessor {
    Unsettled,
    Skipped,
    Completed,
    AnsweredForNow,
}

impl Predecessor {
    fn of(known: Option<&StepState>) -> Self {
        match known {
            Some(known) if known.stage == Stage::Completed => Predecessor::Completed,
            Some(known) if known.stage == Stage::Skipped => Predecessor::Skipped,
            Some(known) if known.has_interim_answer() => Predecessor::AnsweredForNow,
            _ => Predecessor::Unsettled,
        }
    }
}

fn begin(workflow: &Workflow, step: &Step, decision: &mut Decision) -> Result<(), DecideError> {
    let (input, spent) = input(workflow, step, &decision.state);
    decision.spend(spent);
    let event = match input.and_then(|input| that_fits(input, "with", decision.value)) {
        Ok(input) if ends_without_personal_data(&decision.state) && input.is_personal() => {
            Some(skipped_without_personal_data(step, decision))
        }
        Ok(input) if step.action.is_none() => Some(waiting(step, input, decision)),
        Ok(input) => started(workflow, step, Direction::Do, 1, Some(input), decision),
        Err(error) => Some(failed(step, Direction::Do, error, false, decision)),
    };
    if let Some(event) = event {
        decision.follow(event)?;
    }
    Ok(())
}

/// The input of a step, and how many of its [`INPUT_UNITS`] its expressions used.
fn input(workflow: &Workflow, step: &Step, state: &Order) -> (Result<Recorded, String>, u64) {
    let mut input = Evaluated { value: Value::Object(Map::new()), placeholders: Vec::new() };
    let mut left = INPUT_UNITS;
    if step.with.is_empty() {
        return (Ok(Recorded::of(input)), 0);
    }
    let scope = recorded_scope(workflow, state, step.with.iter().map(|(_, expression)| expression));
    for (name, expression) in &step.with {
        let (evaluated, spent) = expression.metered(&scope, left);
        left -= spent;
        let evaluated = match evaluated {
            Ok(evaluated) => evaluated,
            Err(error) => return (Err(no_input(name, error)), INPUT_UNITS - left),
        };
        input.value[name] = evaluated.value;
        let within = |(pointer, at)| (format!("/{name}{pointer}"), at);
        input.placeholders.extend(evaluated.placeholders.into_iter().map(within));
    }
    (Ok(Recorded::of(input)), INPUT_UNITS - left)
}

/// A value with its placeholders, if it takes at most `most` bytes; a larger one fits into no
/// append.
pub(super) fn that_fits(recorded: Recorded, name: &str, most: usize) -> Result<Recorded, String> {
    let marks = recorded.placeholders.as_ref().map_or(0, json_size);
    if json_bound(&recorded.value).saturating_add(marks) <= most {
        return Ok(recorded);
    }
    let size = json_size(&recorded.value).saturating_add(marks);
    if size > most { Err(too_large(name, size, most)) } else { Ok(recorded) }
}

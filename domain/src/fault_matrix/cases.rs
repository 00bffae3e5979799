//! The scripts of the matrix.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::life::Life;
use super::script::{Fault, Place, Remedy, Samples, Script, Turn};
use super::services::is_answered_later;
use crate::ids::StepId;
use crate::order::{Direction, Mode};
use crate::workflow::{Expression, Step, Workflow};

/// Each path through the outcomes: as planned, and each step with each other outcome that it knows.
pub(super) fn paths(workflow: &Workflow, samples: &Samples) -> Vec<Script> {
    let steps = || workflow.steps.iter().chain(&workflow.compensated);
    let as_planned = Script {
        answers: steps().map(|step| (step.id.clone(), vec![usual(step)])).collect(),
        data: steps().map(|step| (step.id.clone(), data(workflow, step, samples))).collect(),
        path: "all as planned".to_owned(),
        ..Script::default()
    };
    let mut paths = vec![as_planned.clone()];
    let mut add = |step: &Step, answers: Vec<String>| {
        let mut script = as_planned.clone();
        script.path = format!("{} answers {}", step.id, answers.join(", then "));
        script.answers.insert(step.id.clone(), answers);
        paths.push(script);
    };
    for step in steps() {
        for outcome in step.outcomes.iter().filter(|outcome| **outcome != usual(step)) {
            add(step, vec![outcome.clone()]);
            if step.interim.contains_key(outcome) {
                add(step, vec![outcome.clone(), usual(step)]);
            }
        }
    }
    paths
}

/// The outcome with which an order continues.
fn usual(step: &Step) -> String {
    let leads_on = |outcome: &&String| !step.interim.contains_key(*outcome) && !step.compensate_on.contains(*outcome);
    step.outcomes.iter().find(leads_on).cloned().unwrap_or_else(|| "done".to_owned())
}

/// The data of the answer: the given sample, or a text wherever an expression reads something.
fn data(workflow: &Workflow, step: &Step, samples: &Samples) -> Value {
    if let Some(sample) = samples.get(&step.id) {
        return sample.clone();
    }
    let mut data = json!({});
    for path in workflow.expressions().flat_map(Expression::data).filter(|path| path.step == step.id) {
        put(&mut data, &path.names);
    }
    data
}

fn put(into: &mut Value, names: &[String]) {
    let Some((name, rest)) = names.split_first() else { return };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let inner = &mut into[name.as_str()];
    if rest.is_empty() {
        if inner.is_null() {
            *inner = json!("sample");
        }
    } else {
        put(inner, rest);
    }
}

/// Each possible fault of each action of a life, except for those that were tried.
pub(super) fn faults(workflow: &Workflow, script: &Script, life: &Life, seen: &mut BTreeSet<Place>) -> Vec<Script> {
    let mut scripts = Vec::new();
    for place in places(life).into_iter().filter(|place| seen.insert(place.clone())) {
        let Some(step) = workflow.step(&place.step) else { continue };
        let may_be_stuck = place.direction == Direction::Undo || workflow.is_after_compensation(&step.id);
        for fault in possible(workflow, step, place.direction) {
            scripts.push(script.with_fault(place.clone(), fault, Remedy::Retry));
            if (may_be_stuck || fault.is_a_mistake()) && !fault.is_passing() {
                scripts.push(script.with_fault(place.clone(), fault, Remedy::Skip));
            }
            if !may_be_stuck && fault.is_a_mistake() {
                scripts.push(script.with_fault(place.clone(), fault, Remedy::Cancel));
            }
        }
    }
    scripts
}

/// The requested actions, and the awaited persons.
fn places(life: &Life) -> BTreeSet<Place> {
    let awaited = life.state.iter().flat_map(|state| &state.steps);
    let awaited = awaited.filter(|(_, known)| known.mode == Some(Mode::Await));
    let place = |id: &StepId| Place { step: id.clone(), direction: Direction::Do };
    life.services.requests.iter().cloned().chain(awaited.map(|(id, _)| place(id))).collect()
}

/// The possible faults of an action.
fn possible(workflow: &Workflow, step: &Step, direction: Direction) -> Vec<Fault> {
    let later = is_answered_later(workflow, step, direction);
    let by_a_person = direction == Direction::Do && step.mode == Mode::Await;
    if by_a_person {
        return vec![Fault::NeverAnswered, Fault::AnsweredTwice];
    }
    let mut faults = vec![
        Fault::Refused,
        Fault::OnceUnclear,
        Fault::AlwaysUnclear,
        Fault::OnceMisconfigured,
        Fault::Misconfigured,
        Fault::Held,
        Fault::AnswerLost,
        Fault::Lost,
        Fault::NotSent,
        Fault::NeverSent,
    ];
    if direction == Direction::Do && step.outcome_required {
        faults.push(Fault::NoOutcome);
    }
    if direction == Direction::Do && !step.outcomes.is_empty() {
        faults.push(Fault::UnknownOutcome);
    }
    if later {
        faults.extend([Fault::NeverAnswered, Fault::AnsweredTwice, Fault::AnsweredFirst, Fault::RefusedLater]);
    }
    faults
}

/// An operator cancels or pauses the order after each of its decisions.
pub(super) fn interventions(script: &Script, life: &Life) -> Vec<Script> {
    let after = (1..life.decisions).flat_map(|after| [Turn::Cancel, Turn::Pause].map(|turn| (after, turn)));
    after.map(|(after, turn)| script.with_turn(after, turn)).collect()
}

/// The driver disappears after each decision after the script's last turn.
pub(super) fn restarts(script: &Script, life: &Life) -> Vec<Script> {
    let from = script.turns.last().map_or(1, |(after, _)| after + 1);
    let after =
        (from..life.decisions).flat_map(|after| [Turn::Crash, Turn::CrashAfterPerforming].map(|turn| (after, turn)));
    after.map(|(after, turn)| script.with_turn(after, turn)).collect()
}

/// A cancel at the last moment: every step is done, and every step is undone.
pub(super) fn late_cancel(script: &Script, life: &Life) -> Option<Script> {
    (life.decisions > 1 && script.turns.is_empty()).then(|| script.with_turn(life.decisions - 1, Turn::Cancel))
}

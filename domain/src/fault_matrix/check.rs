//! Checks a finished life.

use super::life::{Life, read_back};
use super::replayed;
use super::script::{Fault, Place, Remedy, Script};
use crate::order::{Direction, Event, NewOrder, Order, Stage, State, StepFailed};
use crate::workflow::{Step, Workflow};

/// All faults of a life. `model`: the life of which it is a variation.
pub(super) fn all(
    workflow: &Workflow,
    order: &NewOrder,
    script: &Script,
    life: &Life,
    model: Option<&Life>,
) -> Vec<String> {
    let mut wrong = life.wrong.clone();
    let Some(state) = &life.state else {
        wrong.push("was never placed".to_owned());
        return wrong;
    };
    wrong.extend(folds_back(life));
    wrong.extend(replayed::first_difference(workflow, life));
    #[cfg(test)]
    wrong.extend(replayed::differs_from_itself(workflow, life));
    wrong.extend(right_end(workflow, script, state, model.and_then(|model| model.state.as_ref())));
    wrong.extend(was_stuck(workflow, script, life));
    wrong.extend(same_acts(script, life, model));
    wrong.extend(undone(workflow, script, life, state));
    wrong.extend(undone_in_reverse(life));
    wrong.extend(evaluated(life));
    wrong.extend(keeps_secrets(order, life));
    wrong
}

/// The log alone gives the same state.
fn folds_back(life: &Life) -> Option<String> {
    match read_back(&life.history) {
        Ok(state) => (state != life.state).then(|| "its history, read back, gives another state".to_owned()),
        Err(error) => Some(error),
    }
}

/// It ends as its script requires.
fn right_end(workflow: &Workflow, script: &Script, state: &Order, model: Option<&Order>) -> Option<String> {
    let found = state.state();
    let expected = expected_end(workflow, script, state, model)?;
    (found != expected).then(|| format!("is {found}, and should be {expected}"))
}

/// The required end; `None`: one of two.
fn expected_end(workflow: &Workflow, script: &Script, state: &Order, model: Option<&Order>) -> Option<State> {
    if script.is_cancel() {
        return (state.undone_because.is_some()).then_some(State::Canceled);
    }
    match &script.fault {
        Some((_, fault)) if fault.is_passing() || fault.is_a_mistake() => model.map(Order::state),
        Some((place, Fault::NeverAnswered)) if has_a_default(workflow, place) => None,
        Some((place, _)) if state.steps.get(&place.step).is_some_and(|known| known.mode.is_some()) => {
            Some(State::Canceled)
        }
        _ => model.map_or_else(|| planned_end(workflow, script, state), |model| Some(model.state())),
    }
}

/// The end without a fault: compensated if an outcome requires that. With an open interim answer,
/// either end is right.
fn planned_end(workflow: &Workflow, script: &Script, state: &Order) -> Option<State> {
    let mut end = Some(State::Completed);
    for step in &workflow.steps {
        let begun = state.steps.get(&step.id).is_some_and(|known| known.mode.is_some());
        let last = script.answers.get(&step.id).and_then(|answers| answers.last()).filter(|_| begun);
        if last.is_some_and(|last| step.compensate_on.contains(last)) {
            return Some(State::Canceled);
        }
        if last.is_some_and(|last| step.interim.contains_key(last)) {
            end = None;
        }
    }
    end
}

fn has_a_default(workflow: &Workflow, place: &Place) -> bool {
    place.direction == Direction::Do && workflow.step(&place.step).is_some_and(|step| step.on_timeout.is_some())
}

/// If something that must not fail has failed, the order must have been stuck.
fn was_stuck(workflow: &Workflow, script: &Script, life: &Life) -> Option<String> {
    let (place, _) = script.fault.as_ref().filter(|(_, fault)| !fault.is_passing())?;
    let must_not_fail = place.direction == Direction::Undo || workflow.is_after_compensation(&place.step);
    let here = |e: &StepFailed| e.step == place.step && e.direction == place.direction;
    let failed = life
        .history
        .iter()
        .any(|event| matches!(event, Event::StepFailed(e) if here(e) && (must_not_fail || e.misconfigured)));
    let stuck = life.history.iter().any(|event| matches!(event, Event::OrderStuck(_)));
    (failed && !stuck).then(|| "something that must not fail has failed, and the order was not stuck".to_owned())
}

/// A passing fault, a pause or another driver changes nothing about the actions. But the next
/// answer may come before the steps after an interim answer.
fn same_acts(script: &Script, life: &Life, model: Option<&Life>) -> Option<String> {
    let state = |life: &Life| life.state.as_ref().map(Order::state);
    let model = model.filter(|model| state(model) == Some(State::Completed) && state(life) == state(model))?;
    let harmless = script.fault.as_ref().is_none_or(|(_, fault)| fault.is_passing());
    let acts = |life: &Life| {
        let mut acts = life.services.acts.clone();
        acts.sort();
        acts
    };
    let overtaken = script.answers.values().any(|answers| answers.len() > 1);
    (harmless && !overtaken && !script.is_cancel() && acts(life) != acts(model))
        .then(|| format!("did {:?}, and should have done {:?}", acts(life), acts(model)))
}

/// A completed order has no undone step. In a canceled one, every completed step with an undo is
/// undone.
fn undone(workflow: &Workflow, script: &Script, life: &Life, state: &Order) -> Vec<String> {
    let acts = &life.services.acts;
    let is_undone = |step: &str| acts.iter().any(|act| act.step == step && act.direction == Direction::Undo);
    match state.state() {
        State::Completed => {
            let undone = acts.iter().filter(|act| act.direction == Direction::Undo);
            undone.map(|act| format!("{} is undone, though the order is completed", act.step)).collect()
        }
        State::Canceled => workflow
            .steps
            .iter()
            .filter(|step| step.undo.is_some() && !is_undone(&step.id))
            .filter(|step| acts.iter().any(|act| act.step == step.id))
            .filter(|step| !refused_by_answer(state, step) && !is_skipped_undo(script, &step.id))
            .map(|step| format!("{} is not undone", step.id))
            .collect(),
        State::Running | State::Waiting | State::Paused | State::Compensating | State::Stuck => Vec::new(),
    }
}

/// The participant answered that it did nothing.
fn refused_by_answer(state: &Order, step: &Step) -> bool {
    let known = state.steps.get(&step.id);
    let outcome = known.and_then(|known| known.outcome.as_ref());
    let refused = known.is_some_and(|known| known.stage == Stage::Failed { maybe_done: false });
    refused || outcome.is_some_and(|outcome| step.compensate_on.contains(outcome))
}

fn is_skipped_undo(script: &Script, step: &str) -> bool {
    script.remedy == Remedy::Skip && script.fault_at(step, Direction::Undo).is_some()
}

/// Steps are undone in the reverse order in which they were settled.
fn undone_in_reverse(life: &Life) -> Option<String> {
    let mut settled: Vec<&str> = Vec::new();
    let mut undone: Vec<&str> = Vec::new();
    for event in &life.history {
        match event {
            Event::StepCompleted(e) if e.direction == Direction::Do && e.open_until.is_none() => {
                settled.retain(|step| *step != e.step);
                settled.push(&e.step);
            }
            Event::StepFailed(e) if e.direction == Direction::Do && e.maybe_done => {
                settled.retain(|step| *step != e.step);
                settled.push(&e.step);
            }
            // A first attempt that was not sent is made again under its number.
            Event::StepStarted(e)
                if e.direction == Direction::Undo && e.attempt == 1 && undone.last() != Some(&e.step.as_str()) =>
            {
                undone.push(&e.step);
            }
            Event::OrderPlaced(_)
            | Event::StepStarted(_)
            | Event::WaitStarted(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
            | Event::StepSkipped(_)
            | Event::StatusChanged(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationStarted(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCompleted(_)
            | Event::OrderCanceled(_)
            | Event::OrderStuck(_)
            | Event::DecisionSplit(_) => {}
        }
    }
    let expected: Vec<&str> = settled.into_iter().rev().filter(|step| undone.contains(step)).collect();
    (expected != undone).then(|| format!("undoes {undone:?}, and should undo {expected:?}"))
}

/// Every expression had a value.
fn evaluated(life: &Life) -> Vec<String> {
    let fault = |event: &Event| {
        if let Event::StepFailed(e) = event {
            return e.error.starts_with('`').then(|| format!("{}: {}", e.step, e.error));
        }
        let Event::OrderCompleted(e) = event else { return None };
        e.result_error.as_ref().map(|error| format!("`result` has no value: {error}"))
    };
    life.history.iter().filter_map(fault).collect()
}

/// Only the first event contains personal data.
fn keeps_secrets(order: &NewOrder, life: &Life) -> Vec<String> {
    let address = order.ship_to.as_ref();
    let personal = [
        order.customer.name.as_ref(),
        order.customer.email.as_ref(),
        address.and_then(|address| address.name.as_ref()),
        address.and_then(|address| address.street.as_ref()),
    ];
    let secrets: Vec<&String> = personal.into_iter().flatten().filter(|secret| secret.len() > 3).collect();
    let later = life.history.iter().skip(1).map(|event| format!("{event:?}"));
    let sentences = later.filter(|text| secrets.iter().any(|secret| text.contains(secret.as_str())));
    sentences.map(|text| format!("personal data in {text}")).collect()
}

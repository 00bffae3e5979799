//! The consequences of a command: steps start, are skipped or are undone; the order ends.

use super::answer::failed;
use super::attempt::started;
use super::begin::{begin_if_ready, that_fits};
use super::decision::{DecideError, Decision};
use super::retry::retry_requested_steps;
use super::scope::recorded_scope;
use crate::order::event::{
    Basis, CompensationCompleted, CompensationStarted, Direction, Event, OrderCanceled, OrderCompleted, OrderStuck,
    StatusChanged,
};
use crate::order::failure::{excerpt, given_up};
use crate::order::personal::Recorded;
use crate::order::state::{Order, Phase, Stage, StepState};
use crate::workflow::{Evaluated, Step, Workflow};

/// Records all consequences of the state, as far as there is room.
pub(super) fn advance(workflow: &Workflow, decision: &mut Decision) -> Result<(), DecideError> {
    note_new_status(workflow, decision)?;
    // While an order is paused, answers are recorded, and their consequences wait.
    if decision.state.paused.is_some() {
        return Ok(());
    }
    retry_requested_steps(workflow, decision)?;
    // Each round records at least one event and brings the order nearer to its end. So the number
    // of steps bounds the rounds.
    loop {
        let before = decision.events.len();
        match decision.state.phase {
            Phase::Forward => forward(workflow, decision)?,
            Phase::Undoing => undo(workflow, decision)?,
            Phase::Compensated => after_compensation(workflow, decision)?,
            Phase::Completed | Phase::Canceled => {}
        }
        if decision.events.len() == before {
            return Ok(());
        }
    }
}

/// A completed step sets the order's status. An interim answer, or one that leads to compensation,
/// sets none.
fn note_new_status(workflow: &Workflow, decision: &mut Decision) -> Result<(), DecideError> {
    let completed: Vec<&Step> = decision
        .events
        .iter()
        .filter_map(|event| {
            let Event::StepCompleted(e) = event else { return None };
            if e.direction != Direction::Do || e.open_until.is_some() {
                return None;
            }
            workflow.step(&e.step).filter(|step| !step.compensate_on.contains(&e.outcome))
        })
        .collect();
    for step in completed {
        if let Some(status) = step.sets_status.as_ref().filter(|status| **status != decision.state.status) {
            decision.record(Event::StatusChanged(StatusChanged {
                status: status.clone(),
                step: step.id.clone(),
                at: decision.at,
            }))?;
        }
    }
    Ok(())
}

fn forward(workflow: &Workflow, decision: &mut Decision) -> Result<(), DecideError> {
    if let Some((step, because)) = reason_to_undo(workflow, &decision.state) {
        decision.follow(Event::CompensationStarted(CompensationStarted {
            step: Some(step),
            because,
            at: decision.at,
        }))?;
        return Ok(());
    }
    note_if_stuck(&workflow.steps, decision)?;
    run_section(workflow, &workflow.steps, decision)?;
    if all_settled(&workflow.steps, &decision.state) && reason_to_undo(workflow, &decision.state).is_none() {
        let result = workflow.result.as_ref().map_or_else(
            || Ok(Evaluated::default()),
            |r| r.evaluate_marked(&recorded_scope(workflow, &decision.state, [r])),
        );
        let result = result.map_err(|e| excerpt(&e.to_string())).map(Recorded::of);
        let (Recorded { value: result, placeholders }, result_error) =
            match result.and_then(|recorded| that_fits(recorded, "result", decision.value)) {
                Ok(recorded) => (recorded, None),
                Err(error) => (Recorded::default(), Some(error)),
            };
        decision.follow(Event::OrderCompleted(OrderCompleted {
            result,
            placeholders,
            result_error,
            at: decision.at,
        }))?;
    }
    Ok(())
}

/// The first step that failed, or whose outcome requires compensation.
fn reason_to_undo(workflow: &Workflow, state: &Order) -> Option<(String, String)> {
    workflow.steps.iter().find_map(|step| {
        let known = state.steps.get(&step.id)?;
        let because = match (known.stage, &known.outcome) {
            (Stage::Failed { .. }, _) => known.last_error.clone().unwrap_or_default(),
            (Stage::Completed, Some(outcome)) if step.compensate_on.contains(outcome) => {
                format!("{} answered {outcome:?}", step.id)
            }
            _ => return None,
        };
        Some((step.id.clone(), because))
    })
}

/// Starts or skips the steps of a section that are ready. Steps may stand in any order, so the
/// caller repeats this until nothing is recorded.
fn run_section(workflow: &Workflow, section: &[Step], decision: &mut Decision) -> Result<(), DecideError> {
    for step in section {
        if decision.state.steps.contains_key(&step.id) {
            continue;
        }
        decision.split_if_spent()?;
        if decision.is_split() {
            return Ok(());
        }
        begin_if_ready(workflow, step, decision)?;
        if decision.starts_nothing_more() {
            return Ok(());
        }
    }
    Ok(())
}

fn all_settled(section: &[Step], state: &Order) -> bool {
    section.iter().all(|step| {
        let known = state.steps.get(&step.id);
        known.is_some_and(|known| !known.stage.is_open() && !matches!(known.stage, Stage::Held { .. }))
    })
}

/// Undoes one step at a time, the latest first, once no forward step is open.
fn undo(workflow: &Workflow, decision: &mut Decision) -> Result<(), DecideError> {
    if note_if_stuck(&workflow.steps, decision)? {
        return Ok(());
    }
    give_up_waiting(workflow, decision)?;
    if workflow.steps.iter().any(|step| decision.state.steps.get(&step.id).is_some_and(|known| known.stage.is_open())) {
        return Ok(());
    }
    let next = decision.state.settled.iter().rev().find_map(|id| {
        let step = workflow.step(id)?;
        let known = decision.state.steps.get(id)?;
        (step.undo.is_some() && needs_undo(step, known)).then_some(step)
    });
    let event = match next {
        Some(step) => started(workflow, step, Direction::Undo, 1, None, decision),
        None => Some(Event::CompensationCompleted(CompensationCompleted { at: decision.at })),
    };
    if let Some(event) = event {
        decision.follow(event)?;
    }
    Ok(())
}

/// Whether a step must be undone. A participant that answered with an outcome of `compensate-on`
/// has done nothing. If an operator or a deadline assumed that outcome, the participant may have
/// acted.
fn needs_undo(step: &Step, known: &StepState) -> bool {
    let says_no = known.outcome.as_ref().is_some_and(|outcome| step.compensate_on.contains(outcome));
    match known.stage {
        Stage::Completed => !says_no || known.basis != Basis::Answer,
        Stage::Failed { maybe_done } => maybe_done,
        _ => false,
    }
}

/// Gives up steps that wait for a retry or an answer. Attempts in flight are concluded first.
fn give_up_waiting(workflow: &Workflow, decision: &mut Decision) -> Result<(), DecideError> {
    for step in &workflow.steps {
        let Some(known) = decision.state.steps.get(&step.id) else { continue };
        if matches!(
            known.stage,
            Stage::BackingOff { direction: Direction::Do, .. } | Stage::Awaiting { direction: Direction::Do, .. }
        ) {
            // A participant that received a request may have acted. A wait or an unsent request did
            // nothing.
            let maybe_done = step.action.is_some() && known.attempts > 0;
            decision.follow(failed(step, Direction::Do, given_up(), maybe_done, decision))?;
        }
    }
    Ok(())
}

fn after_compensation(workflow: &Workflow, decision: &mut Decision) -> Result<(), DecideError> {
    if note_if_stuck(&workflow.compensated, decision)? {
        return Ok(());
    }
    run_section(workflow, &workflow.compensated, decision)?;
    let failed =
        |step: &Step| matches!(decision.state.steps.get(&step.id).map(|k| k.stage), Some(Stage::Failed { .. }));
    if all_settled(&workflow.compensated, &decision.state) && !workflow.compensated.iter().any(failed) {
        decision.follow(Event::OrderCanceled(OrderCanceled { at: decision.at }))?;
    }
    Ok(())
}

/// The order is stuck if an undo failed for good, if a step after the compensation failed for good,
/// or if a step is held.
fn note_if_stuck(section: &[Step], decision: &mut Decision) -> Result<bool, DecideError> {
    let found = section.iter().find_map(|step| {
        let known = decision.state.steps.get(&step.id)?;
        let (direction, what) = match (known.stage, decision.state.phase) {
            (Stage::UndoFailed, _) => (Direction::Undo, "failed for good"),
            (Stage::Held { .. }, Phase::Forward | Phase::Compensated) => (Direction::Do, "is held for an operator"),
            (Stage::Failed { .. }, Phase::Compensated) if known.attempts == 0 => (Direction::Do, "was never asked"),
            (Stage::Failed { .. }, Phase::Compensated) => (Direction::Do, "failed for good"),
            _ => return None,
        };
        Some((step, direction, what, known.last_error.clone().unwrap_or_default()))
    });
    let Some((step, direction, what, error)) = found else { return Ok(false) };
    if decision.state.stuck.is_none() {
        let action = match direction {
            Direction::Do => step.action.as_ref(),
            Direction::Undo => step.undo.as_ref(),
        };
        let action = action.map_or_else(|| step.id.clone(), |a| format!("{}.{}", a.participant, a.action));
        let reason = format!("{action} {what}: {error}");
        decision.follow(Event::OrderStuck(OrderStuck { step: step.id.clone(), direction, reason, at: decision.at }))?;
    }
    Ok(true)
}

//! Events and states as JSON, for people and programs.

use serde_json::{Map, Value, json};

use crate::order::{Direction, Event, Order, Phase, Stage, StepState};
use crate::wire;

/// The data of an event, as in the log.
pub fn event_json(event: &Event) -> Value {
    wire::data_json(event).unwrap_or_default()
}

/// The state without the placed order, which is in the first event and never changes. The fields
/// are those of [`Order`].
pub fn state_json(state: &Order) -> Value {
    let steps: Map<String, Value> = state.steps.iter().map(|(id, step)| (id.clone(), step_json(step))).collect();
    let stuck = state.stuck.as_ref();
    json!({
        "status": state.status,
        "state": state.state().as_str(),
        "phase": phase(state.phase),
        "pausedSince": state.paused,
        "undoneBecause": state.undone_because,
        "splitSince": state.split,
        "toRetry": state.to_retry,
        "stuck": stuck.map(|stuck| json!({
            "step": stuck.step, "direction": stuck.direction.as_str(), "reason": stuck.reason,
        })),
        "steps": steps,
        "settled": state.settled,
        "requests": state.requests.values().map(|request| &**request).collect::<Vec<_>>(),
        "result": state.result,
        "updatedAt": state.updated_at,
        "endedAt": state.ended_at,
    })
}

fn step_json(step: &StepState) -> Value {
    json!({
        "status": step.status().as_str(),
        "stage": stage(step.stage),
        "since": step.since,
        "mode": step.mode.map(crate::order::Mode::as_str),
        "action": step.requested.as_ref().map(|requested| format!("{}.{}", requested.participant, requested.action)),
        "input": &*step.input,
        "attempts": step.attempts,
        "undoAttempts": step.undo_attempts,
        "failures": step.failures,
        "unsentSince": step.unsent_since,
        "outcome": step.outcome,
        "basis": step.outcome.as_ref().map(|_| step.basis),
        "data": step.data,
        "answerKeys": step.answer_keys(),
        "lastError": step.last_error,
        "startedAt": step.started_at,
        "endedAt": step.ended_at,
    })
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Forward => "forward",
        Phase::Undoing => "undoing",
        Phase::Compensated => "compensated",
        Phase::Completed => "completed",
        Phase::Canceled => "canceled",
    }
}

fn stage(stage: Stage) -> Value {
    let open = |name: &str, direction: Direction| json!({ "name": name, "direction": direction.as_str() });
    let with = |mut stage: Value, name: &str, value: Value| {
        stage[name] = value;
        stage
    };
    match stage {
        Stage::InFlight { direction, attempt, deadline } => {
            let stage = with(open("in-flight", direction), "attempt", json!(attempt));
            with(stage, "deadline", json!(deadline))
        }
        Stage::BackingOff { direction, attempt, until } => {
            let stage = with(open("backing-off", direction), "attempt", json!(attempt));
            with(stage, "until", json!(until))
        }
        Stage::Awaiting { direction, deadline } => with(open("awaiting", direction), "deadline", json!(deadline)),
        Stage::Completed => json!({ "name": "completed" }),
        Stage::Skipped => json!({ "name": "skipped" }),
        Stage::Failed { maybe_done } => json!({ "name": "failed", "maybeDone": maybe_done }),
        Stage::Held { maybe_done } => json!({ "name": "held", "maybeDone": maybe_done }),
        Stage::Undone => json!({ "name": "undone" }),
        Stage::UndoFailed => json!({ "name": "undo-failed" }),
    }
}

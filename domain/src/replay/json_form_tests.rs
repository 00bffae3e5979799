//! The JSON of events and states has all their fields, by their names.

use serde_json::{Value, json};

use super::tests::{Log, workflow};
use super::*;
use crate::order::{Operation, Reply};
use crate::testing::{answered, done, held, refused, unclear};

const SOURCE: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, undo: p.un-a }
  b: { after: [a], request: p.b, with: { n: '1' }, undo: p.un-b, timeout: 1h }
  c: { after: [a], when: \"steps.a.outcome == 'odd'\", call: p.c }
compensated:
  sorry: { call: p.sorry }
result: steps.b.outcome
";

/// The value at a JSON pointer in the JSON of the order's present state.
#[track_caller]
fn shown(log: &Log<'_>, pointer: &str) -> Value {
    let state = state_json(log.story.state());
    state.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {state:#}")).clone()
}

#[test]
fn a_state_is_shown_whole() {
    let workflow = workflow(SOURCE);
    let mut log = Log::of(&workflow);
    log.answers("a", answered("even"));
    log.answers("b", unclear("503"));
    log.operates(Operation::Pause);
    assert_eq!(
        state_json(log.story.state()),
        json!({
            "status": "Placed",
            "state": "PAUSED",
            "phase": "forward",
            "pausedSince": "1970-01-01T00:00:00Z",
            "undoneBecause": null,
            "splitSince": null,
            "toRetry": [],
            "stuck": null,
            "steps": {
                "a": {
                    "status": "COMPLETED",
                    "stage": { "name": "completed" },
                    "since": "1970-01-01T00:00:00Z",
                    "mode": "CALL",
                    "action": "p.a",
                    "input": {},
                    "attempts": 1,
                    "undoAttempts": 0,
                    "failures": 0,
                    "unsentSince": null,
                    "outcome": "even",
                    "basis": "answer",
                    "data": null,
                    "answerKeys": [],
                    "lastError": null,
                    "startedAt": "1970-01-01T00:00:00Z",
                    "endedAt": "1970-01-01T00:00:00Z",
                },
                "b": {
                    "status": "RETRYING",
                    "stage": {
                        "name": "backing-off",
                        "direction": "do",
                        "attempt": 1,
                        "until": "1970-01-01T00:00:00.150Z",
                    },
                    "since": "1970-01-01T00:00:00Z",
                    "mode": "REQUEST",
                    "action": "p.b",
                    "input": { "n": 1 },
                    "attempts": 1,
                    "undoAttempts": 0,
                    "failures": 1,
                    "unsentSince": null,
                    "outcome": null,
                    "basis": null,
                    "data": null,
                    "answerKeys": [],
                    "lastError": "503",
                    "startedAt": "1970-01-01T00:00:00Z",
                    "endedAt": null,
                },
                "c": {
                    "status": "SKIPPED",
                    "stage": { "name": "skipped" },
                    "since": "1970-01-01T00:00:00Z",
                    "mode": null,
                    "action": null,
                    "input": null,
                    "attempts": 0,
                    "undoAttempts": 0,
                    "failures": 0,
                    "unsentSince": null,
                    "outcome": null,
                    "basis": null,
                    "data": null,
                    "answerKeys": [],
                    "lastError": null,
                    "startedAt": "1970-01-01T00:00:00Z",
                    "endedAt": "1970-01-01T00:00:00Z",
                },
            },
            "settled": ["a"],
            "requests": [],
            "result": null,
            "updatedAt": "1970-01-01T00:00:00Z",
            "endedAt": null,
        })
    );
}

#[test]
fn every_stage_of_a_step_and_every_phase_of_an_order_has_its_name() {
    let workflow = workflow(SOURCE);
    let mut log = Log::of(&workflow);
    let in_flight = |direction: &str| {
        let deadline = "1970-01-01T00:00:10Z";
        json!({ "name": "in-flight", "direction": direction, "attempt": 1, "deadline": deadline })
    };
    assert_eq!(shown(&log, "/steps/a/stage"), in_flight("do"));
    log.answers("a", done());
    log.answers("b", Reply::Accepted);
    let deadline = "1970-01-01T01:00:00Z";
    assert_eq!(shown(&log, "/steps/b/stage"), json!({ "name": "awaiting", "direction": "do", "deadline": deadline }));
    let mut completed = log.story.clone();
    completed.signal("b", "sent").whatever();
    let state = state_json(completed.state());
    assert_eq!(
        (&state["phase"], &state["result"], &state["endedAt"]),
        (&json!("completed"), &json!("sent"), &state["updatedAt"])
    );
    assert_eq!(state["steps"]["b"]["answerKeys"], json!(["answer-1"]));

    log.operates(Operation::Cancel);
    assert_eq!(shown(&log, "/phase"), "undoing");
    assert_eq!(shown(&log, "/undoneBecause"), "canceled by ann: asked for");
    assert_eq!(shown(&log, "/steps/b/stage"), in_flight("undo"));
    log.answers("b", done());
    assert_eq!(shown(&log, "/steps/b/stage"), json!({ "name": "undone" }));
    log.answers("a", refused("no"));
    assert_eq!(shown(&log, "/steps/a/stage"), json!({ "name": "undo-failed" }));
    assert_eq!(
        shown(&log, "/stuck"),
        json!({ "step": "a", "direction": "undo", "reason": "p.un-a failed for good: no" })
    );
    log.operates(Operation::Skip { step: "a".into(), outcome: None, data: Value::Null });
    assert_eq!(shown(&log, "/phase"), "compensated");
    log.answers("sorry", done());
    assert_eq!(shown(&log, "/phase"), "canceled");
}

#[test]
fn a_failed_or_held_step_is_shown_with_whether_it_may_have_acted() {
    let workflow = workflow(SOURCE);
    let mut log = Log::of(&workflow);
    log.answers("a", held("no key"));
    assert_eq!(shown(&log, "/steps/a/stage"), json!({ "name": "held", "maybeDone": false }));
    assert_eq!(shown(&log, "/state"), "STUCK");
    let mut log = Log::of(&workflow);
    log.answers("a", refused("no"));
    assert_eq!(shown(&log, "/steps/a/stage"), json!({ "name": "failed", "maybeDone": false }));
}

#[test]
fn an_event_is_shown_as_in_the_log() {
    let workflow = workflow(SOURCE);
    let mut log = Log::of(&workflow);
    log.answers("a", answered("even"));
    let history = log.history();
    let at = "1970-01-01T00:00:00Z";
    assert_eq!(event_json(&history[2].event), json!({ "step": "a", "direction": "do", "outcome": "even", "at": at }));
}

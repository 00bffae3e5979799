//! A replay, for programs.

use domain::order::{Answer, Command, Effect, NotSent, Operate, Reply, Request, summary};
use domain::replay::{Again, Decision, changes, event_json, state_json};
use serde_json::{Value, json};

use super::life::{Life, Tally};

/// The replay as one document.
pub fn told(life: &Life<'_>, diff: bool) -> (String, Tally) {
    let mut decisions = Vec::new();
    let mut before = json!({});
    let tally = life.each(|decision| decisions.push(decided(decision, diff.then_some(&mut before))));
    let placed = life.workflow.map(|workflow| json!({ "name": workflow.name, "version": workflow.version }));
    let document = json!({
        "order": life.order,
        "workflow": placed,
        "events": life.shown.len(),
        "decidedAlike": tally.decisions - tally.otherwise,
        "decidedOtherwise": tally.otherwise,
        "decisions": decisions,
    });
    (format!("{document:#}\n"), tally)
}

fn decided(decision: &Decision<'_>, mut before: Option<&mut Value>) -> Value {
    let mut events = Vec::new();
    for moment in &decision.moments {
        let recorded = moment.recorded;
        let state = state_json(&moment.state);
        let mut event = json!({
            "revision": recorded.revision,
            "id": recorded.id,
            "type": recorded.event.type_name(),
            "at": recorded.event.at(),
            "summary": summary(&recorded.event),
            "step": recorded.event.step(),
            "actor": recorded.metadata.actor,
            "reason": recorded.metadata.reason,
            "data": event_json(&recorded.event),
            "why": { "rule": moment.why.rule.as_str(), "text": moment.why.text },
        });
        if let Some(before) = before.as_deref_mut() {
            let changed = changes(before, &state);
            let changed = changed.iter().map(|c| json!({ "path": c.path, "before": c.before, "after": c.after }));
            event["changes"] = changed.collect();
            *before = state.clone();
        }
        event["state"] = state;
        events.push(event);
    }
    json!({
        "command": decision.command.as_ref().map(command),
        "events": events,
        "pending": decision.pending.iter().map(effect).collect::<Vec<_>>(),
        "again": again(&decision.again),
    })
}

/// The command that a decision answers. The answer or the wish itself is in the first event.
fn command(command: &Command) -> Value {
    match command {
        Command::Place(_) => json!({ "kind": "place" }),
        Command::Answer(Answer { attempt, reply, now }) => json!({
            "kind": "answer", "step": attempt.step, "direction": attempt.direction.as_str(), "attempt": attempt.number,
            "reply": kind_of(reply), "jitter": now.jitter,
        }),
        Command::Signal(signal) => {
            json!({ "kind": "later-answer", "step": signal.step, "direction": signal.direction.as_str(), "key": signal.key })
        }
        Command::Refuse(late) => {
            json!({ "kind": "later-refusal", "step": late.step, "direction": late.direction.as_str() })
        }
        Command::Operate(Operate { operation, actor, reason, .. }) => {
            json!({ "kind": "operate", "operation": operation.as_str(), "actor": actor, "reason": reason })
        }
        Command::Request(Request { operate: Operate { operation, actor, reason, .. }, .. }) => {
            json!({ "kind": "request", "operation": operation.as_str(), "actor": actor, "reason": reason })
        }
        Command::Settle(settle) => {
            json!({ "kind": "settle", "request": settle.request, "how": settle.how.as_str(), "by": settle.by })
        }
        Command::Tick(now) => json!({ "kind": "tick", "at": now.at }),
        Command::NotSent(NotSent { attempt, error, .. }) => json!({
            "kind": "not-sent", "step": attempt.step, "direction": attempt.direction.as_str(),
            "attempt": attempt.number, "error": error,
        }),
        Command::HandOver(_) => json!({ "kind": "hand-over" }),
    }
}

fn kind_of(reply: &Reply) -> &'static str {
    match reply {
        Reply::Done { .. } => "done",
        Reply::Accepted => "accepted",
        Reply::Refused { .. } => "refused",
        Reply::Unclear { .. } => "unclear",
        Reply::Misconfigured { .. } => "misconfigured",
        Reply::Held { .. } => "held",
    }
}

fn effect(effect: &Effect) -> Value {
    match effect {
        Effect::Perform(attempt) => json!({
            "kind": "perform", "step": attempt.step, "direction": attempt.direction.as_str(),
            "attempt": attempt.number, "deadline": attempt.deadline,
        }),
        Effect::Tick => json!({ "kind": "tick" }),
        Effect::WakeAt(at) => json!({ "kind": "wake", "at": at }),
    }
}

fn again(again: &Again) -> Value {
    match again {
        Again::Same => json!({ "same": true }),
        Again::Unknown(why) => json!({ "same": null, "because": why }),
        Again::Differs(Err(why)) => json!({ "same": false, "refused": why }),
        Again::Differs(Ok(events)) => {
            let told = events.iter().map(|event| json!({ "type": event.type_name(), "data": event_json(event) }));
            json!({ "same": false, "events": told.collect::<Vec<_>>() })
        }
    }
}

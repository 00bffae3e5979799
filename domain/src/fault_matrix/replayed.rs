//! Checks that a replay of a life's log repeats its decisions.

use std::collections::HashMap;

use uuid::Uuid;

use super::life::Life;
use crate::ids::StepId;
use crate::order::{Direction, Event};
use crate::replay::{Again, Recorded, Replay};
use crate::wire::{Metadata, SCHEMA};
use crate::workflow::Workflow;

/// The operator of every life.
const OPERATOR: &str = "operator";
/// The reason.
const REASON: &str = "the fault matrix";

/// The first decision that differs.
pub(super) fn first_difference(workflow: &Workflow, life: &Life) -> Option<String> {
    let history = recorded(life);
    let mut seen = 0;
    for (decision, record) in Replay::of(Some(workflow), &history).zip(&life.decision_records) {
        let decision = match decision {
            Ok(decision) => decision,
            Err(broken) => return Some(format!("its history cannot be replayed: {broken}")),
        };
        if decision.moments.len() != record.events {
            return Some(format!("the replay of the decision at event {seen} has {} events", decision.moments.len()));
        }
        if decision.again != Again::Same {
            return Some(format!("the replay of the decision at event {seen} differs: {:?}", decision.again));
        }
        seen += record.events;
    }
    (seen != history.len()).then(|| "its history has more events than its decisions".to_owned())
}

/// A backtest under its own definition, with its own answers, must give the same life.
#[cfg(test)]
pub(super) fn differs_from_itself(workflow: &Workflow, life: &Life) -> Option<String> {
    use crate::backtest::{Options, Past, Verdict, backtest};

    let past = Past::of(life.history.clone()).ok()?;
    match backtest(workflow, &past, &Options::default()) {
        Ok(trial) if trial.verdict == Verdict::Same => None,
        other => Some(format!("a backtest under its own definition differs: {other:?}")),
    }
}

/// The history in the form of the log.
pub(super) fn recorded(life: &Life) -> Vec<Recorded> {
    let mut started: HashMap<(StepId, Direction), Uuid> = HashMap::new();
    let mut recorded: Vec<Recorded> = Vec::with_capacity(life.history.len());
    let mut events = life.history.iter();
    for record in &life.decision_records {
        let mut causation_id = record.answered.as_ref().and_then(|step| started.get(step)).copied();
        let first = recorded.len();
        for event in events.by_ref().take(record.events) {
            let revision = recorded.len();
            let id = Uuid::from_u128(revision as u128 + 1);
            let operated = record.operated && revision == first;
            let metadata = Metadata {
                correlation_id: "1".to_owned(),
                causation_id,
                traceparent: None,
                actor: operated.then(|| OPERATOR.to_owned()),
                approved_by: None,
                reason: operated.then(|| REASON.to_owned()),
                schema: SCHEMA,
                hash: String::new(),
            };
            causation_id = Some(Uuid::from_u128(first as u128 + 1));
            note_start(&mut started, event, id);
            recorded.push(Recorded { id, revision: revision as u64, event: event.clone(), metadata });
        }
    }
    recorded
}

fn note_start(started: &mut HashMap<(StepId, Direction), Uuid>, event: &Event, id: Uuid) {
    if let Some(start) = event.start() {
        started.insert((start.step.clone(), start.direction), id);
    }
}

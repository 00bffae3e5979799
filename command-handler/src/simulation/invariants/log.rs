//! What the log says: that what was acknowledged is there, that it can be read, and that it goes
//! one way.

use std::collections::{BTreeMap, HashSet};

use domain::ids::OrderId;
use domain::order::{Event, evolve};
use domain::wire::{self, CHAIN_START};
use serde_json::Value;

use super::Wrong;
use crate::simulation::letters::REFUSED_LATER;
use crate::simulation::record::{Entry, History, Record};

/// An order whose placing was acknowledged is in the log at the reported position, and each
/// repetition got the same answer.
pub fn no_answer_without_a_record(record: &Record) -> Wrong {
    let mut told = BTreeMap::new();
    let mut wrong = Wrong::new();
    for accepted in &record.acknowledged {
        let id = &accepted.order_id;
        let place = record
            .orders
            .get(id)
            .and_then(|history| history.entries.iter().find(|entry| entry.recorded.revision == accepted.revision));
        if place.is_none_or(|entry| entry.recorded.position != accepted.position) {
            wrong.push(format!("{accepted:?} was acknowledged, and is not in the log"));
        }
        let first = told.entry(id).or_insert(accepted);
        if *first != accepted {
            wrong.push(format!("the same order was acknowledged as {first:?} and as {accepted:?}"));
        }
    }
    wrong
}

/// A later answer that was taken stands in the log once, as it was given; so does a later "no".
pub fn one_answer_one_event(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for taken in &record.answers_taken {
        let entries = record.orders.get(&taken.order_id).into_iter().flat_map(|history| &history.entries);
        let answered = (&taken.step, taken.direction, Some(&taken.key));
        let found: Vec<(Option<&str>, &Value)> = entries
            .filter_map(|entry| match &entry.event {
                Event::StepCompleted(e) if (&e.step, e.direction, e.answer_key.as_ref()) == answered => {
                    Some((Some(e.outcome.as_str()), &e.data))
                }
                Event::StepFailed(e)
                    if (&e.step, e.direction, e.answer_key.as_ref()) == answered && e.error == REFUSED_LATER =>
                {
                    Some((None, &taken.data))
                }
                _ => None,
            })
            .collect();
        if found != [(taken.outcome.as_deref(), &taken.data)] {
            wrong.push(format!("{taken:?} was acknowledged, and the log has {found:?}"));
        }
    }
    wrong
}

/// Every event can be read and folded; it is chained to the one before, belongs to its order and
/// follows from an event before it. The same events give the same state, however they are folded.
pub fn the_log_is_the_only_truth(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let mut previous = CHAIN_START.to_owned();
        let mut before = HashSet::new();
        let mut state = None;
        for (revision, entry) in history.entries.iter().enumerate() {
            let Entry { recorded, metadata, event, .. } = entry;
            let raw: Value = serde_json::from_slice(&recorded.metadata).unwrap_or_default();
            let link = wire::link(&previous, recorded.id, &recorded.event_type, &recorded.data, &raw);
            if metadata.hash != link {
                wrong.push(format!("{id}: the chain of hashes breaks at event {revision}"));
            }
            if recorded.revision != revision as u64 || metadata.correlation_id != id.as_str() {
                wrong.push(format!("{id}: event {revision} does not belong there: {recorded:?}"));
            }
            if metadata.causation_id.is_some_and(|cause| !before.contains(&cause)) {
                wrong.push(format!("{id}: event {revision} is caused by nothing before it"));
            }
            if !before.insert(recorded.id) {
                wrong.push(format!("{id}: event {revision} has the id of another"));
            }
            previous = link;
            match evolve(state.take(), event) {
                Ok(next) => state = Some(next),
                Err(misfit) => wrong.push(format!("{id}: event {revision}: {misfit}")),
            }
        }
        if state.as_ref() != history.state() {
            wrong.push(format!("{id}: folded twice, it is {state:?} and {:?}", history.state()));
        }
    }
    wrong
}

/// Whatever the clocks of the instances show, no event of an order is earlier than the one before.
pub fn time_goes_one_way(record: &Record) -> Wrong {
    let goes_back = |(id, history): (&OrderId, &History)| {
        let back = history.entries.windows(2).find(|pair| pair[1].event.at() < pair[0].event.at())?;
        Some(format!("{id}: {:?} comes after {:?}", back[1].event, back[0].event))
    };
    record.orders.iter().filter_map(goes_back).collect()
}

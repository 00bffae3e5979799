//! What participants are asked: what the log has, once, under one key, and nothing after the end.

use std::collections::{BTreeMap, BTreeSet};

use domain::order::{Direction, Event, StepStarted};

use super::Wrong;
use crate::orders::LATE;
use crate::simulation::record::{Asked, Entry, History, Record};

/// What is asked of whom is what the definition says that the order was placed under.
pub fn an_order_ends_on_the_version_it_began_on(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let Some(definition) = record.definition(id) else {
            wrong.push(format!("{id} follows a definition that was never registered"));
            continue;
        };
        for started in attempts(history) {
            let action = definition.step(&started.step).and_then(|step| match started.direction {
                Direction::Do => step.action.as_ref(),
                Direction::Undo => step.undo.as_ref(),
            });
            if action.is_none_or(|a| a.participant != started.participant || a.action != started.action) {
                wrong.push(format!("{id}: its definition does not have {started:?}"));
            }
        }
    }
    for Asked { ask, .. } in &record.asks {
        let step = record.step(&ask.order_id, &ask.attempt.step);
        let action = step.and_then(|step| match ask.attempt.direction {
            Direction::Do => step.action,
            Direction::Undo => step.undo,
        });
        if action.is_none_or(|action| action.action != ask.action) {
            wrong.push(format!("asked for what the order's definition does not have: {ask:?}"));
        }
    }
    wrong
}

/// No participant receives a request for an attempt that was not in the log at that moment, or two
/// requests for one attempt.
pub fn append_first_perform_second(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    let mut asked_for = BTreeSet::new();
    for asked in &record.asks {
        let Asked { ask, by, .. } = asked;
        let attempt = &ask.attempt;
        if start_of(record, asked).is_none() {
            wrong.push(format!("{by} asked for an attempt that was not in the log: {ask:?}"));
        }
        if !asked_for.insert((&ask.order_id, &attempt.step, attempt.direction, attempt.number)) {
            wrong.push(format!("{by} asked for an attempt that was requested before: {ask:?}"));
        }
    }
    wrong
}

/// The events of an order in the log when a request was sent.
fn known<'r>(record: &'r Record, asked: &Asked) -> &'r [Entry] {
    record.orders.get(&asked.ask.order_id).map(|history| &history.entries[..asked.events_before]).unwrap_or_default()
}

/// The event that started the attempt, if the log had it then.
fn start_of<'r>(record: &'r Record, asked: &Asked) -> Option<&'r Entry> {
    let attempt = &asked.ask.attempt;
    known(record, asked).iter().find(|entry| {
        matches!(&entry.event, Event::StepStarted(e) if e.step == attempt.step
            && e.direction == attempt.direction && e.attempt == attempt.number && e.deadline == attempt.deadline)
    })
}

/// The idempotency key is the same for all attempts at the same thing, and what is asked under it
/// too; no other thing has it. An attempt that an operator has made again, after one that surely
/// did nothing, is another thing.
pub fn one_key_for_all_attempts(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    let (mut keys, mut things) = (BTreeMap::new(), BTreeMap::new());
    for asked in &record.asks {
        let Asked { ask, key, .. } = asked;
        let (since, was_earned) = key_since(known(record, asked), asked);
        if !was_earned {
            wrong.push(format!("{key} is a new key for what may have been done"));
        }
        let thing = (&ask.order_id, &ask.attempt.step, ask.attempt.direction, since);
        let first = *keys.entry(thing).or_insert(key);
        if first != key {
            wrong.push(format!("{thing:?} was asked for under {first} and under {key}"));
        }
        // Without the key of its personal data, an undo may be told less.
        let input = (!record.lost_keys.contains_key(&ask.order_id)).then(|| ask.input());
        let content = (thing, &ask.action, input);
        let first = things.entry(key).or_insert_with(|| content.clone());
        if *first != content {
            wrong.push(format!("{key} was the key of {first:?} and of {content:?}"));
        }
    }
    wrong
}

/// The attempt that the key of this one began with, and whether nothing had been done when it
/// replaced the key before it.
fn key_since(entries: &[Entry], asked: &Asked) -> (u32, bool) {
    let attempt = &asked.ask.attempt;
    let (mut since, mut was_earned, mut nothing_done) = (1, true, false);
    for entry in entries {
        match &entry.event {
            Event::StepFailed(e) if e.step == attempt.step && e.direction == attempt.direction => {
                nothing_done = !e.maybe_done;
            }
            Event::StepStarted(e)
                if e.new_key
                    && e.step == attempt.step
                    && e.direction == attempt.direction
                    && e.attempt <= attempt.number =>
            {
                since = e.attempt;
                was_earned &= nothing_done;
            }
            _ => {}
        }
    }
    (since, was_earned)
}

/// Once an order has ended, no request is sent, except for an attempt that was appended just now:
/// another instance may end the order while the owner waits for the log. Only an instance that was
/// frozen, or whose clock is wrong, can notice later. The idempotency key protects participants
/// from those requests.
pub fn nothing_is_asked_after_the_end(record: &Record) -> Wrong {
    let ended = |entry: &Entry| matches!(entry.event, Event::OrderCompleted(_) | Event::OrderCanceled(_));
    let too_late = |asked: &&Asked| {
        let just_now = start_of(record, asked).is_some_and(|start| asked.at - start.written_at <= LATE);
        !just_now && known(record, asked).iter().any(ended)
    };
    if record.somebody_was_out_of_time {
        return Wrong::new();
    }
    record.asks.iter().filter(too_late).map(|asked| format!("asked after the end: {asked:?}")).collect()
}

fn attempts(history: &History) -> impl Iterator<Item = &StepStarted> {
    history.entries.iter().filter_map(|entry| match &entry.event {
        Event::StepStarted(started) => Some(started),
        _ => None,
    })
}

//! What has to be true of every run, whatever went wrong in it: one function an invariant, named after those of the design.
//! Each reads recorded facts alone (the log, and what those outside saw) and tells how it was broken, if it was.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::ids::{OrderId, StepId};
use domain::order::{Direction, Event, OrderState, Phase, Stage, StepStarted, evolve};
use domain::wire::{self, CHAIN_START};
use domain::workflow::Workflow;
use serde_json::Value;

use super::record::{Asked, Entry, History, Record};

/// What is wrong, in sentences.
type Wrong = Vec<String>;

/// One of them.
type Invariant = fn(&Record) -> Wrong;

/// All of them, by name.
pub const ALL: &[(&str, Invariant)] = &[
    ("no_answer_without_a_record", no_answer_without_a_record),
    ("one_answer_one_event", one_answer_one_event),
    ("the_log_is_the_only_truth", the_log_is_the_only_truth),
    ("time_goes_one_way", time_goes_one_way),
    ("an_order_ends_on_the_version_it_began_on", an_order_ends_on_the_version_it_began_on),
    ("append_first_perform_second", append_first_perform_second),
    ("one_key_for_all_attempts", one_key_for_all_attempts),
    ("each_effect_at_most_once", each_effect_at_most_once),
    ("effects_match_the_end", effects_match_the_end),
    ("undone_in_reverse", undone_in_reverse),
    ("something_is_due_or_it_is_over", something_is_due_or_it_is_over),
    ("every_order_ends_or_is_visibly_stuck", every_order_ends_or_is_visibly_stuck),
    ("nothing_is_asked_after_the_end", nothing_is_asked_after_the_end),
];

/// Whoever placed an order and was told so finds it in the log, where he was told, and was told the same each time.
fn no_answer_without_a_record(record: &Record) -> Wrong {
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

/// A later answer that was taken stands in the log once, as it was given.
fn one_answer_one_event(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for taken in &record.answers_taken {
        let found: Vec<(&str, &Value)> = record
            .orders
            .get(&taken.order_id)
            .into_iter()
            .flat_map(|history| &history.entries)
            .filter_map(|entry| match &entry.event {
                Event::StepCompleted(e) if e.step == taken.step && e.answer_key.as_ref() == Some(&taken.key) => {
                    Some((e.outcome.as_str(), &e.data))
                }
                _ => None,
            })
            .collect();
        if found != [(taken.outcome.as_str(), &taken.data)] {
            wrong.push(format!("{taken:?} was acknowledged, and the log has {found:?}"));
        }
    }
    wrong
}

/// Every event can be read and folded; it is chained to the one before, belongs to its order and follows from an event
/// before it. The same events give the same state, however they are folded.
fn the_log_is_the_only_truth(record: &Record) -> Wrong {
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
fn time_goes_one_way(record: &Record) -> Wrong {
    let goes_back = |(id, history): (&OrderId, &History)| {
        let back = history.entries.windows(2).find(|pair| pair[1].event.at() < pair[0].event.at())?;
        Some(format!("{id}: {:?} comes after {:?}", back[1].event, back[0].event))
    };
    record.orders.iter().filter_map(goes_back).collect()
}

/// What is asked of whom is what the definition says that the order was placed under.
fn an_order_ends_on_the_version_it_began_on(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let Some(definition) = record.definition(id) else {
            wrong.push(format!("{id} follows a definition that nobody registered"));
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
        let step = record.definition(&ask.order_id).and_then(|definition| definition.step(&ask.attempt.step).cloned());
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

/// Nobody is asked for an attempt that was not in the log at that moment, and nobody is asked twice for one.
fn append_first_perform_second(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    let mut asked = BTreeSet::new();
    for Asked { ask, by, events_before, .. } in &record.asks {
        let attempt = &ask.attempt;
        let known =
            record.orders.get(&ask.order_id).map(|history| &history.entries[..*events_before]).unwrap_or_default();
        let is_it = |entry: &Entry| {
            matches!(&entry.event, Event::StepStarted(e) if e.step == attempt.step
                && e.direction == attempt.direction && e.attempt == attempt.number && e.deadline == attempt.deadline)
        };
        if !known.iter().any(is_it) {
            wrong.push(format!("{by} asked for an attempt that was not in the log: {ask:?}"));
        }
        if !asked.insert((&ask.order_id, &attempt.step, attempt.direction, attempt.number)) {
            wrong.push(format!("{by} asked for an attempt that somebody had asked for before: {ask:?}"));
        }
    }
    wrong
}

/// The idempotency key is the same for all attempts at the same thing, and what is asked under it too; no other thing has it.
fn one_key_for_all_attempts(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    let (mut keys, mut things) = (BTreeMap::new(), BTreeMap::new());
    for Asked { ask, key, .. } in &record.asks {
        let thing = (&ask.order_id, &ask.attempt.step, ask.attempt.direction);
        let first = *keys.entry(thing).or_insert(key);
        if first != key {
            wrong.push(format!("{thing:?} was asked for under {first} and under {key}"));
        }
        let content = (thing, &ask.action, &ask.attempt.input);
        let first = *things.entry(key).or_insert(content);
        if first != content {
            wrong.push(format!("{key} was the key of {first:?} and of {content:?}"));
        }
    }
    wrong
}

/// No participant did, or undid, the same thing twice.
fn each_effect_at_most_once(record: &Record) -> Wrong {
    let mut done = BTreeSet::new();
    let twice = record.deeds.iter().filter(|deed| !done.insert((&deed.order_id, &deed.step, deed.direction)));
    twice.map(|deed| format!("done twice: {deed:?}")).collect()
}

/// Of an order that is completed, every step that the log calls done was done, and none was undone; of one that is canceled,
/// everything was undone that was done and can be. What comes after the undos was done, or the order is not over.
fn effects_match_the_end(record: &Record) -> Wrong {
    let done: BTreeSet<(&OrderId, &StepId, Direction)> =
        record.deeds.iter().map(|deed| (&deed.order_id, &deed.step, deed.direction)).collect();
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let (Some(state), Some(definition)) = (history.state(), record.definition(id)) else { continue };
        let was = |step: &StepId, direction| done.contains(&(id, step, direction));
        for step in &definition.steps {
            let (did, undid) = (was(&step.id, Direction::Do), was(&step.id, Direction::Undo));
            let stands = state.steps.get(&step.id).map(|known| known.stage);
            let fits = match state.phase {
                Phase::Completed => did == (stands == Some(Stage::Completed)) && !undid,
                Phase::Canceled => did == undid || step.undo.is_none(),
                Phase::Forward | Phase::Undoing | Phase::Compensated => true,
            };
            if !fits {
                wrong.push(format!(
                    "{id} is {}, its step {} is {stands:?}; done: {did}, undone: {undid}",
                    state.state(),
                    step.id
                ));
            }
        }
        for step in &definition.compensated {
            let stands = state.steps.get(&step.id).map(|known| known.stage);
            if state.phase == Phase::Canceled && was(&step.id, Direction::Do) != (stands == Some(Stage::Completed)) {
                wrong.push(format!("{id} is canceled, and {} is {stands:?}", step.id));
            }
        }
    }
    wrong
}

/// What was done last is undone first, one thing after another, once nothing is done any more; all of it, before the
/// compensation is called complete.
fn undone_in_reverse(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let Some(definition) = record.definition(id) else { continue };
        let mut undoing = Undoing::default();
        for entry in &history.entries {
            if let Some(how) = undoing.next(&entry.event, &definition) {
                wrong.push(format!("{id}: {how}"));
            }
        }
    }
    wrong
}

/// The undos of an order, as they go on.
#[derive(Default)]
struct Undoing {
    /// The steps that were done, or may have been, in the order in which they came to that.
    done: Vec<StepId>,
    /// What is being done, or undone.
    open: BTreeSet<StepId>,
}

impl Undoing {
    fn next(&mut self, event: &Event, definition: &Workflow) -> Option<String> {
        match event {
            Event::StepStarted(e) if e.direction == Direction::Undo && e.attempt == 1 => {
                let can_be = |step: &&StepId| definition.step(step).is_some_and(|step| step.undo.is_some());
                let last = self.done.iter().rev().find(can_be).cloned();
                self.done.retain(|step| *step != e.step);
                let others: Vec<StepId> = self.open.iter().cloned().collect();
                self.open.insert(e.step.clone());
                (last.as_ref() != Some(&e.step) || !others.is_empty())
                    .then(|| format!("{} is undone; last done was {last:?}, and under way is {others:?}", e.step))
            }
            Event::StepStarted(e) => {
                self.open.insert(e.step.clone());
                None
            }
            Event::StepCompleted(e) => {
                if e.open_until.is_none() {
                    self.open.remove(&e.step);
                    let step = definition.step(&e.step);
                    let says_no = step.is_some_and(|step| step.compensate_on.contains(&e.outcome));
                    if e.direction == Direction::Do && !says_no {
                        self.done.push(e.step.clone());
                    }
                }
                None
            }
            Event::StepFailed(e) => {
                self.open.remove(&e.step);
                if e.direction == Direction::Do && e.maybe_done {
                    self.done.push(e.step.clone());
                }
                None
            }
            Event::CompensationCompleted(_) => {
                let left = self.done.iter().find(|step| definition.step(step).is_some_and(|step| step.undo.is_some()));
                let how = left.map(|step| format!("the compensation is complete, and {step} is not undone"));
                self.done.clear();
                how
            }
            _ => None,
        }
    }
}

/// After every append, an order has ended, is stuck, or has something under way that will be looked at again.
fn something_is_due_or_it_is_over(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let mut state = None;
        for (index, entry) in history.entries.iter().enumerate() {
            let Ok(next) = evolve(state.take(), &entry.event) else { break };
            let ends_append = history.entries.get(index + 1).is_none_or(|next| next.append != entry.append);
            if ends_append && !(next.ended() || next.stuck.is_some() || is_under_way(&next)) {
                wrong.push(format!("{id}: after event {index} nothing is under way, and it is {}", next.state()));
            }
            state = Some(next);
        }
    }
    wrong
}

fn is_under_way(state: &OrderState) -> bool {
    state.due_at().is_some() && state.steps.values().any(|step| step.stage.is_open())
}

/// In the end every order has ended, or tells why it needs a person.
fn every_order_ends_or_is_visibly_stuck(record: &Record) -> Wrong {
    let is_open = |(id, history): (&OrderId, &History)| {
        let state = history.state()?;
        let stuck = state.stuck_reason().is_some_and(|reason| !reason.is_empty());
        let over = state.ended() || (stuck && history.is_settled());
        (!over).then(|| format!("{id} is {}", state.state()))
    };
    record.orders.iter().filter_map(is_open).collect()
}

/// Once an order has ended, nobody is asked for anything. Only an instance that was frozen, or whose clock is wrong, can be
/// too late to notice; participants have the idempotency key against those.
fn nothing_is_asked_after_the_end(record: &Record) -> Wrong {
    let too_late = |asked: &&Asked| {
        let events = record.orders.get(&asked.ask.order_id).map(|history| &history.entries[..asked.events_before]);
        let ended = |entry: &Entry| matches!(entry.event, Event::OrderCompleted(_) | Event::OrderCanceled(_));
        events.is_some_and(|events| events.iter().any(ended))
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

//! Personal data are sealed in the log, and reach only participants whose step reads them. Text
//! that only looks like a placeholder arrives as it is.

use domain::order::{Direction, Event, StepStarted};
use domain::workflow::Step;
use serde_json::Value;

use super::Wrong;
use crate::simulation::personal::{texts, value};
use crate::simulation::record::{Asked, History, Record};

/// No event has personal data in plain text.
pub fn personal_data_stays_sealed(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        let Some(order) = record.ordered.get(id) else { continue };
        for entry in &history.entries {
            for bytes in [&entry.recorded.data, &entry.recorded.metadata] {
                let written = String::from_utf8_lossy(bytes);
                if let Some((name, _)) = texts(order).iter().find(|(_, text)| written.contains(text)) {
                    wrong.push(format!("{id}: event {} has {name}", entry.recorded.revision));
                }
            }
        }
    }
    wrong
}

/// A participant receives no personal data that its step does not read.
pub fn no_one_is_told_what_its_step_does_not_say(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for asked in &record.asks {
        let (Some(order), Some(step)) = (record.ordered.get(&asked.ask.order_id), step_of(record, asked)) else {
            continue;
        };
        let told = asked.told.to_string();
        for (name, text) in texts(order) {
            let reads = step.with.iter().any(|(_, expression)| expression.source().contains(name));
            if !reads && told.contains(text) {
                wrong.push(format!("{} receives {name}, which its step does not read: {told}", asked.key));
            }
        }
    }
    wrong
}

/// What a step reads of the order, or of an earlier answer, arrives unchanged, with personal data
/// filled in. Where a key was lost, an order may be undone without them.
pub fn what_is_told_is_what_there_is(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for asked in &record.asks {
        let id = &asked.ask.order_id;
        let (Some(order), Some(step), Some(history)) =
            (record.ordered.get(id), step_of(record, asked), record.orders.get(id))
        else {
            continue;
        };
        let undoes = asked.ask.attempt.direction == Direction::Undo
            || record.definition(id).is_some_and(|d| d.compensated.iter().any(|last| last.id == step.id));
        let may_lack = undoes && record.lost_keys.contains_key(id);
        for (name, expression) in step.with.iter().filter(|_| !may_lack) {
            let source = expression.source();
            let expected = value(source, order).or_else(|| answer_before(history, &step, source));
            if let Some(expected) = expected
                && asked.told.get(name) != Some(&expected)
            {
                let told = asked.told.get(name);
                wrong.push(format!("{} receives {name} as {told:?}, where there is {expected}", asked.key));
            }
        }
    }
    wrong
}

fn step_of(record: &Record, asked: &Asked) -> Option<Step> {
    record.step(&asked.ask.order_id, &asked.ask.attempt.step)
}

/// What the named step had answered last, when this one was begun: `steps.NAME.data`.
fn answer_before(history: &History, step: &Step, source: &str) -> Option<Value> {
    let read = source.strip_prefix("steps.")?.strip_suffix(".data")?;
    let begins = |event: &Event| {
        matches!(event, Event::StepStarted(StepStarted { step: id, direction: Direction::Do, input: Some(_), .. })
            if *id == step.id)
    };
    let before = history.entries.iter().take_while(|entry| !begins(&entry.event));
    let answers = before.filter_map(|entry| match &entry.event {
        Event::StepCompleted(e) if e.step == read && e.direction == Direction::Do => Some(e.data.clone()),
        _ => None,
    });
    Some(answers.last().unwrap_or_default())
}

//! A replay, for people: decision by decision.

use std::fmt::Write;

use domain::order::{Effect, Event, Order, summary};
use domain::replay::{Again, Change, Decision, Moment, changes, event_json, state_json};
use serde_json::{Value, json};

use super::life::{Life, Tally};
use command_line::output::screen::{self, wrapped};
use command_line::output::{Palette, Tint, printable};
use command_line::{duration, moment};

/// The longest text of a value in a change.
const MAX_VALUE: usize = 120;

/// The look of a page.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The colours.
    pub palette: Palette,
    /// Its width in columns. `None`: not limited.
    pub width: Option<usize>,
}

impl Page {
    /// The page that standard output has room for.
    pub fn of_stdout() -> Self {
        Self { palette: Palette::of_stdout(), width: screen::width() }
    }

    /// Wraps a text, and then paints it: colours take no room.
    fn put(self, to: &mut String, first: &str, text: &str, tint: Tint) {
        for line in wrapped(first, &printable(text), self.width).lines() {
            let (margin, rest) = line.split_at(line.len() - line.trim_start().len());
            // Writing to a string cannot fail.
            let _ = writeln!(to, "{margin}{}", self.palette.paint(tint, rest));
        }
    }
}

/// The replay as a text.
pub fn told(life: &Life<'_>, diff: bool, page: Page) -> (String, Tally) {
    let mut text = String::new();
    let mut before = None;
    let mut state = json!({});
    let mut number = 0;
    let tally = life.each(|decision| {
        number += 1;
        let at = decision.at();
        let after = before.zip(at).map(|(before, at)| duration::render(duration::between(before, at)));
        before = at.or(before);
        let after = after.map(|after| format!(", {after} later")).unwrap_or_default();
        let head = format!("Decision {number}, {}{after}", at.map(moment::render).unwrap_or_default());
        page.put(&mut text, "", &head, Tint::Bold);
        for moment in &decision.moments {
            event(&mut text, moment, page);
            if diff {
                let now = state_json(&moment.state);
                for change in changes(&state, &now) {
                    page.put(&mut text, "       ", &in_words(&change), Tint::Dim);
                }
                state = now;
            }
        }
        pending(&mut text, decision, page);
        again(&mut text, decision, page);
        text.push('\n');
    });
    let title = format!("Order {}: {}\n", life.order, heading(life, &tally));
    (format!("{}\n{text}", page.palette.paint(Tint::Bold, &title)), tally)
}

fn heading(life: &Life<'_>, tally: &Tally) -> String {
    let (events, all) = (life.shown.len(), life.history.len());
    let of = if life.is_whole() { String::new() } else { format!(" of {all}") };
    let again = match (tally.otherwise, tally.decisions) {
        (0, 1) => "which would be made so today".to_owned(),
        (0, _) => "each of which would be made so today".to_owned(),
        (some, _) => format!("{some} of which do not come out so today"),
    };
    let noun = if tally.decisions == 1 { "decision" } else { "decisions" };
    format!("{events}{of} events in {} {noun}, {again}", tally.decisions)
}

fn event(text: &mut String, moment: &Moment<'_>, page: Page) {
    let recorded = moment.recorded;
    let number = format!("{:>4}   ", recorded.revision);
    page.put(text, &number, &summary(&recorded.event), tint(&recorded.event));
    let why = format!("{}, because {}", recorded.event.type_name(), moment.why.text);
    page.put(text, "       ", &why, Tint::Dim);
    page.put(text, "       ", &stands(&recorded.event, &moment.state), Tint::Plain);
}

/// Business status, execution, and the step that moved.
fn stands(event: &Event, state: &Order) -> String {
    let order = format!("now {} ({})", state.status, state.state());
    match event.step() {
        Some(step) => format!("{order}, {step} {}", state.status_of(step)),
        None => order,
    }
}

fn tint(event: &Event) -> Tint {
    Tint::of_event(event.type_name())
}

fn in_words(change: &Change) -> String {
    let value = |value: &Option<Value>| {
        let text = value.as_ref().map_or_else(|| "–".to_owned(), Value::to_string);
        match text.char_indices().nth(MAX_VALUE) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    format!("{}: {} → {}", change.path, value(&change.before), value(&change.after))
}

fn pending(text: &mut String, decision: &Decision<'_>, page: Page) {
    let effects: Vec<String> = decision.pending.iter().map(effect).collect();
    let pending = if effects.is_empty() { "nothing".to_owned() } else { effects.join("; ") };
    page.put(text, "  then ", &pending, Tint::Plain);
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Perform(attempt) => {
            let undo = if attempt.direction == domain::order::Direction::Undo { "undo of " } else { "" };
            format!("{undo}{} is being asked for, attempt {}", attempt.step, attempt.number)
        }
        Effect::Tick => "something is due".to_owned(),
        Effect::WakeAt(at) => format!("nothing is due before {}", moment::render(*at)),
    }
}

fn again(text: &mut String, decision: &Decision<'_>, page: Page) {
    match &decision.again {
        Again::Same => {}
        Again::Unknown(why) => page.put(text, "  !    ", &format!("cannot be decided again: {why}"), Tint::Uneasy),
        Again::Differs(Err(why)) => {
            page.put(text, "  !    ", &format!("would be refused today: {why}"), Tint::Bad);
        }
        Again::Differs(Ok(decided)) => {
            page.put(text, "  !    ", "today it would be decided otherwise:", Tint::Bad);
            for line in differences(decision, decided) {
                page.put(text, "       ", &line, Tint::Bad);
            }
        }
    }
}

/// The events that differ, with their fields, and those that only one side has.
fn differences(decision: &Decision<'_>, decided: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    let recorded: Vec<&Event> = decision.moments.iter().map(|moment| &moment.recorded.event).collect();
    for index in 0..recorded.len().max(decided.len()) {
        match (recorded.get(index), decided.get(index)) {
            (Some(then), Some(now)) if *then == now => {}
            (Some(then), Some(now)) if then.type_name() == now.type_name() => {
                lines.push(format!("then: {}", summary(then)));
                lines.push(format!("now:  {}", summary(now)));
                lines.extend(changes(&event_json(then), &event_json(now)).iter().map(in_words));
            }
            (then, now) => {
                lines.extend(then.map(|then| format!("only then: {}", summary(then))));
                lines.extend(now.map(|now| format!("only now:  {}", summary(now))));
            }
        }
    }
    lines
}

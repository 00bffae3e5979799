//! Sizes near every limit. The log takes less at once than a real one does, so that small things
//! already are too large for it.

use domain::order::{Limits, Line, NewOrder};
use event_store::NewEvent;
use serde_json::{Map, Value};

use super::bug::Bug;
use super::dice::Dice;
use super::personal::apparent;
use super::simulation::Simulation;

/// What the log takes at once.
pub const LARGEST_APPEND: usize = 16 * 1024;
/// What follows from that, with the same room for the rest as in reality.
const LIMITS: Limits = Limits { decision: 13_500, value: 10_000, ..Limits::LOG };
/// The most data of an answer: well below what an append takes, as at the door.
const LARGEST_DATA: u64 = 4_000;
/// The most characters of a reason, or of what a participant says of an error.
const MAX_TEXT: u64 = 500;
/// What a line of an order takes as JSON, besides its name.
const LINE: usize = 70;
/// The longest name of a line.
const MAX_NAME: usize = 200;

/// How much an instance puts into one append.
pub fn limits(bug: Option<Bug>) -> Limits {
    if bug == Some(Bug::AppendsThatDoNotFit) { Limits::NONE } else { LIMITS }
}

/// How the log measures an append.
pub fn of_append(events: &[NewEvent]) -> usize {
    events.iter().map(|event| event.event_type.len() + event.data.len() + event.metadata.len()).sum()
}

/// Some orders are large: a few of their steps together, or one of them, are at a limit, or just
/// past it.
pub fn enlarge(dice: &Dice, order: &mut NewOrder) {
    if !dice.hits(300) {
        return;
    }
    let wanted = *dice.pick(&[1_000, LIMITS.decision / 4, LIMITS.decision / 2, LIMITS.value - 300, LIMITS.value + 300]);
    let Some(model) = order.lines.first().cloned() else { return };
    let lines = wanted.div_ceil(LINE + MAX_NAME);
    let name = "x".repeat((wanted / lines).saturating_sub(LINE).clamp(1, MAX_NAME));
    order.lines = (0..lines).map(|_| Line { name: Some(name.clone()), ..model.clone() }).collect();
}

/// What comes with an answer, with more or less of it.
pub fn data(simulation: &Simulation, tracking: Value) -> Value {
    let dice = &simulation.dice;
    let mut data = Map::from_iter([("tracking".to_owned(), tracking)]);
    if dice.hits(150) {
        let length = usize::try_from(*dice.pick(&[dice.within(0..LARGEST_DATA), LARGEST_DATA])).unwrap();
        data.insert("note".to_owned(), "x".repeat(length).into());
    }
    if let Some(apparent) = apparent(simulation) {
        data.insert("remark".to_owned(), apparent.into());
    }
    data.into()
}

/// A text for people, sometimes as long as it may be, in characters that take four bytes.
pub fn text(dice: &Dice, text: &str) -> String {
    if !dice.hits(150) {
        return text.to_owned();
    }
    let rest = usize::try_from(MAX_TEXT).unwrap() - text.chars().count();
    format!("{text}{}", "\u{1f69a}".repeat(rest))
}

//! How an order spent its time: which step waited, and for what.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::views::Entry;
use command_line::duration;
use command_line::output::{Palette, Tint, printable};

/// The longest name of a row.
const MAX_NAME: usize = 24;
/// The width of the page without a terminal.
const WIDTH: usize = 80;
/// The shortest and the longest bar.
const BARS: (usize, usize) = (10, 40);
/// The width of a row without its name and its bar.
const BESIDES: usize = 22;

/// What a step waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// For a participant to answer.
    Participant,
    /// For the next attempt.
    BackingOff,
    /// For a person to answer.
    Person,
    /// For time to pass.
    Timer,
    /// The order, for an operator.
    Held,
}

impl Wait {
    /// The character of its bar: bars can be distinguished without colours.
    fn sign(self) -> char {
        match self {
            Wait::Participant => '█',
            Wait::BackingOff => '▒',
            Wait::Person => '░',
            Wait::Timer => '·',
            Wait::Held => '=',
        }
    }

    fn tint(self) -> Tint {
        match self {
            Wait::Participant => Tint::Good,
            Wait::BackingOff => Tint::Uneasy,
            Wait::Person | Wait::Timer | Wait::Held => Tint::Label(0),
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Wait::Participant => "waiting for a participant",
            Wait::BackingOff => "backing off",
            Wait::Person => "waiting for a person",
            Wait::Timer => "waiting for time to pass",
            Wait::Held => "held by an operator",
        }
    }
}

/// The waits, in the order of their beginnings, and the total time.
#[derive(Debug, Default)]
pub struct Spent {
    rows: Vec<(String, BTreeMap<Wait, Duration>)>,
    whole: Duration,
}

/// The waits of a whole timeline. `until`: the end of the order, or now.
pub fn of(entries: &[Entry], until: DateTime<Utc>) -> Spent {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Spent::default() };
    let until = until.max(last.recorded_at);
    let mut spent = Spent { rows: Vec::new(), whole: duration::between(first.recorded_at, until) };
    let mut since: Vec<(String, Wait, DateTime<Utc>)> = Vec::new();
    for entry in entries {
        let Some((row, next)) = turn(entry, &since) else { continue };
        if let Some(open) = since.iter().position(|(of, ..)| *of == row) {
            let (_, wait, from) = since.swap_remove(open);
            spent.add(&row, wait, duration::between(from, entry.recorded_at));
        }
        if let Some(wait) = next {
            spent.add(&row, wait, Duration::ZERO);
            since.push((row, wait, entry.recorded_at));
        }
    }
    for (row, wait, from) in since {
        spent.add(&row, wait, duration::between(from, until));
    }
    spent
}

/// The row of an entry, and what that row waits for from then on.
fn turn(entry: &Entry, since: &[(String, Wait, DateTime<Utc>)]) -> Option<(String, Option<Wait>)> {
    let step = || {
        let step = entry.step.as_deref().unwrap_or_default();
        if entry.data["direction"] == "undo" { format!("undo of {step}") } else { step.to_owned() }
    };
    let held = || "(the order)".to_owned();
    Some(match entry.kind.as_str() {
        "StepStarted" | "StepAccepted" => (step(), Some(Wait::Participant)),
        "WaitStarted" if entry.data["mode"] == "wait" => (step(), Some(Wait::Timer)),
        "WaitStarted" => (step(), Some(Wait::Person)),
        "StepAttemptFailed" => (step(), Some(Wait::BackingOff)),
        // An answer for now: the next one is waited for.
        "StepCompleted" if !entry.data["openUntil"].is_null() => (step(), Some(Wait::Participant)),
        "StepCompleted" | "StepFailed" => (step(), None),
        "OrderPaused" => (held(), Some(Wait::Held)),
        // A cancel ends a pause as well.
        "OrderResumed" | "CompensationStarted" if since.iter().any(|(_, wait, _)| *wait == Wait::Held) => {
            (held(), None)
        }
        _ => return None,
    })
}

impl Spent {
    fn add(&mut self, row: &str, wait: Wait, time: Duration) {
        let known = self.rows.iter().position(|(name, _)| name == row);
        let index = known.unwrap_or_else(|| {
            self.rows.push((row.to_owned(), BTreeMap::new()));
            self.rows.len() - 1
        });
        *self.rows[index].1.entry(wait).or_default() += time;
    }
}

/// A bar for each row, scaled to the whole.
pub fn chart(spent: &Spent, palette: Palette, width: Option<usize>) -> String {
    if spent.rows.is_empty() || spent.whole.is_zero() {
        return String::new();
    }
    let names = spent.rows.iter().map(|(name, _)| printable(name).chars().count());
    let name_width = names.max().unwrap_or_default().min(MAX_NAME);
    let bar_width = width.unwrap_or(WIDTH).saturating_sub(name_width + BESIDES).clamp(BARS.0, BARS.1);
    let mut text = format!("{}\n", palette.paint(Tint::Bold, "Where the time went"));
    let mut used: Vec<Wait> = Vec::new();
    for (name, waits) in &spent.rows {
        let time: Duration = waits.values().sum();
        let bar = bar(waits, spent.whole, bar_width, palette);
        let name: String = printable(name).chars().take(name_width).collect();
        let share = time.as_secs_f64() / spent.whole.as_secs_f64() * 100.0;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<name_width$}  {bar} {:>10} {share:>4.0} %", duration::render(time));
        used.extend(waits.keys().filter(|wait| !used.contains(wait)).copied().collect::<Vec<_>>());
    }
    used.sort();
    let legend = used.iter().map(|wait| format!("{} {}", wait.sign(), wait.meaning())).collect::<Vec<_>>().join("  ");
    let legend = format!("{legend}; of {} in all", duration::render(spent.whole));
    text.push_str(&super::wrapped("  ", &legend, Some(width.unwrap_or(WIDTH))));
    text
}

/// A row's waits one after the other. Each wait has at least one character.
fn bar(waits: &BTreeMap<Wait, Duration>, whole: Duration, width: usize, palette: Palette) -> String {
    let (mut bar, mut drawn) = (String::new(), 0);
    for (wait, time) in waits.iter().filter(|(_, time)| !time.is_zero()) {
        let cells = cells(*time, whole, width).max(1).min(width - drawn);
        let run: String = std::iter::repeat_n(wait.sign(), cells).collect();
        bar.push_str(&palette.paint(wait.tint(), &run));
        drawn += cells;
    }
    bar.extend(std::iter::repeat_n(' ', width - drawn));
    bar
}

fn cells(time: Duration, whole: Duration, width: usize) -> usize {
    let cells = (time.as_millis() * width as u128 + whole.as_millis() / 2) / whole.as_millis().max(1);
    usize::try_from(cells).unwrap_or(width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::timeline::tests::entry;

    fn at(seconds: i64, kind: &str, step: Option<&str>, data: serde_json::Value) -> Entry {
        Entry { data, ..entry(0, seconds * 1000, kind, step, kind) }
    }

    fn story() -> Vec<Entry> {
        let charge = Some("charge");
        vec![
            at(0, "OrderPlaced", None, json!({})),
            at(0, "StepStarted", charge, json!({ "direction": "do" })),
            at(5, "StepAttemptFailed", charge, json!({ "direction": "do" })),
            at(15, "StepStarted", charge, json!({ "direction": "do" })),
            at(20, "StepCompleted", charge, json!({ "direction": "do" })),
            at(20, "WaitStarted", Some("approve"), json!({ "mode": "await" })),
            at(60, "StepCompleted", Some("approve"), json!({})),
            at(60, "WaitStarted", Some("cool-down"), json!({ "mode": "wait" })),
            at(70, "OrderPaused", None, json!({})),
            at(80, "CompensationStarted", None, json!({})),
            at(80, "StepFailed", Some("cool-down"), json!({ "direction": "do" })),
            at(80, "StepStarted", charge, json!({ "direction": "undo" })),
        ]
    }

    fn until(seconds: i64) -> DateTime<Utc> {
        at(seconds, "", None, json!({})).recorded_at
    }

    #[test]
    fn the_time_of_each_step_is_shown_by_what_it_waited_for_scaled_to_the_whole() {
        let golden = "\
Where the time went
  charge          ████▒▒▒▒                                   20.000 s   20 %
  approve         ░░░░░░░░░░░░░░░░                           40.000 s   40 %
  cool-down       ········                                   20.000 s   20 %
  (the order)     ====                                       10.000 s   10 %
  undo of charge  ████████                                   20.000 s   20 %
  █ waiting for a participant  ▒ backing off  ░ waiting for a person  · waiting
  for time to pass  = held by an operator; of 1 m 40 s in all
";
        let shown = chart(&of(&story(), until(100)), Palette::NONE, None);
        assert_eq!(shown, golden);
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_narrow_terminal_has_shorter_bars_and_what_is_short_is_still_seen() {
        let mut entries = story();
        entries.truncate(5);
        let shown = chart(&of(&entries, until(100_000)), Palette::NONE, Some(40));
        assert!(shown.contains("  charge  █▒"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 40), "{shown}");
    }

    #[test]
    fn nothing_that_lasted_is_nothing_shown() {
        assert_eq!(chart(&of(&[], until(0)), Palette::NONE, None), "");
        assert_eq!(chart(&of(&story()[..1], until(9)), Palette::NONE, None), "");
    }
}

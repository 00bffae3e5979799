//! How an order's timeline reads: as a table once it is known, and line by line as it happens.

mod following;

use std::fmt::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use following::{Followed, Following, follow};

use super::duration;
use super::output::{Palette, Tint, printable};
use super::table::{Side, Table};
use super::views::Entry;

/// The whole timeline: when, how long after the one before, which step, what, and who did it where a person did.
pub fn table(entries: &[Entry], palette: Palette) -> String {
    let mut table =
        Table::new([("AT", Side::Right), ("AFTER", Side::Right), ("STEP", Side::Left), ("WHAT HAPPENED", Side::Left)]);
    let Some(first) = entries.first() else { return String::new() };
    let mut before = first.recorded_at;
    for entry in entries {
        table.row([
            (duration::render(span(first.recorded_at, entry.recorded_at)), Tint::Plain),
            (format!("+{}", duration::render(span(before, entry.recorded_at))), Tint::Dim),
            (entry.step.clone().unwrap_or_default(), Tint::Dim),
            (sentence(entry), tint(&entry.kind)),
        ]);
        before = entry.recorded_at;
    }
    table.render(palette)
}

/// One entry of a timeline that is being followed, `first` being when it began.
pub fn line(entry: &Entry, first: DateTime<Utc>, palette: Palette) -> String {
    let at = format!("{:>10}", duration::render(span(first, entry.recorded_at)));
    let sentence = sentence(entry);
    format!("{}  {}", palette.paint(Tint::Dim, &at), palette.paint(tint(&entry.kind), &printable(&sentence)))
}

/// What happened, and who did it and why where a person did.
fn sentence(entry: &Entry) -> String {
    let mut sentence = entry.summary.clone();
    if let Some(actor) = &entry.actor {
        // Writing to a string cannot fail.
        let _ = write!(sentence, " (by {actor}");
        if let Some(reason) = &entry.reason {
            let _ = write!(sentence, ": {reason}");
        }
        sentence.push(')');
    }
    sentence
}

/// From one moment to the next; clocks of two machines may disagree, so that the next may seem to be earlier.
pub(super) fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

pub(super) fn tint(kind: &str) -> Tint {
    match kind {
        "OrderCompleted" => Tint::Good,
        "StatusChanged" | "OrderCanceled" => Tint::Bold,
        "StepAttemptFailed" | "CompensationStarted" => Tint::Uneasy,
        "StepFailed" | "OrderStuck" => Tint::Bad,
        _ => Tint::Plain,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn entry(revision: i64, millis: i64, kind: &str, step: Option<&str>, summary: &str) -> Entry {
        Entry {
            revision,
            kind: kind.to_owned(),
            recorded_at: DateTime::from_timestamp_millis(1_750_000_000_000 + millis).unwrap(),
            summary: summary.to_owned(),
            step: step.map(str::to_owned),
            actor: None,
            reason: None,
        }
    }

    pub fn story() -> Vec<Entry> {
        let by_hand = Entry {
            actor: Some("ops@shop.example".to_owned()),
            reason: Some("customer called".to_owned()),
            ..entry(4, 3_700_000, "OrderCanceled", None, "The order is canceled")
        };
        vec![
            entry(0, 0, "OrderPlaced", None, "Placed by customer VINET: 3 lines, 440.00 EUR"),
            entry(1, 3, "StepStarted", Some("create-order"), "create-order: calling orders.create"),
            entry(2, 2, "StepCompleted", Some("create-order"), "create-order: done"),
            entry(3, 65_000, "StepFailed", Some("charge"), "charge: failed for good: card\u{1b}[2J refused"),
            by_hand,
        ]
    }

    #[test]
    fn a_timeline_is_a_table_with_both_times_the_step_and_the_sentence() {
        let golden = "\
           AT        AFTER  STEP          WHAT HAPPENED
      0.000 s     +0.000 s                Placed by customer VINET: 3 lines, 440.00 EUR
      0.003 s     +0.003 s  create-order  create-order: calling orders.create
      0.002 s     +0.000 s  create-order  create-order: done
    1 m 05 s     +1 m 04 s  charge        charge: failed for good: card\\u{1b}[2J refused
    1 h 01 m     +1 h 00 m                The order is canceled (by ops@shop.example: customer called)
";
        let shown = table(&story(), Palette::NONE);
        let squeezed =
            |text: &str| text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
        assert_eq!(squeezed(&shown), squeezed(golden));
        let what = shown.lines().map(|line| line.char_indices().nth(38).unwrap().0).collect::<Vec<_>>();
        assert!(what.windows(2).all(|pair| pair[0] == pair[1]), "{shown}");
    }

    #[test]
    fn nothing_happened_is_nothing_shown() {
        assert_eq!(table(&[], Palette::NONE), "");
    }

    #[test]
    fn a_line_says_when_and_what() {
        let story = story();
        let first = story[0].recorded_at;
        assert_eq!(line(&story[1], first, Palette::NONE), "   0.003 s  create-order: calling orders.create");
        assert_eq!(
            line(&story[3], first, Palette::FULL),
            "\u{1b}[2m  1 m 05 s\u{1b}[0m  \u{1b}[31mcharge: failed for good: card\\u{1b}[2J refused\u{1b}[0m"
        );
    }
}

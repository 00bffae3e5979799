//! An order's timeline as text: as a table of the past, and line by line as it happens.

mod following;
mod persons;
pub mod spent;

use std::fmt::Write;

use chrono::{DateTime, Utc};

pub use following::{Followed, Following, follow};

use crate::views::Entry;
use command_line::duration;
use command_line::output::screen::wrapped;
use command_line::output::{Palette, Tint, printable};

/// The whole timeline: the time of each entry, the time since the one before, and the event. A
/// person's decision is in a bracket, with the person and the reason at its end.
pub fn table(entries: &[Entry], palette: Palette, width: Option<usize>) -> String {
    let Some(first) = entries.first() else { return String::new() };
    let mut rows = vec![Row::header()];
    let (mut before, mut index) = (first.recorded_at, 0);
    while let Some(head) = entries.get(index) {
        let wish = by(head);
        let together = if wish.is_some() { persons::decided_with(entries, index) } else { index + 1 };
        for (place, entry) in entries.iter().enumerate().take(together).skip(index) {
            let mark = if wish.is_none() {
                " "
            } else if place == index {
                "┌"
            } else {
                "│"
            };
            rows.push(Row {
                at: duration::render(duration::between(first.recorded_at, entry.recorded_at)),
                after: format!("+{}", duration::render(duration::between(before, entry.recorded_at))),
                mark,
                text: entry.summary.clone(),
                tint: Tint::of_event(&entry.kind),
            });
            before = entry.recorded_at;
        }
        rows.extend(wish.map(Row::of_person));
        index = together;
    }
    let widths = rows.iter().map(|row| (row.at.chars().count(), row.after.chars().count()));
    let (at, after) = widths.fold((0, 0), |(at, after), (a, b)| (at.max(a), after.max(b)));
    rows.iter().map(|row| row.render(at, after, palette, width)).collect()
}

/// A line of the table, or several lines for a long sentence.
struct Row {
    at: String,
    after: String,
    mark: &'static str,
    text: String,
    tint: Tint,
}

impl Row {
    fn header() -> Self {
        let (at, after, text) = ("AT".to_owned(), "AFTER".to_owned(), "WHAT HAPPENED".to_owned());
        Self { at, after, mark: " ", text, tint: Tint::Dim }
    }

    fn of_person(wish: String) -> Self {
        Self { at: String::new(), after: String::new(), mark: "└", text: wish, tint: Tint::Bold }
    }

    fn render(&self, at: usize, after: usize, palette: Palette, width: Option<usize>) -> String {
        let margin = format!("  {:>at$}  {:>after$} {} ", self.at, self.after, self.mark);
        let room = margin.chars().count();
        let mut text = String::new();
        for line in wrapped(&margin, &printable(&self.text), width).lines() {
            let start = line.char_indices().nth(room).map_or(line.len(), |(start, _)| start);
            let (before, rest) = line.split_at(start);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{before}{}", palette.paint(self.tint, rest));
        }
        text
    }
}

/// The person who did it, and the reason, if it was a person.
fn by(entry: &Entry) -> Option<String> {
    let actor = entry.actor.as_ref()?;
    Some(match &entry.reason {
        Some(reason) => format!("by {actor}: {reason}"),
        None => format!("by {actor}"),
    })
}

/// One entry of a timeline that is being followed, `first` being when it began.
pub fn line(entry: &Entry, first: DateTime<Utc>, palette: Palette) -> String {
    let at = format!("{:>10}", duration::render(duration::between(first, entry.recorded_at)));
    let sentence = sentence(entry);
    format!("{}  {}", palette.paint(Tint::Dim, &at), palette.paint(Tint::of_event(&entry.kind), &printable(&sentence)))
}

/// The event; if a person did it, also who and why.
fn sentence(entry: &Entry) -> String {
    match by(entry) {
        Some(wish) => format!("{} ({wish})", entry.summary),
        None => entry.summary.clone(),
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
            causation_id: None,
            data: serde_json::Value::Null,
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
            entry(1, 3, "StepStarted", Some("create-order"), "create-order: orders is asked to create"),
            entry(2, 2, "StepCompleted", Some("create-order"), "create-order: done"),
            entry(3, 65_000, "StepFailed", Some("charge"), "charge: failed for good: card\u{1b}[2J refused"),
            by_hand,
        ]
    }

    #[test]
    fn a_timeline_is_a_table_with_both_times_and_the_sentence_and_a_bracket_around_what_a_person_decided() {
        let golden = "        AT      AFTER   WHAT HAPPENED
   0.000 s   +0.000 s   Placed by customer VINET: 3 lines, 440.00 EUR
   0.003 s   +0.003 s   create-order: orders is asked to create
   0.002 s   +0.000 s   create-order: done
  1 m 05 s  +1 m 04 s   charge: failed for good: card\\u{1b}[2J refused
  1 h 01 m  +1 h 00 m ┌ The order is canceled
                      └ by ops@shop.example: customer called
";
        assert_eq!(table(&story(), Palette::NONE, None), golden);
    }

    #[test]
    fn long_sentences_go_on_below_themselves() {
        let shown = table(&story(), Palette::NONE, Some(50));
        assert!(shown.contains("Placed by customer VINET:\n                        3 lines, 440.00 EUR\n"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 50), "{shown}");
    }

    #[test]
    fn nothing_happened_is_nothing_shown() {
        assert_eq!(table(&[], Palette::NONE, None), "");
    }

    #[test]
    fn a_line_says_when_and_what() {
        let story = story();
        let first = story[0].recorded_at;
        assert_eq!(line(&story[1], first, Palette::NONE), "   0.003 s  create-order: orders is asked to create");
        assert_eq!(
            line(&story[3], first, Palette::FULL),
            "\u{1b}[2m  1 m 05 s\u{1b}[0m  \u{1b}[31mcharge: failed for good: card\\u{1b}[2J refused\u{1b}[0m"
        );
    }
}

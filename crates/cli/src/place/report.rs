//! The results of placing: counts, and the first warnings.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use super::submit::Accepted;
use super::warning::Warning;
use crate::NOT_AS_ASKED;
use crate::views::{Standing, State};
use command_line::duration;
use command_line::output::{Palette, Tint, printable};
use command_line::table::{Side, Table};
use command_line::warnings::{self, Warnings};

/// Shown instead of the status of an order that the views never had.
const UNSEEN: &str = "(not seen)";

/// The server's answers.
#[derive(Debug, Default)]
pub struct Placed {
    accepted: u64,
    refused: u64,
    failed: u64,
    /// The id of the last accepted order, which is shown if it is the only one.
    last_id: String,
    warnings: Warnings<Warning>,
}

impl Placed {
    /// An order is recorded.
    pub fn accept(&mut self, order: &Accepted) {
        self.accepted += 1;
        self.last_id.clone_from(&order.id);
    }

    /// An order is not valid.
    pub fn refuse(&mut self, warning: Warning) {
        self.refused += 1;
        self.warnings.add(warning);
    }

    /// An order could not be placed.
    pub fn fail(&mut self, warning: Warning) {
        self.failed += 1;
        self.warnings.add(warning);
    }
}

/// The last known states of the orders.
#[derive(Debug, Default)]
pub struct Rests {
    by_standing: BTreeMap<(String, Option<State>), u64>,
    warnings: Warnings<Warning>,
}

impl Rests {
    /// An order is not watched any more.
    pub fn add(&mut self, standing: Option<&Standing>, warning: Option<Warning>) {
        let standing = standing
            .map_or_else(|| (UNSEEN.to_owned(), None), |standing| (standing.status.clone(), Some(standing.state)));
        *self.by_standing.entry(standing).or_default() += 1;
        if let Some(warning) = warning {
            self.warnings.add(warning);
        }
    }

    /// How many orders have which status and state.
    pub fn by_standing(&self) -> impl Iterator<Item = (&str, Option<State>, u64)> {
        self.by_standing.iter().map(|((status, state), orders)| (status.as_str(), *state, *orders))
    }

    #[cfg(test)]
    pub fn warnings(&self) -> &[Warning] {
        self.warnings.first()
    }
}

/// The whole report.
#[derive(Debug)]
pub struct Report {
    /// Where the orders came from.
    pub input: String,
    /// The server's answers.
    pub placed: Placed,
    /// How long that took.
    pub placing_time: Duration,
    /// The last known states, if the command waited for them.
    pub rests: Option<Rests>,
    /// How long the whole command took.
    pub time: Duration,
}

impl Report {
    /// Whether all orders went as requested.
    pub fn exit_code(&self) -> ExitCode {
        let as_asked = self.all_warnings().all(Warnings::is_empty);
        if as_asked { ExitCode::SUCCESS } else { ExitCode::from(NOT_AS_ASKED) }
    }

    /// The warnings by line, the first of them at least.
    pub fn warnings(&self) -> Vec<String> {
        let mut first: Vec<&Warning> = self.all_warnings().flat_map(Warnings::first).collect();
        first.sort_by_key(|warning| warning.line);
        let untold = first.len().saturating_sub(warnings::MAX) as u64;
        let more = untold + self.all_warnings().map(Warnings::more).sum::<u64>();
        let mut lines: Vec<String> =
            first.iter().take(warnings::MAX).map(|warning| format!("{}: {warning}", self.input)).collect();
        if more > 0 {
            lines.push(format!("… and {more} more"));
        }
        lines
    }

    fn all_warnings(&self) -> impl Iterator<Item = &Warnings<Warning>> {
        [Some(&self.placed.warnings), self.rests.as_ref().map(|rests| &rests.warnings)].into_iter().flatten()
    }

    /// The summary.
    pub fn render(&self, palette: Palette) -> String {
        let answers = self.answers();
        match &self.rests {
            Some(rests) if self.placed.accepted > 0 => {
                format!("{answers}\n\n{}{}\n", standings(rests, palette), self.conclusion(rests))
            }
            _ => format!("{answers}\n"),
        }
    }

    fn answers(&self) -> String {
        let Placed { accepted, refused, failed, .. } = self.placed;
        let (time, rate) = (duration::render(self.placing_time), duration::rate(accepted, self.placing_time));
        if (accepted, refused, failed) == (1, 0, 0) {
            return format!("Order {} is placed in {time}", printable(&self.placed.last_id));
        }
        format!("{accepted} placed, {refused} refused, {failed} failed in {time}{rate}")
    }

    fn conclusion(&self, rests: &Rests) -> String {
        let rested = rests.by_standing().map(|(.., orders)| orders).sum();
        let unknown = self.placed.accepted.saturating_sub(rested);
        if unknown > 0 {
            return format!("{unknown} placed, but not watched to their rest");
        }
        format!("all done after {}{}", duration::render(self.time), duration::rate(rested, self.time))
    }
}

fn standings(rests: &Rests, palette: Palette) -> String {
    if rests.by_standing.is_empty() {
        return String::new();
    }
    let mut table = Table::new([("STATUS", Side::Left), ("STATE", Side::Left), ("ORDERS", Side::Right)]);
    for (status, state, orders) in rests.by_standing() {
        let tint = match state {
            Some(State::Completed | State::Waiting | State::Canceled) => Tint::Plain,
            Some(State::Stuck) => Tint::Bad,
            _ => Tint::Uneasy,
        };
        table.row([
            (status.to_owned(), Tint::Plain),
            (state.map_or("", State::as_str).to_owned(), tint),
            (orders.to_string(), Tint::Plain),
        ]);
    }
    table.render(palette) + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn warning(line: u64) -> Warning {
        Warning { line, order: Some(format!("{line}")), what: "refused: /currency: must be\nthree letters".to_owned() }
    }

    fn standing(status: &str, state: &str) -> Standing {
        serde_json::from_value(json!({ "status": status, "state": state, "revision": 0 })).unwrap()
    }

    fn report(placed: Placed, rests: Option<Rests>) -> Report {
        let (placing_time, time) = (Duration::from_secs(2), Duration::from_millis(62_500));
        Report { input: "orders.jsonl".to_owned(), placed, placing_time, rests, time }
    }

    fn placed(orders: u64) -> Placed {
        let mut placed = Placed::default();
        for line in 1..=orders {
            placed.accept(&Accepted { line, id: line.to_string() });
        }
        placed
    }

    #[test]
    fn the_summary_counts_by_answer_and_by_standing() {
        let mut placed = placed(5);
        placed.refuse(warning(6));
        placed.fail(warning(7));
        let mut rests = Rests::default();
        for _ in 0..3 {
            rests.add(Some(&standing("Shipped", "COMPLETED")), None);
        }
        rests.add(Some(&standing("BackOrdered", "WAITING")), None);
        rests.add(None, Some(warning(5)));
        let golden = "\
5 placed, 1 refused, 1 failed in 2.000 s (2.5 a second)

  STATUS       STATE      ORDERS
  (not seen)                   1
  BackOrdered  WAITING         1
  Shipped      COMPLETED       3

all done after 1 m 02 s (0.1 a second)
";
        let report = report(placed, Some(rests));
        assert_eq!(report.render(Palette::NONE), golden);
        assert_eq!(report.exit_code(), ExitCode::from(1));
    }

    #[test]
    fn a_single_order_is_named() {
        assert_eq!(report(placed(1), None).render(Palette::NONE), "Order 1 is placed in 2.000 s\n");
        assert_eq!(report(placed(1), None).exit_code(), ExitCode::SUCCESS);
    }

    #[test]
    fn a_watch_that_was_cut_short_says_for_how_many() {
        let text = report(placed(2), Some(Rests::default())).render(Palette::NONE);
        assert!(text.ends_with("a second)\n\n2 placed, but not watched to their rest\n"), "{text}");
    }

    #[test]
    fn the_first_twenty_warnings_are_told_by_line_and_the_rest_is_counted() {
        let mut placed = Placed::default();
        for line in (1..=30).rev() {
            placed.refuse(warning(line));
        }
        let mut rests = Rests::default();
        rests.add(None, Some(warning(3)));
        let lines = report(placed, Some(rests)).warnings();
        assert_eq!(lines.len(), 21);
        assert_eq!(lines[0], "orders.jsonl: line 3, order 3: refused: /currency: must be\\nthree letters");
        assert_eq!(lines[20], "… and 11 more");
    }
}

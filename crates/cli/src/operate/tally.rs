//! The results of a batch: counts, the first warnings, and whether all orders went as requested.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::action::OperatorAction;
use crate::NOT_AS_ASKED;
use crate::client::Verdict;
use crate::views::State;
use command_line::duration;
use command_line::output::{Palette, Tint, printable};
use command_line::table::{Side, Table};
use command_line::warnings::{self, Warnings};

/// The result for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The action was done.
    Done,
    /// A second person has to approve it.
    Waits,
    /// Nothing was done: the order has the result already, or is about to have it.
    Already(State),
    /// Nothing was done: the order had ended.
    Ended(State),
    /// Nothing was done: the order's state does not allow the action.
    Refused(State),
    /// Nothing was done: the order, or its step, does not exist.
    Unknown,
    /// Nothing was done: the request does not fit this order.
    Wrong,
    /// Not known: the server could not decide.
    Undecided,
}

impl Fate {
    fn of(action: OperatorAction, verdict: &Verdict) -> Self {
        match (verdict.status, verdict.state) {
            (202, _) if verdict.request.is_some() => Self::Waits,
            (202, _) => Self::Done,
            (404, _) => Self::Unknown,
            (409, Some(state)) if action.is_fulfilled_by(state) => Self::Already(state),
            (409, Some(state @ (State::Completed | State::Canceled))) => Self::Ended(state),
            (409, Some(state)) => Self::Refused(state),
            (400..500, _) => Self::Wrong,
            _ => Self::Undecided,
        }
    }

    fn is_as_asked(self) -> bool {
        matches!(self, Self::Done | Self::Already(_))
    }

    fn in_words(self, action: OperatorAction) -> String {
        match self {
            Self::Done => action.done().to_owned(),
            Self::Waits => "waits for the approval of a second person".to_owned(),
            Self::Already(state @ (State::Completed | State::Canceled)) | Self::Ended(state) => {
                format!("had already ended: {}", state.as_str())
            }
            Self::Already(state) => format!("no need: {}", state.as_str()),
            Self::Refused(state) => format!("refused: {}", state.as_str()),
            Self::Unknown => "not there".to_owned(),
            Self::Wrong => "refused".to_owned(),
            Self::Undecided => "not decided: try again".to_owned(),
        }
    }

    fn tint(self) -> Tint {
        match self {
            Self::Done => Tint::Good,
            Self::Already(_) | Self::Ended(_) => Tint::Plain,
            Self::Waits | Self::Refused(_) => Tint::Uneasy,
            Self::Unknown | Self::Wrong | Self::Undecided => Tint::Bad,
        }
    }

    /// The action for it in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waits => "waits",
            Self::Already(_) => "already",
            Self::Ended(_) => "ended",
            Self::Refused(_) | Self::Wrong => "refused",
            Self::Unknown => "unknown",
            Self::Undecided => "undecided",
        }
    }
}

/// A batch that a second person has to approve.
#[derive(Debug)]
pub struct Waiting {
    /// The id of the request.
    pub request: String,
    /// For how many orders.
    pub matches: u64,
    /// Until when it can be approved.
    pub expires_at: String,
}

impl Waiting {
    fn in_words(&self) -> String {
        let Self { request, matches, expires_at } = self;
        format!("{matches} orders: request {request} waits for the approval of a second person until {expires_at}")
    }
}

/// Counts the results.
#[derive(Debug)]
pub struct Tally {
    action: OperatorAction,
    fates: BTreeMap<Fate, u64>,
    /// The batches that a second person has to approve.
    waiting: Vec<Waiting>,
    warnings: Warnings<String>,
    /// The last order, which is named if it is the only one.
    last: String,
}

impl Tally {
    /// No results so far.
    pub fn of(action: OperatorAction) -> Self {
        Self { action, fates: BTreeMap::new(), waiting: Vec::new(), warnings: Warnings::default(), last: String::new() }
    }

    /// Adds the result for an order.
    pub fn add(&mut self, verdict: &Verdict) {
        let fate = Fate::of(self.action, verdict);
        *self.fates.entry(fate).or_default() += 1;
        self.last.clone_from(&verdict.order_id);
        if let Some(request) = &verdict.request {
            let told = format!("order {}: request {request} waits for approval", verdict.order_id);
            self.warnings.add(told);
        } else if !fate.is_as_asked() {
            self.warnings.add(format!("order {}: {}", verdict.order_id, verdict.problem.in_words()));
        }
    }

    /// Adds a batch that a second person has to approve.
    pub fn wait(&mut self, waiting: Waiting) {
        *self.fates.entry(Fate::Waits).or_default() += waiting.matches;
        self.waiting.push(waiting);
    }

    /// How many orders there were.
    pub fn orders(&self) -> u64 {
        self.fates.values().sum()
    }

    /// Whether all orders went as requested.
    pub fn exit_code(&self) -> ExitCode {
        let as_asked = self.fates.keys().all(|fate| fate.is_as_asked());
        if as_asked { ExitCode::SUCCESS } else { ExitCode::from(NOT_AS_ASKED) }
    }

    /// The first warnings.
    pub fn warnings(&self) -> Vec<String> {
        let waiting = self.waiting.iter().map(|waiting| printable(&waiting.in_words()).into_owned());
        let first = waiting.chain(self.warnings.first().iter().map(|warning| printable(warning).into_owned()));
        let more = self.warnings.more();
        first.chain((more > 0).then(|| format!("… and {more} more than these {}", warnings::MAX))).collect()
    }

    /// The summary, for programs.
    pub fn as_json(&self) -> Value {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (fate, orders) in &self.fates {
            *counts.entry(fate.name()).or_default() += orders;
        }
        json!({ "orders": self.orders(), "became": counts })
    }

    /// The summary.
    pub fn render(&self, time: Duration, palette: Palette) -> String {
        let (orders, span) = (self.orders(), duration::render(time));
        match (orders, self.fates.keys().next()) {
            (0, _) | (_, None) => "No order matches\n".to_owned(),
            (1, Some(fate)) if self.waiting.is_empty() => {
                format!("Order {}: {}\n", printable(&self.last), fate.in_words(self.action))
            }
            (_, Some(_)) => {
                let mut table = Table::new([("WHAT BECAME OF THEM", Side::Left), ("ORDERS", Side::Right)]);
                for (fate, orders) in &self.fates {
                    table.row([(fate.in_words(self.action), fate.tint()), (orders.to_string(), Tint::Plain)]);
                }
                format!("{}\n{orders} orders in {span}{}\n", table.render(palette), duration::rate(orders, time))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(order: &str, status: u16, state: Option<&str>) -> Verdict {
        let detail = format!("{status} it is");
        serde_json::from_value(json!({ "orderId": order, "status": status, "state": state, "detail": detail })).unwrap()
    }

    fn tally(action: OperatorAction, verdicts: &[(u16, Option<&str>)]) -> Tally {
        let mut tally = Tally::of(action);
        for (order, (status, state)) in verdicts.iter().enumerate() {
            tally.add(&verdict(&order.to_string(), *status, *state));
        }
        tally
    }

    #[test]
    fn the_summary_counts_what_became_of_the_orders() {
        let ended = (409, Some("COMPLETED"));
        let tally = tally(
            OperatorAction::Cancel,
            &[
                (202, None),
                (202, None),
                ended,
                (409, Some("CANCELED")),
                (409, Some("COMPENSATING")),
                (409, Some("STUCK")),
                (404, None),
                (503, None),
            ],
        );
        let golden = "  \
  WHAT BECAME OF THEM           ORDERS
  canceled now                       2
  no need: COMPENSATING              1
  had already ended: CANCELED        1
  had already ended: COMPLETED       1
  refused: STUCK                     1
  not there                          1
  not decided: try again             1

8 orders in 2.000 s (4.0 a second)
";
        assert_eq!(tally.render(Duration::from_secs(2), Palette::NONE), golden);
        assert_eq!(tally.exit_code(), ExitCode::from(NOT_AS_ASKED));
        assert_eq!(
            tally.warnings(),
            ["order 2: 409 it is", "order 5: 409 it is", "order 6: 404 it is", "order 7: 503 it is"]
        );
        let became = json!({ "done": 2, "already": 2, "ended": 1, "refused": 1, "unknown": 1, "undecided": 1 });
        assert_eq!(tally.as_json(), json!({ "orders": 8, "became": became }));
    }

    #[test]
    fn an_order_that_stands_where_it_should_is_as_asked() {
        for (action, state, as_asked) in [
            (OperatorAction::Cancel, "CANCELED", true),
            (OperatorAction::Cancel, "COMPENSATING", true),
            (OperatorAction::Cancel, "COMPLETED", false),
            (OperatorAction::Cancel, "STUCK", false),
            (OperatorAction::Note, "PAUSED", false),
            (OperatorAction::Pause, "PAUSED", true),
            (OperatorAction::Pause, "COMPLETED", false),
            (OperatorAction::Resume, "RUNNING", true),
            (OperatorAction::Resume, "CANCELED", false),
            (OperatorAction::Retry, "RUNNING", false),
            (OperatorAction::Skip, "WAITING", false),
        ] {
            let code = tally(action, &[(409, Some(state))]).exit_code();
            assert_eq!(code == ExitCode::SUCCESS, as_asked, "{action:?} {state}");
        }
    }

    #[test]
    fn a_single_order_is_named() {
        let one = |verdict| tally(OperatorAction::Pause, &[verdict]).render(Duration::ZERO, Palette::NONE);
        assert_eq!(one((202, None)), "Order 0: held now\n");
        assert_eq!(one((409, Some("COMPLETED"))), "Order 0: had already ended: COMPLETED\n");
        assert_eq!(tally(OperatorAction::Pause, &[]).render(Duration::ZERO, Palette::NONE), "No order matches\n");
    }
}

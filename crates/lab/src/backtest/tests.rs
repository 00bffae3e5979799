//! Outcomes of orders, counted and reported.

use std::process::ExitCode;
use std::time::Duration;

use command_line::output::Palette;
use domain::backtest::{Difference, Standing, Trial, Unknown, UnknownKind, Verdict};
use domain::order::Direction;
use rust_decimal::Decimal;
use serde_json::json;

use super::{Outcome, Tally, Worth, report};
use crate::command::backtest::exit_code;

fn tried(verdict: Verdict) -> Outcome {
    let worth = Worth { total: Decimal::new(44_010, 2), currency: "EUR".to_owned() };
    Outcome::Tried(Trial { verdict, supposed: vec!["risk.check".to_owned()] }, worth)
}

fn differs(step: Option<&str>) -> Outcome {
    let standing = |status: &str, state, is_known| Standing { status: status.to_owned(), state, is_known };
    tried(Verdict::Differs(Box::new(Difference {
        step: step.map(str::to_owned),
        revision: 7,
        then: vec![
            "ship: answered \"backordered\" for now; more is to follow".to_owned(),
            "record: …\u{1b}".to_owned(),
        ],
        now: Vec::new(),
        ended_then: standing("BackOrdered", "WAITING", true),
        ended_now: standing("Placed", "RUNNING", false),
    })))
}

fn unknown() -> Outcome {
    let (step, addressee) = ("charge".to_owned(), "payments.refund".to_owned());
    tried(Verdict::Unknown(vec![Unknown {
        step,
        direction: Direction::Undo,
        addressee,
        kind: UnknownKind::NeverAsked,
    }]))
}

fn tally(outcomes: impl IntoIterator<Item = Outcome>) -> Tally {
    let mut tally = Tally::default();
    for (number, outcome) in outcomes.into_iter().enumerate() {
        // Batches are added in any order.
        let mut other = Tally::default();
        other.note(&format!("{}", 100 - number), outcome);
        tally.add(other);
    }
    tally
}

#[test]
fn the_summary_counts_each_kind_and_tells_a_few_orders_of_it() {
    let same = || tried(Verdict::Same);
    let outcomes = [same(), differs(Some("ship")), differs(Some("ship")), differs(Some("ship")), differs(Some("ship"))];
    let more = [Outcome::Broken("event 3: unknown event type \"X\"".to_owned()), unknown(), Outcome::PassedOver];
    let shown =
        report::render(&tally(outcomes.into_iter().chain(more)), Duration::from_secs(2), Palette::NONE, Some(60));
    let golden = "  \
  OUTCOME                                           ORDERS  EXAMPLE
  the same                                               1
  differs at ship                                        4  96
  cannot be known: payments.refund was never asked       1  94
  cannot be read: unknown event type \"X\"                 1  95

  Order 96, at ship, event 7
    then  ship: answered \"backordered\" for now; more is to
          follow
          record: …\\u{1b}
    now   nothing
    ends  then BackOrdered (WAITING); now Placed (RUNNING,
          as far as it can be known)
";
    assert!(shown.starts_with(golden), "{shown}");
    assert!(shown.contains("\n  … and 1 more that differ at ship\n"), "{shown}");
    let means = "\n  4 orders (1760.40 EUR) would end Placed (RUNNING, as far\n  as it can be known), not BackOrdered (WAITING)\n";
    assert!(shown.contains(means), "{shown}");
    assert!(
        shown.ends_with("\nrisk.check was answered by a rule 6 times\n\n7 orders in 2.000 s (3.5 a second)\n"),
        "{shown}"
    );
    assert_eq!(report::render(&Tally::default(), Duration::ZERO, Palette::NONE, None), "No order matches\n");
}

#[test]
fn the_exit_code_tells_what_differs_from_what_cannot_be_known_and_from_what_was_expected() {
    let code = |outcomes: Vec<Outcome>, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|step| (*step).to_owned()).collect();
        exit_code(&tally(outcomes), &expected)
    };
    assert_eq!(code(vec![tried(Verdict::Same)], &[]), ExitCode::SUCCESS);
    assert_eq!(code(Vec::new(), &[]), ExitCode::SUCCESS);
    assert_eq!(code(vec![differs(Some("ship")), unknown()], &[]), ExitCode::from(1));
    assert_eq!(code(vec![differs(Some("ship"))], &["ship"]), ExitCode::SUCCESS);
    assert_eq!(code(vec![differs(None)], &["ship"]), ExitCode::from(1));
    assert_eq!(code(vec![differs(Some("ship")), unknown()], &["ship"]), ExitCode::from(3));
    assert_eq!(code(vec![Outcome::Broken("…".to_owned())], &[]), ExitCode::from(3));
}

#[test]
fn programs_get_a_line_for_each_order_that_is_not_the_same_and_one_for_all() {
    assert_eq!(report::line("1", &tried(Verdict::Same)), None);
    let line = report::line("1", &differs(Some("ship"))).unwrap();
    assert_eq!((&line["verdict"], &line["step"], &line["revision"]), (&json!("differs"), &json!("ship"), &json!(7)));
    assert_eq!(line["endedNow"], json!({ "status": "Placed", "state": "RUNNING", "known": false }));
    let line = report::line("1", &unknown()).unwrap();
    let missing =
        json!({ "step": "charge", "direction": "undo", "action": "payments.refund", "because": "never-asked" });
    assert_eq!(line["unknown"][0], missing);
    let summary = report::summary(&tally([unknown(), tried(Verdict::Same)]), Duration::from_secs(1));
    assert_eq!((&summary["orders"], &summary["same"], &summary["unknown"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(summary["unknownOf"][0]["action"], "payments.refund");
    assert_eq!(summary["unknownOf"][0]["examples"], json!(["100"]));
}

#[test]
fn orders_that_would_end_otherwise_are_summed_by_their_ends_and_by_currency() {
    let mut tally = tally([differs(Some("ship")), differs(None), tried(Verdict::Same), unknown()]);
    let Outcome::Tried(trial, worth) = differs(Some("ship")) else { panic!("an order that was tried") };
    let mut other = Tally::default();
    other.note("1", Outcome::Tried(trial, Worth { currency: "USD".to_owned(), ..worth }));
    tally.add(other);
    let ends = &report::summary(&tally, Duration::ZERO)["ends"];
    let expected = json!([{
        "then": { "status": "BackOrdered", "state": "WAITING", "known": true },
        "now": { "status": "Placed", "state": "RUNNING", "known": false },
        "orders": 3,
        "totals": [{ "currency": "EUR", "amount": "880.20" }, { "currency": "USD", "amount": "440.10" }],
    }]);
    assert_eq!(*ends, expected);
}

#[test]
fn an_order_that_differs_and_ends_the_same_is_in_no_sum() {
    let Outcome::Tried(Trial { verdict: Verdict::Differs(difference), supposed }, worth) = differs(Some("ship")) else {
        panic!("an order that differs")
    };
    let verdict = Verdict::Differs(Box::new(Difference { ended_now: difference.ended_then.clone(), ..*difference }));
    let tally = tally([Outcome::Tried(Trial { verdict, supposed }, worth)]);
    assert_eq!((tally.differing(), report::summary(&tally, Duration::ZERO)["ends"].clone()), (1, json!([])));
}

#[test]
fn reasons_are_distinguished_up_to_a_bound() {
    let mut tally = Tally::default();
    for number in 0..150 {
        tally.note(&format!("{number}"), Outcome::Broken(format!("event 3: no type {number}")));
    }
    assert_eq!((tally.broken.len(), tally.broken["other reasons"].orders), (101, 50));
}

//! Past orders, run through other definitions. The tests of the fault matrix check that each of its
//! lives is the same under its own definition.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use uuid::Uuid;

use crate::order::{CustomerKey, Direction, Event, Limits, Operation};
use crate::testing::{Story, answered, done, order, refused, unclear};

pub(super) const SOURCE: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  charge: { call: p.charge, with: { amount: order.total }, undo: p.refund, retry: { attempts: 3, initial: 1s } }
  ship: { after: [charge], request: p.ship, undo: p.unship, timeout: 3d, outcomes: [shipped, none], compensate-on: [none] }
  thank: { after: [ship], call: p.thank, sets-status: Shipped }
compensated:
  sorry: { call: p.sorry, sets-status: Canceled }
result: steps.ship.data
";

pub(super) fn workflow(source: &str) -> Workflow {
    Workflow::parse(source).unwrap_or_else(|faults| panic!("{faults}"))
}

/// An order under `SOURCE`, shipped after an hour.
pub(super) fn shipped() -> Past {
    let workflow = workflow(SOURCE);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("charge", unclear("503")).whatever();
    story.tick_after(Duration::from_secs(1)).whatever();
    story.answer("charge", done()).whatever();
    story.answer("ship", crate::order::Reply::Accepted).whatever();
    story.pass(Duration::from_hours(1));
    story.signal_with("ship", "shipped", json!({ "tracking": "T" }), None).whatever();
    story.answer("thank", done()).whatever();
    Past::of(story.history().to_vec()).unwrap()
}

/// The same order, whose personal data cannot be read.
pub(super) fn shipped_and_sealed() -> Past {
    let key = CustomerKey::new(Uuid::from_u128(1), &[7; CustomerKey::LENGTH]).unwrap();
    let mut events = shipped().events;
    let Some(Event::OrderPlaced(placed)) = events.first_mut() else { panic!("an order is placed first") };
    **placed = placed.sealed_with(&key, Uuid::from_u128(1)).unwrap();
    Past::of(events).unwrap()
}

/// An order under `SOURCE` that is not in stock.
pub(super) fn undone() -> Past {
    let workflow = workflow(SOURCE);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("charge", done()).whatever();
    story.signal("ship", "none").whatever();
    story.answer("charge", done()).whatever();
    story.answer("sorry", done()).whatever();
    Past::of(story.history().to_vec()).unwrap()
}

pub(super) fn tried(past: &Past, source: &str) -> Verdict {
    tried_with(past, source, &Options::default()).verdict
}

pub(super) fn tried_with(past: &Past, source: &str, options: &Options) -> Trial {
    backtest(&workflow(source), past, options).unwrap()
}

/// The event at which the run first differs.
pub(super) fn event_at<'p>(past: &'p Past, difference: &Difference) -> &'p Event {
    &past.events[usize::try_from(difference.revision).unwrap()]
}

#[track_caller]
pub(super) fn difference(verdict: Verdict) -> Difference {
    match verdict {
        Verdict::Differs(difference) => *difference,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(super) fn unknown(verdict: Verdict) -> Vec<(String, UnknownKind)> {
    match verdict {
        Verdict::Unknown(unknown) => unknown.into_iter().map(|unknown| (unknown.addressee, unknown.kind)).collect(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn rules(text: &str, source: &str) -> Options {
    let rules = Rules::parse(text, &workflow(source)).unwrap_or_else(|faults| panic!("{faults}"));
    Options { rules: Some(rules), same_input: false }
}

#[test]
fn an_order_is_the_same_under_its_own_definition() {
    assert_eq!(tried(&shipped(), SOURCE), Verdict::Same);
    assert_eq!(tried(&undone(), SOURCE), Verdict::Same);
}

#[test]
fn only_guards_that_read_sealed_personal_data_make_the_verdict_unknown() {
    let past = shipped_and_sealed();
    assert_eq!(tried(&past, SOURCE), Verdict::Same);
    let guarded = |guard: &str| SOURCE.replace("call: p.thank", &format!("call: p.thank, when: \"{guard}\""));
    assert_eq!(tried(&past, &guarded("order.customer.email != null && order.customer.id != 'nobody'")), Verdict::Same);
    let looked = tried(&past, &guarded("order.customer.name != null && order.customer.name.startsWith('V')"));
    assert_eq!(unknown(looked), [("p.thank".to_owned(), UnknownKind::PersonalData)]);
}

#[test]
fn names_of_steps_times_and_attempts_change_nothing() {
    let other = SOURCE.replace("charge: {", "take-money: {").replace("after: [charge]", "after: [take-money]");
    assert_eq!(tried(&shipped(), &other), Verdict::Same);
    assert_eq!(tried(&undone(), &other), Verdict::Same);
    let patient = SOURCE.replace("attempts: 3", "attempts: 30").replace("timeout: 3d", "timeout: 2h");
    assert_eq!(tried(&shipped(), &patient), Verdict::Same);
}

#[test]
fn serial_steps_may_become_parallel_but_must_not_be_reversed() {
    let side_by_side = SOURCE.replace("ship: { after: [charge], ", "ship: { ");
    assert_eq!(tried(&shipped(), &side_by_side), Verdict::Same);
    let turned = SOURCE
        .replace("ship: { after: [charge], ", "ship: { ")
        .replace("charge: { call", "charge: { after: [ship], call");
    let difference =
        difference(tried(&shipped(), &turned.replace("thank: { after: [ship]", "thank: { after: [charge]")));
    assert_eq!(difference.step.as_deref(), Some("ship"));
}

#[test]
fn fewer_attempts_differ_at_the_missing_attempt() {
    let difference = difference(tried(&shipped(), &SOURCE.replace("attempts: 3", "attempts: 1")));
    assert_eq!((difference.step.as_deref(), difference.revision), (Some("charge"), 2));
    assert!(difference.now[0].contains("503"), "{difference:?}");
    assert!(difference.now.iter().any(|sentence| sentence.contains("being undone")), "{difference:?}");
    assert_eq!(difference.ended_then.status, "Shipped");
    assert!(!difference.ended_now.is_known, "the history has no answer to a refund");
}

#[test]
fn an_answer_that_took_longer_than_the_new_time_out_is_too_late() {
    let difference = difference(tried(&shipped(), &SOURCE.replace("timeout: 3d", "timeout: 30m")));
    assert_eq!(difference.step.as_deref(), Some("ship"));
}

#[test]
fn a_removed_step_differs_at_the_event_that_started_it() {
    let without = SOURCE.replace("  thank: { after: [ship], call: p.thank, sets-status: Shipped }\n", "");
    let difference = difference(tried(&shipped(), &without));
    assert_eq!(difference.step.as_deref(), Some("thank"));
    assert!(difference.then.iter().any(|sentence| sentence.contains("thank")), "{difference:?}");
    assert!(difference.now.iter().any(|sentence| sentence.contains("completed")), "{difference:?}");
    assert_eq!(difference.ended_now, Standing { status: "Placed".into(), state: "COMPLETED", is_known: true });
}

#[test]
fn an_action_that_was_never_requested_is_unknown_unless_a_rule_answers() {
    let more = SOURCE
        .replace("  ship: { after: [charge]", "  check: { after: [charge], call: p.check, outcomes: [good, bad], compensate-on: [bad] }\n  ship: { after: [check]");
    assert_eq!(unknown(tried(&shipped(), &more)), [("p.check".to_owned(), UnknownKind::NeverAsked)]);
    let good =
        rules("answers: { p.check: [{ when: double(order.total) > 100.0, outcome: bad }, { outcome: good }] }", &more);
    let trial = tried_with(&shipped(), &more, &good);
    assert_eq!((trial.verdict, trial.supposed), (Verdict::Same, vec!["p.check".to_owned()]));
    let bad = rules("answers: { p.check: [{ outcome: bad }], p.refund: [{}], p.sorry: [{}] }", &more);
    let difference = difference(tried_with(&shipped(), &more, &bad).verdict);
    assert_eq!(difference.ended_now, Standing { status: "Canceled".into(), state: "CANCELED", is_known: true });
}

#[test]
fn a_rule_reads_the_end_of_the_history_and_replaces_its_answer() {
    let overruled = rules(
        "answers:
  p.ship: [{ when: \"'shipped' in steps.ship.outcomes && steps.ship.data.tracking == 'T'\", outcome: none }]
  p.refund: [{}]
  p.sorry: [{}]",
        SOURCE,
    );
    let difference = difference(tried_with(&shipped(), SOURCE, &overruled).verdict);
    assert_eq!((difference.step.as_deref(), difference.ended_now.state), (Some("ship"), "CANCELED"));
    // If the guard has no value or does not hold, the history answers.
    assert_eq!(
        tried_with(&undone(), SOURCE, &rules("answers: { p.ship: [{ when: steps.shop.outcome == 'x' }] }", SOURCE))
            .verdict,
        Verdict::Same
    );
}

#[test]
fn another_input_matters_if_the_history_shows_it_or_the_caller_requires_it() {
    let otherwise = SOURCE.replace("amount: order.total", "amount: order.total, note: \"'now'\"");
    assert_eq!(tried(&shipped(), &otherwise), Verdict::Same);
    let strict = Options { same_input: true, ..Options::default() };
    let verdict = tried_with(&shipped(), &otherwise, &strict).verdict;
    assert_eq!(unknown(verdict), [("p.charge".to_owned(), UnknownKind::OtherInput)]);

    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  first: { call: p.ask, with: { n: '1' } }
  second: { after: [first], call: p.ask, with: { n: '2' } }
";
    let then = workflow(source);
    let mut story = Story::given(&then);
    story.place(order()).whatever();
    story.answer("first", answered("yes")).whatever();
    story.answer("second", answered("no")).whatever();
    let past = Past::of(story.history().to_vec()).unwrap();
    assert_eq!(tried(&past, source), Verdict::Same);
    let verdict = tried(&past, &source.replace("n: '2'", "n: '3'"));
    assert_eq!(unknown(verdict), [("p.ask".to_owned(), UnknownKind::OtherInput)]);
}

#[test]
fn an_unfinished_order_is_compared_up_to_its_last_event() {
    let then = workflow(SOURCE);
    let mut story = Story::given(&then);
    story.place(order()).whatever();
    story.answer("charge", done()).whatever();
    story.answer("ship", crate::order::Reply::Accepted).whatever();
    let past = Past::of(story.history().to_vec()).unwrap();
    assert_eq!(tried(&past, SOURCE), Verdict::Same);
    let without = SOURCE.replace("  charge: { call: p.charge, with: { amount: order.total }, undo: p.refund, retry: { attempts: 3, initial: 1s } }\n", "").replace("after: [charge], ", "");
    assert_eq!(difference(tried(&past, &without)).step.as_deref(), Some("charge"));
}

#[test]
fn operators_operations_are_repeated_at_the_same_point() {
    let then = workflow(SOURCE);
    let mut story = Story::given(&then);
    story.place(order()).whatever();
    story.answer("charge", done()).whatever();
    story.operate(Operation::Pause).whatever();
    story.pass(Duration::from_hours(100));
    story.operate(Operation::Resume).whatever();
    story.answer("ship", crate::order::Reply::Accepted).whatever();
    story.operate(Operation::Cancel).whatever();
    story.undone_later("ship").whatever();
    story.answer("ship", refused("too late")).whatever();
    story.operate(Operation::Skip { step: "ship".into(), outcome: None, data: Value::Null }).whatever();
    story.answer("charge", done()).whatever();
    story.answer("sorry", done()).whatever();
    let past = Past::of(story.history().to_vec()).unwrap();
    assert_eq!(tried(&past, SOURCE), Verdict::Same);
    // A definition without the undo does not undo it.
    let cannot = SOURCE.replace("undo: p.refund, ", "");
    assert_eq!(difference(tried(&past, &cannot)).step.as_deref(), Some("charge"));
}

#[test]
fn a_back_ordered_order_differs_at_shipping_under_a_definition_without_back_orders() {
    let with = workflow(include_str!("../../../workflows/order-fulfilment.yaml"));
    let without = include_str!("../../../workflows/order-fulfilment-without-backorder.yaml");
    let mut story = Story::given(&with);
    story.place(order()).whatever();
    for step in ["create-order", "charge"] {
        story.answer(step, done()).whatever();
    }
    story.answer("ship", crate::order::Reply::Accepted).whatever();
    story.signal("ship", "backordered").whatever();
    story.answer("record-backorder", done()).whatever();
    story.answer("notify-backorder", done()).whatever();
    let past = Past::of(story.history().to_vec()).unwrap();
    let parts = difference(tried(&past, without));
    assert_eq!((parts.step.as_deref(), parts.ended_then.status.as_str()), (Some("ship"), "BackOrdered"));
    assert!(parts.then[0].contains("backordered"), "{parts:?}");
    assert!(parts.now[0].contains("does not know the outcome \"backordered\""), "{parts:?}");

    let mut story = Story::given(&with);
    story.place(order()).whatever();
    for step in ["create-order", "charge"] {
        story.answer(step, done()).whatever();
    }
    story.signal_with("ship", "shipped", json!({ "tracking": "T" }), None).whatever();
    story.answer("record-shipped", done()).whatever();
    story.answer("notify-shipped", done()).whatever();
    assert!(story.state().ended());
    assert_eq!(tried(&Past::of(story.history().to_vec()).unwrap(), without), Verdict::Same);
}

const FOUR: &str = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a, undo: p.not-a }
  b: { call: p.b, undo: p.not-b }
  c: { call: p.c, undo: p.not-c }
  d: { call: p.d, undo: p.not-d }
";

/// An order under `FOUR` on a log that takes one event at a time: two of its steps have begun.
fn in_parts(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow).within(Limits { decision: 1, ..Limits::LOG });
    story.place(order()).whatever();
    story.tick_after(Duration::ZERO).whatever();
    story.tick_after(Duration::ZERO).whatever();
    assert_eq!(story.state().steps.len(), 2);
    story
}

/// The order until its end. The rest of a split decision is recorded as soon as it is due.
fn to_its_end(mut story: Story<'_>) -> Past {
    while !story.state().ended() {
        match story.in_flight().first().filter(|_| story.state().split.is_none()) {
            Some(attempt) => story.answer(&attempt.step, done()).whatever(),
            None => story.tick_after(Duration::ZERO).whatever(),
        }
    }
    assert!(story.history().iter().filter(|event| event.type_name() == "DecisionSplit").count() > 3);
    Past::of(story.history().to_vec()).unwrap()
}

#[test]
fn the_rest_of_a_split_decision_comes_when_it_was_recorded_or_not_at_all() {
    let workflow = workflow(FOUR);
    let whole = in_parts(&workflow);
    let (mut refused_before, mut canceled, mut held) = (whole.clone(), whole.clone(), whole.clone());
    assert_eq!(tried(&to_its_end(whole), FOUR), Verdict::Same);
    // Two steps never began, so their answers are unknown. The run must not need them.
    refused_before.answer("a", refused("no")).whatever();
    canceled.operate(Operation::Cancel).whatever();
    for story in [refused_before, canceled] {
        let past = to_its_end(story);
        assert!(past.requests.iter().all(|request| request.step == "a" || request.step == "b"));
        assert_eq!(tried(&past, FOUR), Verdict::Same);
    }
    held.operate(Operation::Pause).whatever();
    held.answer("b", done()).whatever();
    held.operate(Operation::Resume).whatever();
    assert_eq!(tried(&to_its_end(held), FOUR), Verdict::Same);
}

#[test]
fn a_definition_that_continues_an_abandoned_split_decision_differs() {
    let workflow = workflow(FOUR);
    let mut story = in_parts(&workflow);
    story.answer("a", refused("no")).whatever();
    let past = to_its_end(story);
    // Whether the rest comes before the refusal does not depend on the definition. That all of it
    // waits for `b` does.
    let in_turn = FOUR.replace("c: { call", "c: { after: [b], call").replace("d: { call", "d: { after: [b], call");
    assert_eq!(tried(&past, &in_turn), Verdict::Same);
    let tolerant = FOUR.replace("a: { call: p.a, undo: p.not-a }", "a: { call: p.a2 }");
    assert!(!matches!(tried(&past, &tolerant), Verdict::Same));
}

#[test]
fn a_file_of_rules_is_checked_with_line_and_column() {
    for (text, fault) in [
        (
            "answers: { p.chrage: [{}] }",
            "1:12: answers.p.chrage: is not requested by the workflow; did you mean 'p.charge'?",
        ),
        ("answers: { p.charge: {} }", "1:22: answers.p.charge: must be a list of rules, is a map"),
        ("answers: { p.charge: [] }", "1:22: answers.p.charge: must hold from 1 to 1000 rules"),
        (
            "answers: { p.charge: [{ wen: a }] }",
            "1:25: answers.p.charge[0].wen: is an unknown key; did you mean 'when'?",
        ),
        (
            "answers:\n  p.charge:\n    - { when: ordr.total }",
            "3:15: answers.p.charge[0].when: there is no 'ordr'; there are 'order' and 'steps'",
        ),
        ("answers: { p.charge: [{ when: a b }] }", "1:33: answers.p.charge[0].when: is not an expression"),
        (
            "answers: { p.charge: [{ refuse: no, outcome: x }] }",
            "1:37: answers.p.charge[0].outcome: has no meaning where 'refuse' stands",
        ),
        ("persons: { approval: [{}] }", "1:12: persons.approval: is not requested by the workflow"),
        ("answer: {}", "1:1: answer: is an unknown key; did you mean 'answers'?"),
    ] {
        let faults = Rules::parse(text, &workflow(SOURCE)).unwrap_err().to_string();
        assert!(faults.starts_with(fault), "{text}: {faults}");
    }
}

#[test]
fn data_of_a_rule_have_the_types_that_they_look_like() {
    let text =
        "answers: { p.ship: [{ outcome: shipped, data: { n: 1.5, yes: true, text: '1', list: [a, ~], big: 1e400 } }] }";
    let trial = tried_with(&shipped(), SOURCE, &rules(text, SOURCE));
    // The outcome and the course are the same, but the result is what the rule says.
    let parts = difference(trial.verdict);
    assert_eq!(parts.step, None);
    assert!(Past::of(Vec::new()).is_err());
    assert_eq!(Direction::Do.as_str(), "do");
}

#[test]
fn a_late_answer_settles_a_failed_step() {
    let source = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  pay: { call: p.pay, undo: p.refund }
  send: { after: [pay], request: p.send, undo: p.recall, timeout: 1h, retry: { attempts: 1 } }
  tell: { after: [send], request: p.tell, timeout: 1h }
";
    let workflow = workflow(source);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", done()).whatever();
    story.answer("send", crate::testing::misconfigured("answered 401")).whatever();
    story.signal("send", "sent").whatever();
    story.refuse_later("tell", Direction::Do, "no wire").whatever();
    story.answer("send", crate::order::Reply::Accepted).whatever();
    story.tick_after(Duration::from_hours(1)).whatever();
    story.undone_later("send").whatever();
    story.answer("pay", done()).whatever();
    let past = Past::of(story.history().to_vec()).unwrap();
    assert_eq!(tried(&past, source), Verdict::Same);
}

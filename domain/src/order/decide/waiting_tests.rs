//! Steps that wait for a time or a person, and participants that are reached by events.

use std::time::Duration;

use serde_json::json;

use super::tests::workflow;
use crate::order::{Basis, Direction, Effect, Event, Mode, Operation, Refusal, Reply, State, StepStatus, request_id};
use crate::testing::{Story, done, order};

const PLACED: &str = "Placed by customer VINET: 1 line, 14.00 EUR";

#[test]
fn a_wait_ends_at_its_deadline_and_not_before() {
    let workflow = workflow("steps:\n  cool-down: { wait: 250ms }\n  go: { after: [cool-down], call: p.go }");
    let mut story = Story::given(&workflow);
    story.place(order()).then(&[PLACED, "cool-down: waiting until 1970-01-01 00:00:00 UTC"]);
    assert_eq!((story.state().state(), story.state().steps["cool-down"].mode), (State::Waiting, Some(Mode::Wait)));
    story.tick_after(Duration::from_millis(249)).then(&[]);
    story.tick_after(Duration::from_millis(1)).then(&["cool-down: the wait is over", "go: p is asked to go"]);
}

#[test]
fn a_wait_may_last_a_year() {
    let workflow = workflow("steps:\n  ripen: { wait: 366d }\n  go: { after: [ripen], call: p.go }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.tick_after(Duration::from_hours(366 * 24 - 1)).then(&[]);
    story.tick_after(Duration::from_hours(1)).then(&["ripen: the wait is over", "go: p is asked to go"]);
}

const APPROVAL: &str = "steps:
  approve:
    await: approval
    with: { total: order.total }
    timeout: 2d
    outcomes: [approved, rejected]
    on-timeout: rejected
    compensate-on: [rejected]
  go: { after: [approve], call: p.go }";

#[test]
fn a_person_answers_once() {
    let workflow = workflow(APPROVAL);
    let mut story = Story::given(&workflow);
    story.place(order()).then(&[PLACED, "approve: waiting for a person (approval), until 1970-01-03 00:00:00 UTC"]);
    assert_eq!(*story.state().steps["approve"].input, json!({ "total": "14.00" }));
    let unknown = Refusal::UnknownOutcome {
        step: "approve".to_owned(),
        outcome: "perhaps".to_owned(),
        known: vec!["approved".to_owned(), "rejected".to_owned()],
    };
    story.signal("approve", "perhaps").then_refused(&unknown);
    story.signal("approve", "approved").then(&["approve: answered \"approved\"", "go: p is asked to go"]);
    let recorded = "answered \"approved\"".to_owned();
    let contradicts = Refusal::Contradicts { step: "approve".to_owned(), state: State::Running, recorded };
    story.signal("approve", "rejected").then_refused(&contradicts);
}

#[test]
fn where_no_person_answers_in_time_the_default_is_assumed() {
    let workflow = workflow(APPROVAL);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    let events = story.tick_after(Duration::from_hours(48)).events();
    assert!(matches!(&events[0], Event::StepCompleted(e) if e.outcome == "rejected" && e.basis == Basis::Deadline));
    assert_eq!(story.state().state(), State::Canceled);
}

#[test]
fn an_order_without_a_default_outcome_is_compensated() {
    let workflow = workflow(
        "steps:\n  create: { call: p.create, undo: p.cancel }\n  approve: { after: [create], await: approval, timeout: 1h }",
    );
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("create", done()).whatever();
    story.tick_after(Duration::from_hours(1)).then(&[
        "approve: failed for good: no answer in time",
        "The order cannot be kept and is being undone: no answer in time",
        "undo of create: p is asked to cancel",
    ]);
}

#[test]
fn a_request_can_have_a_default_too() {
    let workflow = workflow("steps:\n  ask: { request: p.ask, timeout: 1h, on-timeout: silent }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("ask", Reply::Accepted).whatever();
    story
        .tick_after(Duration::from_hours(1))
        .then(&["ask: not answered in time, and so taken for \"silent\"", "The order is completed"]);
}

#[test]
fn a_step_whose_refusal_is_only_assumed_may_have_acted() {
    let workflow = workflow(
        "steps:
  ask: { request: p.ask, undo: p.take-back, timeout: 1h, outcomes: [yes-, no-], compensate-on: [no-], on-timeout: no- }",
    );
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("ask", Reply::Accepted).whatever();
    story.tick_after(Duration::from_hours(1)).then(&[
        "ask: not answered in time, and so taken for \"no-\"",
        "The order cannot be kept and is being undone: ask answered \"no-\"",
        "undo of ask: p is asked to take-back",
    ]);
}

const BY_EVENTS: &str = "workflow: w
version: 1
participants:
  e: { events: true }
steps:
  reserve: { request: e.reserve, undo: e.release, timeout: 1h }
  pack: { after: [reserve], request: e.pack }";

#[test]
fn a_participant_that_is_reached_by_events_undoes_later() {
    let workflow = crate::workflow::Workflow::parse(BY_EVENTS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("reserve", Reply::Accepted).whatever();
    story.signal("reserve", "done").then(&["reserve: done", "pack: e is asked to pack"]);
    story.answer("pack", Reply::Accepted).whatever();
    story.refuse_later("pack", Direction::Do, "no box").then(&[
        "pack: failed for good: no box",
        "The order cannot be kept and is being undone: no box",
        "undo of reserve: e is asked to release",
    ]);
    story
        .answer("reserve", Reply::Accepted)
        .then(&["undo of reserve: taken on, to be answered by 1970-01-01 01:00:00 UTC"]);
    assert_eq!(story.state().steps["reserve"].status(), StepStatus::Compensating);
    story.undone_later("reserve").then(&[
        "undo of reserve: done",
        "Everything that was done is undone",
        "The order is canceled",
    ]);
    story.refuse_later("pack", Direction::Do, "no box").then(&[]);
}

#[test]
fn an_undo_that_is_never_answered_leaves_the_order_stuck() {
    let workflow = crate::workflow::Workflow::parse(BY_EVENTS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("reserve", Reply::Accepted).whatever();
    story
        .refuse_later("reserve", Direction::Undo, "not asked")
        .then_refused(&Refusal::NotWaiting { step: "reserve".to_owned(), state: State::Waiting });
    story.signal("reserve", "done").whatever();
    story.refuse_later("pack", Direction::Do, "no box").whatever();
    story.answer("reserve", Reply::Accepted).whatever();
    story.tick_after(Duration::from_hours(1)).then(&[
        "undo of reserve: failed for good: no answer in time",
        "The order is stuck and needs a person: e.release failed for good: no answer in time",
    ]);
}

#[test]
fn an_old_refusal_does_not_answer_an_operators_new_request() {
    let workflow = crate::workflow::Workflow::parse(BY_EVENTS).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("reserve", Reply::Accepted).whatever();
    story.signal("reserve", "done").whatever();
    story.refuse_later("pack", Direction::Do, "no box").whatever();
    let asked_as = |story: &Story<'_>| match &story.pending()[..] {
        [Effect::Perform(attempt), ..] => {
            request_id(&story.state().placed.order_id, &attempt.step, attempt.direction, attempt.since)
        }
        other => panic!("{other:?}"),
    };
    let first = asked_as(&story);
    // A second attempt at the same request: the first was never recorded as sent.
    story.answer("reserve", crate::testing::unclear("no log")).whatever();
    story.tick_after(Duration::from_mins(1)).then(&["undo of reserve: e is asked to release again (attempt 2)"]);
    assert_eq!(asked_as(&story), first);
    story.answer("reserve", Reply::Accepted).whatever();
    let no = |story: &mut Story<'_>, request| story.refuse_request("reserve", Direction::Undo, "jammed", Some(request));
    no(&mut story, first).then(&[
        "undo of reserve: failed for good: jammed",
        "The order is stuck and needs a person: e.release failed for good: jammed",
    ]);
    story.operate(Operation::Retry { step: None }).then(&["undo of reserve: e is asked to release again (attempt 3)"]);
    let second = asked_as(&story);
    assert_ne!(second, first);
    no(&mut story, first).then(&[]);
    no(&mut story, second).whatever();
    assert_eq!(story.state().state(), State::Stuck);
}

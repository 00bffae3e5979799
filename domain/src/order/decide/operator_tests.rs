//! Operators' operations: cancel, note, pause, resume, retry, skip.

use std::time::Duration;

use serde_json::{Value, json};

use super::tests::workflow;
use crate::order::{Operation, Refusal, Reply, State, StepStatus};
use crate::testing::{Story, done, order, refused, unclear};

const STEPS: &str = "steps:
  create: { call: p.create, undo: p.delete }
  ship: { after: [create], request: p.ship, undo: p.unship, timeout: 1h, outcomes: [shipped, lost] }
  tell: { after: [ship], call: p.tell }
compensated:
  note: { call: p.note, retry: { attempts: 1 } }";

fn skip(step: &str, outcome: Option<&str>) -> Operation {
    Operation::Skip { step: step.to_owned(), outcome: outcome.map(str::to_owned), data: Value::Null }
}

fn retry(step: Option<&str>) -> Operation {
    Operation::Retry { step: step.map(str::to_owned) }
}

fn not_now(operation: &'static str, state: State) -> Refusal {
    Refusal::NotNow { operation, state }
}

/// An order that waits for its shipment.
fn shipping(workflow: &crate::workflow::Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.answer("create", done()).whatever();
    story.answer("ship", Reply::Accepted).whatever();
    story
}

#[test]
fn a_cancel_gives_up_waits_and_undoes_completed_steps() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    story.operate(Operation::Cancel).then(&[
        "The order is being undone: canceled by ann: asked for",
        "ship: failed for good: given up, because the order is being undone",
        "undo of ship: p is asked to unship",
    ]);
    story.operate(Operation::Cancel).then_refused(&not_now("cancel", State::Compensating));
    story.answer("ship", done()).whatever();
    story.answer("create", done()).whatever();
    story.answer("note", done()).whatever();
    story.operate(Operation::Cancel).then_refused(&not_now("cancel", State::Canceled));
}

#[test]
fn a_cancel_interrupts_a_back_off_and_waits_for_an_attempt_in_flight() {
    let workflow = workflow(STEPS);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("create", unclear("503")).whatever();
    story.clone().operate(Operation::Cancel).then(&[
        "The order is being undone: canceled by ann: asked for",
        "create: failed for good: given up, because the order is being undone",
        "undo of create: p is asked to delete",
    ]);
    story.tick_after(Duration::from_secs(1)).then(&["create: p is asked to create again (attempt 2)"]);
    story.operate(Operation::Cancel).then(&["The order is being undone: canceled by ann: asked for"]);
    story.answer("create", done()).then(&["create: done", "undo of create: p is asked to delete"]);
}

#[test]
fn a_paused_order_records_answers_and_starts_nothing() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    story.operate(Operation::Pause).then(&["The order is put on hold"]);
    assert_eq!((story.state().state(), story.pending()), (State::Paused, vec![]));
    story.operate(Operation::Pause).then_refused(&not_now("pause", State::Paused));
    story.operate(retry(None)).then_refused(&not_now("retry", State::Paused));
    story.signal_with("ship", "shipped", json!({ "tracking": "T-1" }), Some("k")).then(&["ship: answered \"shipped\""]);
    story.signal_with("ship", "shipped", json!({ "tracking": "T-1" }), Some("k")).then(&[]);
    story.tick_after(Duration::from_hours(48)).then(&[]);
    story.operate(Operation::Resume).then(&["The order goes on", "tell: p is asked to tell"]);
    story.operate(Operation::Resume).then_refused(&not_now("resume", State::Running));
}

#[test]
fn a_pause_moves_deadlines_by_its_length() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    story.pass(Duration::from_mins(50));
    story.operate(Operation::Pause).whatever();
    story.pass(Duration::from_hours(72));
    story.operate(Operation::Resume).then(&["The order goes on"]);
    story.tick_after(Duration::from_mins(9)).then(&[]);
    assert_eq!(story.tick_after(Duration::from_mins(1)).events().len(), 3, "the hour is over: ship fails");
}

#[test]
fn a_deadline_from_within_a_pause_moves_by_the_rest_of_it() {
    let workflow = workflow(STEPS);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.operate(Operation::Pause).whatever();
    story.pass(Duration::from_hours(10));
    story
        .answer("create", Reply::Unclear { error: "429".to_owned(), retry_after: Some(Duration::from_hours(1)) })
        .whatever();
    story.pass(Duration::from_hours(2));
    story.operate(Operation::Resume).then(&["The order goes on"]);
    story.tick_after(Duration::from_mins(59)).then(&[]);
    story.tick_after(Duration::from_mins(1)).then(&["create: p is asked to create again (attempt 2)"]);
}

#[test]
fn a_cancel_ends_a_pause() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    story.operate(Operation::Pause).whatever();
    story.operate(Operation::Cancel).whatever();
    assert_eq!(story.state().state(), State::Compensating);
}

#[test]
fn an_order_can_be_paused_during_compensation() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    story.operate(Operation::Cancel).whatever();
    story.operate(Operation::Pause).whatever();
    story.answer("ship", done()).then(&["undo of ship: done"]);
    story.operate(Operation::Resume).then(&["The order goes on", "undo of create: p is asked to delete"]);
}

#[test]
fn an_operators_retry_makes_a_waiting_attempt_now() {
    let workflow = workflow(STEPS);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.operate(retry(None)).then_refused(&Refusal::NothingToRetry { state: State::Running });
    story.answer("create", unclear("503")).whatever();
    let pending = Refusal::StepNotNow {
        operation: "retry",
        step: "tell".to_owned(),
        status: StepStatus::Pending,
        state: State::Running,
    };
    story.operate(retry(Some("tell"))).then_refused(&pending);
    story.operate(retry(Some("create"))).then(&["create: p is asked to create again (attempt 2)"]);
}

/// An order whose undo of `create` has failed for good.
fn stuck(workflow: &crate::workflow::Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.answer("create", done()).whatever();
    story.answer("ship", refused("402")).whatever();
    story.answer("create", refused("409")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    story
}

#[test]
fn a_stuck_order_continues_when_its_undo_is_retried() {
    let workflow = workflow(STEPS);
    let mut story = stuck(&workflow);
    story.operate(Operation::Pause).then_refused(&not_now("pause", State::Stuck));
    story.operate(retry(None)).then(&["undo of create: p is asked to delete again (attempt 2)"]);
    assert_eq!((story.state().state(), story.state().stuck_reason()), (State::Compensating, None));
    story.answer("create", refused("409")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    story.operate(retry(Some("create"))).whatever();
    story.answer("create", done()).then(&[
        "undo of create: done",
        "Everything that was done is undone",
        "note: p is asked to note",
    ]);
}

#[test]
fn a_stuck_order_continues_when_its_undo_is_skipped() {
    let workflow = workflow(STEPS);
    let mut story = stuck(&workflow);
    story.operate(skip("create", None)).then(&[
        "undo of create: skipped by an operator, and taken for \"done\"",
        "Everything that was done is undone",
        "note: p is asked to note",
    ]);
    assert_eq!(story.state().state(), State::Compensating);
}

#[test]
fn an_undo_is_not_skipped_by_a_command_for_the_step() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    story.operate(Operation::Cancel).whatever();
    story.answer("ship", done()).then(&["undo of ship: done", "undo of create: p is asked to delete"]);
    let undoing = Refusal::StepNotNow {
        operation: "skip",
        step: "create".to_owned(),
        status: StepStatus::Compensating,
        state: State::Compensating,
    };
    story.operate(skip("create", Some("done"))).then_refused(&undoing);
    story.operate(skip("create", None)).then(&[
        "undo of create: skipped by an operator, and taken for \"done\"",
        "Everything that was done is undone",
        "note: p is asked to note",
    ]);
}

#[test]
fn a_step_after_all_undos_that_failed_is_tried_again_or_skipped() {
    let workflow = workflow(STEPS);
    let mut story = stuck(&workflow);
    story.operate(skip("create", None)).whatever();
    story.answer("note", refused("410")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    story.clone().operate(retry(None)).then(&["note: p is asked to note again (attempt 2)"]);
    story
        .operate(skip("note", None))
        .then(&["note: skipped by an operator, and taken for \"done\"", "The order is canceled"]);
}

#[test]
fn a_skipped_step_counts_as_answered_and_is_undone_with_the_order() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    let unknown = Refusal::UnknownOutcome {
        step: "ship".to_owned(),
        outcome: "done".to_owned(),
        known: vec!["shipped".to_owned(), "lost".to_owned()],
    };
    story.operate(skip("ship", None)).then_refused(&unknown);
    story
        .operate(skip("ship", Some("shipped")))
        .then(&["ship: skipped by an operator, and taken for \"shipped\"", "tell: p is asked to tell"]);
    let recorded = "was skipped by an operator, and counts as \"shipped\"".to_owned();
    let contradicts = Refusal::Contradicts { step: "ship".to_owned(), state: State::Running, recorded };
    story.signal("ship", "lost").then_refused(&contradicts);
    story.answer("tell", refused("404")).then(&[
        "tell: failed for good: 404",
        "The order cannot be kept and is being undone: 404",
        "undo of ship: p is asked to unship",
    ]);
}

#[test]
fn an_answer_to_an_attempt_that_was_skipped_comes_too_late() {
    let workflow = workflow(STEPS);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story
        .operate(skip("create", None))
        .then(&["create: skipped by an operator, and taken for \"done\"", "ship: p is asked to ship"]);
    story
        .answer("create", done())
        .then_refused(&Refusal::NotWaiting { step: "create".to_owned(), state: State::Running });
    assert_eq!(story.state().steps["create"].attempts, 1);
    story
        .operate(skip("nowhere", None))
        .then_refused(&Refusal::UnknownStep { workflow: "w".to_owned(), step: "nowhere".to_owned() });
}

#[test]
fn a_cancel_of_a_paused_or_stuck_compensation_names_the_remedy() {
    let workflow = workflow(STEPS);
    let mut story = shipping(&workflow);
    story.operate(Operation::Cancel).whatever();
    story.operate(Operation::Pause).whatever();
    let held = Refusal::UndoneAlready { state: State::Paused };
    let words = "the order is being undone already, and is PAUSED: resume it, and the compensation continues";
    assert_eq!(held.to_string(), words);
    story.operate(Operation::Cancel).then_refused(&held);
    let mut story = stuck(&workflow);
    story.operate(Operation::Cancel).then_refused(&Refusal::UndoneAlready { state: State::Stuck });
}

#[test]
fn a_step_without_a_request_at_which_an_order_is_stuck_can_be_skipped_and_not_retried() {
    let workflow =
        workflow(&STEPS.replace("note: { call: p.note,", "note: { call: p.note, with: { to: order.attributes.to },"));
    let mut story = shipping(&workflow);
    story.operate(Operation::Cancel).whatever();
    story.answer("ship", done()).whatever();
    story.answer("create", done()).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    let reason = story.state().stuck_reason().unwrap().to_owned();
    assert!(reason.starts_with("p.note was never asked: `with.to` has no value"), "{reason}");
    let never = Refusal::NeverAsked { step: "note".to_owned(), state: State::Stuck };
    story.operate(retry(None)).then_refused(&never);
    story.operate(retry(Some("note"))).then_refused(&never);
    let pending = Refusal::StepNotNow {
        operation: "retry",
        step: "tell".to_owned(),
        status: StepStatus::Pending,
        state: State::Stuck,
    };
    story.operate(retry(Some("tell"))).then_refused(&pending);
    story
        .operate(skip("note", None))
        .then(&["note: skipped by an operator, and taken for \"done\"", "The order is canceled"]);
}

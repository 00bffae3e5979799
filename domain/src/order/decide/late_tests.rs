//! Later answers that are repeated, late, or in contradiction to the recorded ones. Each is
//! recorded, or refused with the recorded answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::order::{Command, Direction, LateRefusal, Operation, Refusal, Reply, Signal, State, StepStatus, request_id};
use crate::testing::{Story, done, misconfigured, order, refused};
use crate::workflow::Workflow;

const SOURCE: &str = "
workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  pay: { call: p.pay, undo: p.refund }
  send:
    after: [pay]
    request: p.send
    undo: p.recall
    timeout: 1h
    retry: { attempts: 1 }
    outcomes: [sent, queued, sold_out]
    interim: { queued: 8s }
    compensate-on: [sold_out]
  tell: { after: [send], request: p.tell, timeout: 1h }
";

fn sending(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.answer("pay", done()).whatever();
    story.answer("send", Reply::Accepted).whatever();
    story
}

/// The order is being undone, and the undo of `send` is accepted.
fn undoing(workflow: &Workflow) -> Story<'_> {
    let mut story = sending(workflow);
    story.signal("send", "sent").whatever();
    story.answer("tell", refused("no")).whatever();
    story.answer("send", Reply::Accepted).whatever();
    story
}

fn keyed(story: &mut Story<'_>, outcome: &str, data: Value) -> crate::testing::Then {
    story.signal_with("send", outcome, data, Some("k"))
}

fn contradicts(state: State, recorded: &str) -> Refusal {
    Refusal::Contradicts { step: "send".to_owned(), state, recorded: recorded.to_owned() }
}

fn too_late(state: State, recorded: &str) -> Refusal {
    Refusal::TooLate { step: "send".to_owned(), state, recorded: recorded.to_owned() }
}

#[test]
fn another_answer_under_the_same_key_is_refused_with_what_was_recorded() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    keyed(&mut story, "queued", Value::Null).whatever();
    keyed(&mut story, "queued", Value::Null).then(&[]);
    let other = |recorded: &str| Refusal::OtherAnswer {
        step: "send".to_owned(),
        key: "k".to_owned(),
        recorded: recorded.to_owned(),
    };
    keyed(&mut story, "sent", json!({ "parcel": "P-77" })).then_refused(&other("\"queued\""));
    keyed(&mut story, "queued", json!({ "place": 3 })).then_refused(&other("\"queued\""));
    story.signal_with("send", "sent", json!({ "parcel": 77 }), Some("k2")).whatever();
    // A repetition stays one after other answers, and in another notation of its numbers.
    keyed(&mut story, "queued", Value::Null).then(&[]);
    story.signal_with("send", "sent", json!({ "parcel": 77.0 }), Some("k2")).then(&[]);
}

#[test]
fn the_key_of_an_answer_is_free_for_the_answer_to_the_undo() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    keyed(&mut story, "sent", Value::Null).whatever();
    story.answer("tell", refused("no")).whatever();
    story.answer("send", Reply::Accepted).whatever();
    let undone = |now| {
        let (step, outcome, key) = ("send".to_owned(), Some("done".to_owned()), Some("k".to_owned()));
        Command::Signal(Signal { step, direction: Direction::Undo, outcome, data: Value::Null, key, now })
    };
    let now = story.now();
    story.when(&undone(now)).whatever();
    assert_eq!(story.state().status_of("send"), StepStatus::Compensated);
    let before = story.history().len();
    let now = story.now();
    story.when(&undone(now)).then(&[]);
    story.undone_later("send").then(&[]);
    assert_eq!(story.history().len(), before);
}

#[test]
fn a_contradicting_answer_is_distinguished_from_a_late_one() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    story.signal("send", "sent").whatever();
    let answered = "answered \"sent\"";
    story.signal_with("send", "sold_out", Value::Null, Some("2")).then_refused(&contradicts(State::Running, answered));
    story.signal_with("send", "sent", json!(1), Some("3")).then_refused(&contradicts(State::Running, answered));
    story.signal_with("send", "sent", Value::Null, Some("4")).then_refused(&too_late(State::Running, answered));
    story.refuse_later("send", Direction::Do, "no van").then_refused(&contradicts(State::Running, answered));

    let mut story = sending(&workflow);
    story.refuse_later("send", Direction::Do, "no van").whatever();
    story.refuse_later("send", Direction::Do, "no van").then(&[]);
    let failed = "failed: no van";
    story.signal("send", "sent").then_refused(&contradicts(State::Compensating, failed));
    story.refuse_later("send", Direction::Do, "no men").then_refused(&too_late(State::Compensating, failed));
}

#[test]
fn an_answer_to_a_given_up_step_contradicts_only_without_an_undo() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    story.operate(Operation::Cancel).whatever();
    let given_up = "failed: given up, because the order is being undone";
    story.signal("send", "sent").then_refused(&too_late(State::Compensating, given_up));
    story.answer("send", done()).whatever();
    story.answer("pay", done()).whatever();
    story.signal("send", "sent").then_refused(&too_late(State::Canceled, given_up));

    let without_undo = SOURCE.replace("    undo: p.recall\n", "");
    let workflow = Workflow::parse(&without_undo).unwrap();
    let mut story = sending(&workflow);
    story.operate(Operation::Cancel).whatever();
    story.signal("send", "sent").then_refused(&contradicts(State::Compensating, given_up));
}

#[test]
fn an_assumed_outcome_is_not_a_recorded_answer() {
    let source = SOURCE.replace("    timeout: 1h\n", "    timeout: 1h\n    on-timeout: sent\n");
    let workflow = Workflow::parse(&source).unwrap();
    let mut story = sending(&workflow);
    story.tick_after(Duration::from_hours(1)).whatever();
    let assumed = "was not answered in time, and counts as \"sent\"";
    story.signal("send", "sent").then_refused(&too_late(State::Running, assumed));
    story.signal("send", "sold_out").then_refused(&contradicts(State::Running, assumed));
}

#[test]
fn a_step_without_a_request_waits_for_no_answer() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    let not_waiting = |step: &str| Refusal::NotWaiting { step: step.to_owned(), state: State::Waiting };
    story.signal("tell", "done").then_refused(&not_waiting("tell"));
    story.signal("pay", "again").then_refused(&not_waiting("pay"));
    story.undone_later("send").then_refused(&not_waiting("send"));
}

#[test]
fn a_paused_order_records_an_answer() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    story.operate(Operation::Pause).whatever();
    story.signal("send", "sent").then(&["send: answered \"sent\""]);
}

#[test]
fn an_undo_answered_after_its_deadline_continues_the_compensation() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = undoing(&workflow);
    story.tick_after(Duration::from_hours(24)).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    let stuck = "could not be undone: failed: no answer in time";
    story.refuse_later("send", Direction::Undo, "gone").then_refused(&too_late(State::Stuck, stuck));
    story.undone_later("send").then(&["undo of send: done", "undo of pay: p is asked to refund"]);
    story.refuse_later("send", Direction::Undo, "gone").then_refused(&contradicts(State::Compensating, "is undone"));
}

#[test]
fn a_held_request_accepts_a_late_answer_of_its_participant() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", done()).whatever();
    story.answer("send", misconfigured("answered 401")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    story
        .refuse_later("send", Direction::Do, "no van")
        .then_refused(&contradicts(State::Stuck, "failed: answered 401 (attempt 1, the last)"));
    story.signal("send", "sent").then(&["send: answered \"sent\"", "tell: p is asked to tell"]);
    assert_eq!(story.state().state(), State::Running);
}

#[test]
fn a_refusal_under_another_key_is_another_refusal_even_with_the_same_text() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    story.signal("send", "sold_out").whatever();
    story.answer("pay", Reply::Accepted).whatever();
    let refuse = |story: &mut Story<'_>, key: &str| {
        let (step, error, key) = ("pay".to_owned(), "cannot refund".to_owned(), Some(key.to_owned()));
        let now = story.now();
        let late =
            LateRefusal { step, direction: Direction::Undo, error, request: None, key, misconfigured: false, now };
        story.when(&Command::Refuse(late))
    };
    refuse(&mut story, "first").whatever();
    assert_eq!(story.state().state(), State::Stuck);
    refuse(&mut story, "first").then(&[]);
    // It may answer a request that is still unread, so it must not count as a repetition of the
    // recorded one.
    assert_ne!(refuse(&mut story, "second"), refuse(&mut story, "first"));
    story.operate(Operation::Retry { step: None }).whatever();
    story.answer("pay", Reply::Accepted).whatever();
    refuse(&mut story, "second").then(&[
        "undo of pay: failed for good: cannot refund",
        "The order is stuck and needs a person: p.refund failed for good: cannot refund",
    ]);
}

#[test]
fn a_repeated_refusal_with_a_key_matches_a_recorded_one_without_a_key() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    let request = request_id(&story.state().placed.order_id, "send", Direction::Do, 1);
    story.refuse_later("send", Direction::Do, "sold out").whatever();
    story.refuse_request("send", Direction::Do, "sold out", Some(request)).then(&[]);
    let another = too_late(State::Compensating, "failed: sold out");
    story.refuse_request("send", Direction::Do, "no more", Some(request)).then_refused(&another);
}

#[test]
fn the_same_answer_under_another_key_is_refused_with_the_recorded_one() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    story.signal_with("send", "sent", Value::Null, Some("k-1")).whatever();
    let recorded = too_late(State::Running, "answered \"sent\"");
    story.signal_with("send", "sent", Value::Null, Some("k-2")).then_refused(&recorded);
}

#[test]
fn a_later_answer_to_an_undo_counts_once_and_excludes_a_refusal() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = undoing(&workflow);
    story.undone_later("send").whatever();
    story.undone_later("send").then(&[]);
    let undone = contradicts(State::Compensating, "is undone");
    story.refuse_later("send", Direction::Undo, "it is gone").then_refused(&undone);
}

#[test]
fn an_answer_to_a_failed_step_contradicts_only_if_nothing_undoes_it() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = sending(&workflow);
    story.tick_after(Duration::from_hours(2)).whatever();
    let overdue = too_late(State::Compensating, "failed: no answer in time");
    story.signal("send", "sent").then_refused(&overdue);

    let mut story = sending(&workflow);
    story.refuse_later("send", Direction::Do, "sold out").whatever();
    story.signal("send", "sent").then_refused(&contradicts(State::Compensating, "failed: sold out"));
}

#[test]
fn an_answer_to_a_step_that_will_be_undone_is_only_late() {
    let source = SOURCE.replace("  tell: {", "  pack: { after: [pay], call: p.pack }\n  tell: {");
    let workflow = Workflow::parse(&source).unwrap();
    let mut story = sending(&workflow);
    // The undos wait for the attempt at `pack`.
    story.operate(Operation::Cancel).whatever();
    assert_eq!(story.state().status_of("send"), StepStatus::Failed);
    let given_up = "failed: given up, because the order is being undone";
    story.signal("send", "sent").then_refused(&too_late(State::Compensating, given_up));
}

#[test]
fn another_answer_to_an_undo_that_is_done_comes_too_late() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = undoing(&workflow);
    story.undone_later("send").whatever();
    let (step, data, now) = ("send".to_owned(), json!({ "parcel": "P-77" }), story.now());
    let other = Signal { step, direction: Direction::Undo, outcome: None, data, key: None, now };
    story.when(&Command::Signal(other)).then_refused(&too_late(State::Compensating, "is undone"));
}

#[test]
fn a_repeated_refusal_of_an_undo_with_the_same_text_is_not_recorded_again() {
    let workflow = Workflow::parse(SOURCE).unwrap();
    let mut story = undoing(&workflow);
    story.refuse_later("send", Direction::Undo, "it is gone").whatever();
    story.refuse_later("send", Direction::Undo, "it is gone").then(&[]);
}

//! What an answer leads to: at once or later, once or again.

use std::time::Duration;

use serde_json::Value;

use crate::order::{Direction, Event, Lifecycle, Mode, Refusal, Reply, StepStarted, request_id};
use crate::testing::{Story, answered, done, order, refused};
use crate::workflow::Workflow;

const SOURCE: &str = "
workflow: w
version: 1
participants:
  p: { url: 'http://p' }
  e: { events: true }
steps:
  pay: { call: p.pay, undo: p.refund }
  send: { after: [pay], request: e.send, undo: e.recall, outcomes: [sent, lost], timeout: 1h, retry: { attempts: 1 } }
  tell: { after: [send], call: p.tell }
compensated:
  say: { call: p.say }
";

fn workflow() -> Workflow {
    Workflow::parse(SOURCE).unwrap()
}

/// The parcel is asked for, and will be sent later.
fn sending(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.answer("pay", done()).whatever();
    story.answer("send", Reply::Accepted).whatever();
    story
}

fn started<'s>(story: &'s Story<'_>, step: &str, direction: Direction) -> &'s StepStarted {
    let last = story.history().iter().rev().find_map(|event| match event {
        Event::StepStarted(e) if e.step == step && e.direction == direction => Some(e),
        _ => None,
    });
    last.unwrap()
}

fn too_late(state: Lifecycle, recorded: &str) -> Refusal {
    Refusal::TooLate { step: "send".to_owned(), state, recorded: recorded.to_owned() }
}

fn contradicts(state: Lifecycle, recorded: &str) -> Refusal {
    Refusal::Contradicts { step: "send".to_owned(), state, recorded: recorded.to_owned() }
}

#[test]
fn a_call_that_is_only_accepted_failed_by_a_mistake() {
    let workflow = workflow();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", Reply::Accepted).whatever();
    let error = story.state().steps["pay"].last_error.clone().unwrap();
    assert!(error.starts_with("accepted with 202, to be answered later"), "{error}");
    assert!(story.state().steps["pay"].next_attempt_at().is_some());
}

#[test]
fn an_undo_is_a_request_where_its_participant_is_reached_by_events_and_a_call_elsewhere() {
    let workflow = workflow();
    let mut story = sending(&workflow);
    story.signal("send", "sent").whatever();
    story.answer("tell", refused("nobody is there")).whatever();
    assert_eq!(started(&story, "send", Direction::Undo).mode, Mode::Request);
    story.answer("send", done()).whatever();
    assert_eq!(started(&story, "pay", Direction::Undo).mode, Mode::Call);
}

#[test]
fn a_no_that_comes_again_under_a_key_repeats_one_that_is_on_record_without_any() {
    let workflow = workflow();
    let mut story = sending(&workflow);
    let request = request_id(&story.state().placed.order_id, "send", Direction::Do, 1);
    story.refuse_later("send", Direction::Do, "sold out").whatever();
    story.refuse_request("send", Direction::Do, "sold out", Some(request)).then(&[]);
    let another = too_late(Lifecycle::Compensating, "failed: sold out");
    story.refuse_request("send", Direction::Do, "no more", Some(request)).then_refused(&another);
}

#[test]
fn the_same_answer_under_another_key_is_told_what_is_on_record() {
    let workflow = workflow();
    let mut story = sending(&workflow);
    story.signal_with("send", "sent", Value::Null, Some("k-1")).whatever();
    let recorded = too_late(Lifecycle::Running, "answered \"sent\"");
    story.signal_with("send", "sent", Value::Null, Some("k-2")).then_refused(&recorded);
}

#[test]
fn an_undo_that_is_done_later_is_done_once_and_no_no_follows_it() {
    let workflow = workflow();
    let mut story = sending(&workflow);
    story.signal("send", "sent").whatever();
    story.answer("tell", refused("nobody is there")).whatever();
    story.answer("send", Reply::Accepted).whatever();
    story.undone_later("send").whatever();
    story.undone_later("send").then(&[]);
    let undone = contradicts(Lifecycle::Compensating, "is undone");
    story.refuse_later("send", Direction::Undo, "it is gone").then_refused(&undone);
}

#[test]
fn an_answer_to_what_failed_contradicts_only_if_nothing_will_undo_it() {
    let workflow = workflow();
    let mut story = sending(&workflow);
    story.tick_after(Duration::from_hours(2)).whatever();
    let overdue = too_late(Lifecycle::Compensating, "failed: no answer in time");
    story.signal("send", "sent").then_refused(&overdue);

    let mut story = sending(&workflow);
    story.refuse_later("send", Direction::Do, "sold out").whatever();
    story.signal("send", "sent").then_refused(&contradicts(Lifecycle::Compensating, "failed: sold out"));
}

#[test]
fn an_order_whose_last_word_is_refused_is_stuck_with_what_was_refused() {
    let workflow = workflow();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", refused("no money")).whatever();
    story.answer("say", answered("done")).whatever();
    assert_eq!(story.state().state(), Lifecycle::Canceled);

    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", refused("no money")).whatever();
    story.answer("say", refused("no mail box")).whatever();
    let reason = &story.state().stuck.as_ref().unwrap().reason;
    assert!(reason.contains("failed for good: no mail box"), "{reason}");
}

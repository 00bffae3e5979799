//! The consequences of the answer to an attempt.

use crate::order::{Direction, Event, Mode, Reply, State, StepStarted};
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

fn started<'s>(story: &'s Story<'_>, step: &str, direction: Direction) -> &'s StepStarted {
    let last = story.history().iter().rev().find_map(|event| match event {
        Event::StepStarted(e) if e.step == step && e.direction == direction => Some(e),
        _ => None,
    });
    last.unwrap()
}

#[test]
fn a_call_that_is_only_accepted_counts_as_a_mistake() {
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
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", done()).whatever();
    story.answer("send", Reply::Accepted).whatever();
    story.signal("send", "sent").whatever();
    story.answer("tell", refused("not available")).whatever();
    assert_eq!(started(&story, "send", Direction::Undo).mode, Mode::Request);
    story.answer("send", done()).whatever();
    assert_eq!(started(&story, "pay", Direction::Undo).mode, Mode::Call);
}

#[test]
fn an_order_is_stuck_when_a_step_after_compensation_is_refused() {
    let workflow = workflow();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", refused("no money")).whatever();
    story.answer("say", answered("done")).whatever();
    assert_eq!(story.state().state(), State::Canceled);

    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("pay", refused("no money")).whatever();
    story.answer("say", refused("no mail box")).whatever();
    let reason = &story.state().stuck.as_ref().unwrap().reason;
    assert!(reason.contains("failed for good: no mail box"), "{reason}");
}

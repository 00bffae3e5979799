//! Operations that a second person has to approve.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;

use super::second_person::{MAX_OPEN, MAX_REQUESTS};
use crate::order::decide::tests::workflow;
use crate::order::{
    Command, Event, Operate, Operation, Order, Phase, Refusal, Request, Settle, Settlement, State, StepStatus,
};
use crate::testing::{Story, Then, done, misconfigured, order, unclear};
use crate::workflow::Workflow;

const STEPS: &str = "steps:
  charge: { call: p.charge, undo: p.refund, retry: { attempts: 2 } }
  ship: { after: [charge], request: p.ship, outcomes: [shipped, lost] }";

const DAY: Duration = Duration::from_hours(24);

fn placed(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story
}

fn stuck(workflow: &Workflow) -> Story<'_> {
    let mut story = placed(workflow);
    while story.state().stuck_reason().is_none() {
        story.answer("charge", misconfigured("401 Unauthorized")).whatever();
        story.tick_after(Duration::from_hours(1)).whatever();
    }
    story
}

/// `ann` asks for an operation; `principal` sends it.
fn ask_as(story: &mut Story<'_>, operation: Operation, actor: &str, principal: &str) -> Then {
    let now = story.now();
    let operate = Operate { operation, actor: actor.to_owned(), reason: "a recall".to_owned(), now };
    story.when(&Command::Request(Request {
        operate,
        principal: principal.to_owned(),
        approver: "operator".to_owned(),
        previewed_at: 7,
        expires_at: now.at + TimeDelta::from_std(DAY).unwrap(),
    }))
}

fn ask(story: &mut Story<'_>, operation: Operation) -> Then {
    ask_as(story, operation, "ann", "ann")
}

fn settle_as(story: &mut Story<'_>, request: u32, how: Settlement, by: &str, role: &str) -> Then {
    let (by, roles, now) = (by.to_owned(), vec![role.to_owned()], story.now());
    story.when(&Command::Settle(Settle { request, how, by, roles, now }))
}

fn settle(story: &mut Story<'_>, request: u32, how: Settlement, by: &str) -> Then {
    settle_as(story, request, how, by, "operator")
}

#[test]
fn a_request_changes_nothing_and_the_order_goes_on() {
    let workflow = workflow(STEPS);
    let mut story = placed(&workflow);
    let before = story.state().clone();
    ask(&mut story, Operation::Cancel).then(&["ann asks to cancel, which a second person has to approve"]);
    let requests = story.state().requests.clone();
    assert_eq!(requests.keys().collect::<Vec<_>>(), [&1]);
    assert_eq!(story.state(), &Order { requests, requests_made: 1, ..before });
    story.answer("charge", done()).then(&["charge: done", "ship: p is asked to ship"]);
}

#[test]
fn what_a_second_person_approves_is_decided_at_once_on_the_order_as_it_is_then() {
    let workflow = workflow(STEPS);
    let mut story = placed(&workflow);
    ask(&mut story, Operation::Cancel).whatever();
    story.answer("charge", done()).whatever();
    let events = settle(&mut story, 1, Settlement::Approved, "bob").events();
    assert!(matches!(&events[0], Event::RequestSettled(e) if e.request == 1 && e.how == Settlement::Approved));
    let Event::CompensationStarted(undone) = &events[1] else { panic!("{events:?}") };
    assert_eq!(undone.because, "canceled by ann, approved by bob: a recall");
    assert_eq!((story.state().phase, story.state().requests.len()), (Phase::Undoing, 0));
}

#[test]
fn each_operation_can_be_approved() {
    let workflow = workflow(STEPS);
    let mut failing = placed(&workflow);
    failing.answer("charge", unclear("503")).whatever();
    let mut paused = placed(&workflow);
    paused.operate(Operation::Pause).whatever();
    let stuck = stuck(&workflow);
    let skip = Operation::Skip { step: "charge".to_owned(), outcome: None, data: Value::Null };
    for (story, operation, state) in [
        (placed(&workflow), Operation::Pause, State::Paused),
        (paused, Operation::Resume, State::Running),
        (failing, Operation::Retry { step: None }, State::Running),
        (stuck.clone(), Operation::Retry { step: Some("charge".to_owned()) }, State::Running),
        (stuck, skip, State::Running),
    ] {
        let mut story = story;
        ask(&mut story, operation.clone()).whatever();
        settle(&mut story, 1, Settlement::Approved, "bob").whatever();
        assert_eq!(story.state().state(), state, "{operation:?}");
        let held = story.state().status_of("charge");
        assert!(operation == Operation::Pause || held != StepStatus::Stuck, "{operation:?}");
    }
}

#[test]
fn no_one_approves_or_declines_what_they_asked_for() {
    let workflow = workflow(STEPS);
    let mut story = placed(&workflow);
    ask_as(&mut story, Operation::Cancel, "ann, by ci", "ci").whatever();
    for how in [Settlement::Approved, Settlement::Declined] {
        for by in ["ann", "ci"] {
            settle(&mut story, 1, how, by).then_refused(&Refusal::SamePerson { by: by.to_owned() });
        }
    }
    let requested_by = "ann, by ci".to_owned();
    settle(&mut story, 1, Settlement::Withdrawn, "bob")
        .then_refused(&Refusal::NotTheRequester { by: "bob".to_owned(), requested_by });
    settle(&mut story.clone(), 1, Settlement::Withdrawn, "ann").then(&["Request 1 is withdrawn"]);
    settle(&mut story, 1, Settlement::Declined, "bob").then(&["A second person declined request 1"]);
    assert_eq!(story.state().state(), State::Running);
    settle(&mut story, 1, Settlement::Approved, "bob").then_refused(&Refusal::NoOpenRequest { request: 1 });
}

#[test]
fn who_approves_has_the_role_of_the_request_or_is_an_administrator() {
    let workflow = workflow(STEPS);
    let mut story = placed(&workflow);
    ask(&mut story, Operation::Cancel).whatever();
    let refusal = Refusal::NotAnApprover { by: "eve".to_owned(), role: "operator".to_owned() };
    settle_as(&mut story, 1, Settlement::Approved, "eve", "auditor").then_refused(&refusal);
    settle_as(&mut story, 1, Settlement::Approved, "root", "admin").whatever();
    assert_eq!(story.state().phase, Phase::Undoing);
}

#[test]
fn an_operation_that_is_refused_is_not_asked_for_and_not_approved() {
    let workflow = workflow(STEPS);
    let mut story = placed(&workflow);
    let not_paused = Refusal::NotNow { operation: "resume", state: State::Running };
    ask(&mut story, Operation::Resume).then_refused(&not_paused);
    ask(&mut story, Operation::Pause).whatever();
    ask(&mut story, Operation::Pause).then_refused(&Refusal::RequestedAlready { request: 1 });
    story.operate(Operation::Pause).whatever();
    let paused = Refusal::NotNow { operation: "pause", state: State::Paused };
    settle(&mut story, 1, Settlement::Approved, "bob").then_refused(&paused);
    story.operate(Operation::Resume).whatever();
    settle(&mut story, 1, Settlement::Approved, "bob")
        .then(&["A second person approved request 1", "The order is put on hold"]);
}

#[test]
fn a_request_expires_also_while_the_order_is_paused_or_stuck() {
    let workflow = workflow(STEPS);
    let mut paused = placed(&workflow);
    paused.operate(Operation::Pause).whatever();
    let stuck = stuck(&workflow);
    for mut story in [paused, stuck] {
        assert_eq!(story.state().due_at(), None);
        ask(&mut story, Operation::Cancel).whatever();
        let expired_at = story.now().at + TimeDelta::from_std(DAY).unwrap();
        assert_eq!(story.state().due_at(), Some(expired_at));
        let mut late = story.clone();
        late.pass(DAY);
        settle(&mut late, 1, Settlement::Approved, "bob")
            .then_refused(&Refusal::RequestExpired { request: 1, expired_at });
        story.tick_when_due().then(&["Request 1 was not approved in time"]);
        assert_eq!((story.state().due_at(), story.state().requests.len()), (None, 0));
    }
}

#[test]
fn the_end_of_an_order_makes_its_requests_void() {
    let workflow = workflow(STEPS);
    let mut story = placed(&workflow);
    ask(&mut story, Operation::Cancel).whatever();
    story.answer("charge", done()).whatever();
    story.answer("ship", crate::testing::answered("shipped")).whatever();
    assert!(story.state().ended() && story.state().requests.is_empty());
    assert_eq!(story.state().due_at(), None);
    settle(&mut story, 1, Settlement::Approved, "bob").then_refused(&Refusal::NoOpenRequest { request: 1 });
}

#[test]
fn an_order_takes_so_many_requests_and_no_more() {
    let workflow = workflow(STEPS);
    let mut story = placed(&workflow);
    for number in 0..MAX_OPEN {
        let data = Value::from(number);
        let skip = Operation::Skip { step: "charge".to_owned(), outcome: None, data };
        ask(&mut story, skip).whatever();
    }
    ask(&mut story, Operation::Cancel).then_refused(&Refusal::TooManyRequests { count: MAX_OPEN });
    for number in 1.. {
        let made = story.state().requests_made;
        if number > made {
            if made == MAX_REQUESTS {
                break;
            }
            ask(&mut story, Operation::Cancel).whatever();
        }
        settle(&mut story, number, Settlement::Withdrawn, "ann").whatever();
    }
    let refusal = Refusal::TooManyRequests { count: MAX_REQUESTS as usize };
    ask(&mut story, Operation::Cancel).then_refused(&refusal);
}

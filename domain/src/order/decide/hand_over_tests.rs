//! Attempts that an instance releases because it stops.

use super::tests::workflow;
use crate::order::Operation;
use crate::testing::{Story, done, order, refused, unclear};

const ONE_CALL: &str = "steps:\n  go: { call: p.go, undo: p.come_back, retry: { attempts: 1 } }";

#[test]
fn a_released_attempt_is_due_at_once_and_does_not_count_as_a_failure() {
    let workflow = workflow(ONE_CALL);
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story
        .hand_over(vec![story.attempt("go")])
        .then(&["go: attempt 1 failed: handed over: the instance that had this attempt is leaving; the next is now"]);
    assert_eq!(story.state().due_at(), Some(story.now().at));
    story.tick_after(std::time::Duration::ZERO).then(&["go: p is asked to go again (attempt 2)"]);
    // One attempt may fail, and this is the second one made.
    story.answer("go", done()).then(&["go: done", "The order is completed"]);
}

#[test]
fn an_ended_attempt_is_not_released() {
    let workflow = workflow("steps:\n  one: { call: p.one }\n  other: { call: p.other }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    let both = story.in_flight();
    story.answer("one", done()).whatever();
    let other = "other: attempt 1 failed: handed over: the instance that had this attempt is leaving; the next is now";
    story.hand_over(both.clone()).then(&[other]);
    story.hand_over(both.clone()).then(&[]);
    story.tick_after(std::time::Duration::ZERO).whatever();
    // The second attempt belongs to another instance.
    story.hand_over(both.clone()).then(&[]);
}

#[test]
fn an_undo_is_handed_over_too() {
    let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back }\n  on: { after: [go], call: p.on }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("go", done()).whatever();
    story.answer("on", refused("no")).whatever();
    story.hand_over(vec![story.attempt("go")]).then(&[
        "undo of go: attempt 1 failed: handed over: the instance that had this attempt is leaving; the next is now",
    ]);
    story.tick_after(std::time::Duration::ZERO).then(&["undo of go: p is asked to come back again (attempt 2)"]);
}

#[test]
fn an_order_under_compensation_retries_no_forward_step() {
    let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back }\n  on: { call: p.on }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.operate(Operation::Cancel).whatever();
    story.answer("on", unclear("503")).whatever();
    let back = story.hand_over(vec![story.attempt("go")]).events();
    assert!(back.iter().any(|event| event.type_name() == "StepFailed"), "{back:?}");
    assert!(back.iter().any(|event| event.type_name() == "StepStarted"), "it is undone at once: {back:?}");
}

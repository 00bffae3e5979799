//! What the state of an order and of its steps reports.

use serde_json::{Value, json};

use super::event::Mode;
use super::recorded_answer::{content, refusal_content};
use super::{Direction, Reply, StepStatus};
use crate::testing::{Story, answered, order, refused};
use crate::workflow::Workflow;

const WORKFLOW: &str = "workflow: w\nversion: 1\nparticipants: { p: { url: 'http://p' } }
steps:
  go: { request: p.go, outcomes: [shipped, lost], undo: p.come_back, sets-status: Sent }
  on: { call: p.on }";

#[test]
fn statuses_and_modes_are_spelled_in_capitals() {
    for status in StepStatus::BEGUN.into_iter().chain([StepStatus::Pending]) {
        assert_eq!(status.as_str(), format!("{status:?}").to_uppercase());
    }
    for mode in [Mode::Call, Mode::Request, Mode::Wait, Mode::Await] {
        assert_eq!(mode.as_str(), format!("{mode:?}").to_uppercase());
    }
}

#[test]
fn a_step_has_an_interim_answer_only_while_another_answer_is_due() {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    assert!(!story.state().steps["go"].has_interim_answer(), "it is asked");
    story.answer("go", Reply::Accepted).whatever();
    assert!(!story.state().steps["go"].has_interim_answer(), "it has no answer");
    story.signal("go", "shipped").whatever();
    assert!(!story.state().steps["go"].has_interim_answer(), "it has its last answer");
}

#[test]
fn a_later_answer_is_on_record_in_its_direction_with_its_content_and_key() {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("go", Reply::Accepted).whatever();
    story.signal_with("go", "shipped", json!({ "parcel": 1 }), Some("k-1")).whatever();
    let step = &story.state().steps["go"];
    let shipped = content("shipped", &json!({ "parcel": 1 }));
    assert!(step.has_recorded(Direction::Do, shipped));
    assert!(!step.has_recorded(Direction::Undo, shipped));
    assert!(!step.has_recorded(Direction::Do, content("shipped", &Value::Null)));
    assert!(!step.has_recorded(Direction::Do, refusal_content("shipped")));
    assert_eq!(step.answer_keys(), ["k-1"]);
}

#[test]
fn an_event_names_its_step_if_its_data_do() {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("go", answered("shipped")).whatever();
    story.answer("on", refused("no")).whatever();
    story.answer("go", refused("it is gone")).whatever();
    let named: Vec<(&str, Option<&str>)> =
        story.history().iter().map(|event| (event.type_name(), event.step().map(String::as_str))).collect();
    let expected = [
        ("OrderPlaced", None),
        ("StepStarted", Some("go")),
        ("StepStarted", Some("on")),
        ("StepCompleted", Some("go")),
        ("StatusChanged", Some("go")),
        ("StepFailed", Some("on")),
        ("CompensationStarted", Some("on")),
        ("StepStarted", Some("go")),
        ("StepFailed", Some("go")),
        ("OrderStuck", Some("go")),
    ];
    assert_eq!(named, expected);
}

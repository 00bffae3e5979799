//! Decisions whose expressions take more work than one decision may.

use std::time::Duration;

use super::size_tests::{large, stage};
use super::tests::workflow;
use crate::order::{Event, Limits, Stage};
use crate::testing::{Story, order};

/// Over an order of 500 lines it takes most of what one expression may.
const HEAVY: &str = "order.lines.map(a, order.lines.map(b, 1)[0]).size()";

#[test]
fn much_work_is_decided_in_parts_and_every_step_starts() {
    let step = |n| format!("  s{n}: {{ call: p.s{n}, when: \"{HEAVY} > 0\" }}\n");
    let workflow = workflow(&format!("steps:\n{}", (0..10).map(step).collect::<String>()));
    let mut story = Story::given(&workflow);
    let mut parts = vec![story.place(large()).events()];
    while story.state().split.is_some() {
        parts.push(story.tick_after(Duration::ZERO).events());
    }
    let started = |part: &Vec<Event>| part.iter().filter(|event| matches!(event, Event::StepStarted(_))).count();
    let started: Vec<usize> = parts.iter().map(started).collect();
    assert_eq!(started.iter().sum::<usize>(), 10, "{started:?}");
    assert!(started.len() >= 3 && started.iter().all(|started| (1..=4).contains(started)), "{started:?}");
}

#[test]
fn the_work_of_an_input_counts_for_the_decision() {
    let step = |n| format!("  s{n}: {{ call: p.s{n}, with: {{ x: \"{HEAVY}\" }} }}\n");
    let workflow = workflow(&format!("steps:\n{}{}", step(1), step(2)));
    let mut story = Story::given(&workflow).within(Limits { units: 1_000, ..Limits::LOG });
    let events = story.place(large()).events();
    assert_eq!(
        events.iter().map(Event::type_name).collect::<Vec<_>>(),
        ["OrderPlaced", "StepStarted", "DecisionSplit"]
    );
}

#[test]
fn an_input_without_a_value_spends_only_the_units_that_it_used() {
    let workflow = workflow(
        "steps:\n  a: { call: p.a, with: { x: order.attributes.missing } }\ncompensated:\n  tell: { call: p.tell }",
    );
    let mut story = Story::given(&workflow).within(Limits { units: 1_000, ..Limits::LOG });
    let events = story.place(order()).events();
    assert_eq!(events.last().map(Event::type_name), Some("StepStarted"), "{events:?}");
}

#[test]
fn all_inputs_of_a_step_share_a_budget() {
    let told = |count| -> String { (0..count).map(|n| format!("f{n}: \"{HEAVY}\"")).collect::<Vec<_>>().join(", ") };
    let file = |count| format!("steps:\n  a: {{ call: p.a, with: {{ {} }} }}", told(count));
    let (few, many) = (workflow(&file(2)), workflow(&file(9)));
    let mut story = Story::given(&few);
    story.place(large()).whatever();
    assert!(matches!(stage(&story, "a"), Some(Stage::InFlight { .. })));
    let mut story = Story::given(&many);
    story.place(large()).whatever();
    let error = story.state().steps["a"].last_error.clone().unwrap();
    assert!(error.contains("takes too much work"), "{error}");
}

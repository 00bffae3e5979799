//! Decisions that are larger than one append.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decide_split_like;
use super::tests::workflow;
use crate::order::limits::{json_bound, json_size};
use crate::order::{
    Command, CustomerKey, DecisionSplit, Event, Limits, NewOrder, Operate, Operation, Phase, Refusal, Reply, Stage,
    State, StepState,
};
use crate::testing::{Story, done, order, refused, unclear};
use crate::wire::{self, CHAIN_START, Context};
use crate::workflow::Workflow;

const SPLIT: &str = "What follows is too much to record at once, and is recorded in parts";

/// An order of 500 lines with names of 200 characters.
pub(super) fn large() -> NewOrder {
    let small = order();
    let line = crate::order::Line { name: Some("x".repeat(200)), ..small.lines[0].clone() };
    NewOrder { lines: vec![line; 500], ..small }
}

/// This many steps after `after`, each with the lines as input.
fn told(count: u32, after: &str) -> String {
    let step = |n| format!("  s{n}: {{ {after}call: p.s{n}, with: {{ lines: order.lines }}, undo: p.un-s{n} }}\n");
    (1..=count).map(step).collect()
}

/// This many steps of `compensated`, each with the lines as input.
fn told_at_last(count: u32) -> String {
    let step = |n| format!("  c{n}: {{ call: p.c{n}, with: {{ lines: order.lines }} }}\n");
    (1..=count).map(step).collect()
}

/// The bytes that a log would count.
fn appended(events: &[Event]) -> usize {
    let context = Context {
        correlation_id: "x".repeat(64),
        causation_id: Some(uuid::Uuid::nil()),
        traceparent: Some("x".repeat(55)),
        ..Context::default()
    };
    let written = |event| wire::encode(event, uuid::Uuid::nil(), CHAIN_START, &context).unwrap();
    let size = |event| {
        let encoded = written(event);
        encoded.event_type.len() + encoded.data.len() + encoded.metadata.len()
    };
    events.iter().map(size).sum()
}

#[track_caller]
fn assert_fits(events: &[Event]) {
    assert!(appended(events) < Limits::LOG.decision, "{} bytes", appended(events));
}

pub(super) fn stage(story: &Story<'_>, step: &str) -> Option<Stage> {
    story.state().steps.get(step).map(|known| known.stage)
}

/// Ticks until the decision is complete. Every part of it fits.
fn settle(story: &mut Story<'_>) -> usize {
    let mut parts = 0;
    while story.state().split.is_some() {
        assert_eq!(story.state().due_at(), story.state().split);
        let events = story.tick_after(Duration::ZERO).events();
        assert_fits(&events);
        assert!(!events.is_empty());
        parts += 1;
    }
    parts
}

#[test]
fn an_answer_is_recorded_with_the_consequences_that_fit_and_the_rest_is_due_at_once() {
    let workflow = workflow(&format!("steps:\n  charge: {{ call: p.charge }}\n{}", told(8, "after: [charge], ")));
    let mut story = Story::given(&workflow);
    story.place(large()).whatever();
    let events = story.answer("charge", done()).events();
    assert_fits(&events);
    let begun = events.iter().filter(|event| event.type_name() == "StepStarted").count();
    assert_eq!((events[0].type_name(), events.len()), ("StepCompleted", begun + 2));
    assert!((5..8).contains(&begun), "{begun}");
    assert_eq!(events.last().map(Event::type_name), Some("DecisionSplit"));
    // The rest is due now, although the awaited answers are due later.
    assert_eq!((story.state().due_at(), story.state().state()), (Some(story.now().at), State::Running));
    assert_eq!(settle(&mut story), 1);
    assert!((1..=8).all(|n| matches!(stage(&story, &format!("s{n}")), Some(Stage::InFlight { .. }))));
}

#[test]
fn the_next_decision_continues_a_split_one() {
    let workflow = workflow(&format!("steps:\n{}", told(8, "")));
    let begun = |story: &Story<'_>| story.state().steps.len();
    let mut story = Story::given(&workflow);
    assert_fits(&story.place(large()).events());
    assert!(begun(&story) < 8 && story.state().split.is_some());
    let mut answered = story.clone();
    answered.answer("s1", done()).whatever();
    assert_eq!((begun(&answered), answered.state().split), (8, None));
    // After a failure of the order, nothing starts.
    let mut failed = story.clone();
    failed.answer("s1", refused("no")).whatever();
    assert!(begun(&failed) < 8 && failed.state().split.is_none());
    assert_eq!(failed.state().state(), State::Compensating);
    // The same holds after a cancel. A pause delays the rest, and the resume continues it.
    let mut canceled = story.clone();
    canceled.operate(Operation::Cancel).whatever();
    assert!(begun(&canceled) < 8 && canceled.state().split.is_none());
    story.operate(Operation::Pause).then(&["The order is put on hold"]);
    assert_eq!((story.state().due_at(), story.state().split), (None, None));
    story.answer("s1", done()).then(&["s1: done"]);
    story.operate(Operation::Resume).whatever();
    settle(&mut story);
    assert_eq!(begun(&story), 8);
}

#[test]
fn an_ended_wait_and_a_completed_undo_can_be_split_too() {
    let steps = format!("  wait: {{ wait: 2s }}\n{}", told(8, "after: [wait], "));
    let workflow = workflow(&format!("steps:\n{steps}compensated:\n{}", told_at_last(8)));
    let mut story = Story::given(&workflow);
    story.place(large()).whatever();
    assert_fits(&story.tick_after(Duration::from_secs(2)).events());
    assert_eq!(settle(&mut story), 1);
    story.operate(Operation::Cancel).whatever();
    (1..=8).for_each(|n| story.answer(&format!("s{n}"), refused("no")).whatever());
    // The last answer ends the compensation, which has nothing to undo. Eight steps follow.
    assert_eq!((settle(&mut story), story.state().phase), (1, Phase::Compensated));
    (1..=8).for_each(|n| story.answer(&format!("c{n}"), done()).whatever());
    assert_eq!(story.state().state(), State::Canceled);
}

/// This many steps with the same input, each held while personal data cannot be read.
fn held_without_a_key(count: u32) -> String {
    let guard = "order.customer.email != null && order.customer.email.endsWith('.example')";
    let step =
        |n| format!("  s{n}: {{ after: [charge], when: \"{guard}\", call: p.s{n}, with: {{ lines: order.lines }} }}\n");
    format!("steps:\n  charge: {{ call: p.charge }}\n{}", (1..=count).map(step).collect::<String>())
}

/// All of them are held. Then the personal data can be read again.
fn all_held(workflow: &Workflow) -> Story<'_> {
    let key = CustomerKey::new(uuid::Uuid::from_u128(7), &[7; CustomerKey::LENGTH]).unwrap();
    let mut story = Story::given(workflow);
    story.place(large()).whatever();
    story.seal(&key);
    story.answer("charge", done()).whatever();
    assert!((1..=8).all(|n| matches!(stage(&story, &format!("s{n}")), Some(Stage::Held { .. }))));
    story.unseal(&key);
    story
}

#[test]
fn a_retry_of_many_held_steps_is_split_and_retries_them_all() {
    let workflow = workflow(&held_without_a_key(8));
    let mut story = all_held(&workflow);
    let events = story.operate(Operation::Retry { step: None }).events();
    assert_fits(&events);
    let begun = story.in_flight().len();
    assert!((5..8).contains(&begun), "{begun}");
    let left: Vec<String> = (begun + 1..=8).map(|n| format!("s{n}")).collect();
    assert_eq!(events.last(), Some(&Event::DecisionSplit(DecisionSplit { retry: left, at: story.now().at })));
    assert_eq!((story.state().state(), story.state().due_at()), (State::Running, Some(story.now().at)));
    let (mut answered, mut paused, mut canceled) = (story.clone(), story.clone(), story.clone());
    assert_eq!((settle(&mut story), story.in_flight().len()), (1, 8));
    assert!(story.state().to_retry.is_empty() && story.state().stuck.is_none());
    // The next decision retries the rest. A pause delays that; a cancel leaves nothing to retry.
    answered.answer("s1", done()).whatever();
    settle(&mut answered);
    assert_eq!(answered.in_flight().len(), 7);
    paused.operate(Operation::Pause).whatever();
    assert_eq!((paused.tick_after(Duration::ZERO).events(), paused.in_flight().len()), (Vec::new(), begun));
    paused.operate(Operation::Resume).whatever();
    settle(&mut paused);
    assert_eq!((paused.in_flight().len(), paused.state().state()), (8, State::Running));
    canceled.operate(Operation::Cancel).whatever();
    assert!(canceled.state().to_retry.is_empty());
    live_on(&mut canceled);
    assert_eq!(canceled.state().state(), State::Canceled);
}

#[test]
fn a_split_retry_is_replayed_the_same() {
    let workflow = workflow(&held_without_a_key(8));
    let mut story = all_held(&workflow);
    let before = story.state().clone();
    let events = story.operate(Operation::Retry { step: None }).events();
    let now = story.now();
    let retry = Operate {
        operation: Operation::Retry { step: None },
        actor: "ann".to_owned(),
        reason: "asked for".to_owned(),
        now,
    };
    let (at_once, _) = events.split_at(events.len() - 1);
    let again = decide_split_like(&workflow, &before, &Command::Operate(retry), Some(at_once)).unwrap().0;
    assert_eq!(again, events);
}

/// This many parallel steps.
fn side_by_side(count: u32) -> Workflow {
    let step =
        |n| format!("  s{n:02}: {{ call: p.s{n}, undo: p.un-s{n}, retry: {{ attempts: 2, initial: 1h, max: 1h }} }}\n");
    workflow(&format!("steps:\n{}", (1..=count).map(step).collect::<String>()))
}

/// An order on a log that takes a few events in one append.
const FEW: Limits = Limits { decision: 12_000, ..Limits::LOG };

fn begun_side_by_side(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow).within(FEW);
    story.place(order()).whatever();
    settle(&mut story);
    assert_eq!(story.in_flight().len(), story.state().steps.len());
    story
}

#[track_caller]
fn assert_within_few(events: &[Event]) {
    assert!(!events.is_empty() && appended(events) < FEW.decision, "{} bytes", appended(events));
}

#[test]
fn many_lost_attempts_are_made_again_in_parts() {
    let workflow = side_by_side(30);
    let mut story = begun_side_by_side(&workflow);
    story.pass(Duration::from_mins(10));
    let mut parts = 0;
    while story.state().steps.values().any(|known| known.attempts < 2) {
        assert_within_few(&story.tick_after(Duration::ZERO).events());
        parts += 1;
    }
    assert!((3..30).contains(&parts), "{parts}");
    assert_eq!((story.state().steps.len(), story.state().split), (30, None));
}

#[test]
fn many_attempts_are_released_in_parts_even_while_the_order_is_paused() {
    let workflow = side_by_side(30);
    let mut story = begun_side_by_side(&workflow);
    story.operate(Operation::Pause).whatever();
    let mut parts = 0;
    while !story.in_flight().is_empty() {
        assert_within_few(&story.hand_over(story.in_flight()).events());
        parts += 1;
    }
    assert!((2..30).contains(&parts), "{parts}");
}

#[test]
fn a_split_cancel_of_many_retries_retries_none_of_them() {
    let workflow = side_by_side(30);
    let mut story = begun_side_by_side(&workflow);
    (1..=30).for_each(|n| story.answer(&format!("s{n:02}"), unclear("503")).whatever());
    story.pass(Duration::from_hours(2));
    assert_within_few(&story.operate(Operation::Cancel).events());
    assert!(story.state().split.is_some());
    // All of them are due. An operator's retry is refused, because the order is being undone.
    let refusal = Refusal::NothingToRetry { state: State::Compensating };
    story.clone().operate(Operation::Retry { step: None }).then_refused(&refusal);
    while story.state().split.is_some() {
        assert_within_few(&story.tick_after(Duration::ZERO).events());
    }
    let tried = |known: &Arc<StepState>| known.attempts > 1;
    assert!(!story.state().steps.values().any(tried));
    assert_eq!(story.state().state(), State::Compensating);
}

#[test]
fn a_step_with_a_too_large_input_fails_with_the_reason() {
    let workflow = workflow(
        "steps:\n  a: { call: p.a, undo: p.un-a }\n  b: { after: [a], call: p.b, with: { data: steps.a.data + steps.a.data } }",
    );
    let limits = Limits { value: 1_000, ..Limits::LOG };
    let mut story = Story::given(&workflow).within(limits);
    story.place(order()).whatever();
    let data = json!("x".repeat(500));
    let why = "`with` is too large to be recorded: 1011 bytes of JSON, where at most 1000 are allowed";
    story.answer("a", Reply::Done { outcome: None, data }).then(&[
        "a: done",
        &format!("b: failed for good: {why}"),
        &format!("The order cannot be kept and is being undone: {why}"),
        "undo of a: p is asked to un-a",
    ]);
    assert_eq!(story.state().steps["b"].attempts, 0);
    story.answer("a", done()).events();
    assert_eq!(story.state().state(), State::Canceled);
}

#[test]
fn after_compensation_such_a_step_leaves_the_order_stuck_and_can_be_skipped() {
    let workflow =
        workflow("steps:\n  a: { call: p.a }\ncompensated:\n  tell: { call: p.tell, with: { lines: order.lines } }");
    let mut story = Story::given(&workflow).within(Limits { value: 40, ..Limits::LOG });
    story.place(order()).whatever();
    story.answer("a", refused("no")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    assert!(story.state().stuck_reason().unwrap().contains("too large to be recorded"));
    let refusal = Refusal::NeverAsked { step: "tell".to_owned(), state: State::Stuck };
    story.operate(Operation::Retry { step: Some("tell".to_owned()) }).then_refused(&refusal);
    let skip = Operation::Skip { step: "tell".to_owned(), outcome: None, data: Value::Null };
    story.operate(skip).whatever();
    assert_eq!(story.state().state(), State::Canceled);
}

#[test]
fn an_order_with_a_too_large_input_of_a_first_step_is_refused() {
    let workflow = workflow("steps:\n  a: { call: p.a, with: { lines: order.lines } }");
    let within = |value| Story::given(&workflow).within(Limits { value, ..Limits::LOG });
    assert!(within(69).place(order()).events().iter().any(|event| matches!(event, Event::StepStarted(_))));
    let mut story = within(40);
    let refusal = Refusal::TooLarge {
        step: "a".to_owned(),
        error: "`with` is too large to be recorded: 69 bytes of JSON, where at most 40 are allowed".to_owned(),
    };
    story.place(order()).then_refused(&refusal);
}

#[test]
fn a_result_that_is_too_large_is_left_out_and_the_order_still_ends() {
    let workflow = workflow("steps:\n  a: { call: p.a }\nresult: order.lines + order.lines");
    let mut story = Story::given(&workflow).within(Limits { value: 100, ..Limits::LOG });
    story.place(order()).whatever();
    let events = story.answer("a", done()).events();
    let Some(Event::OrderCompleted(end)) = events.last() else { panic!("{events:?}") };
    assert_eq!(end.result, Value::Null);
    let why = "`result` is too large to be recorded: 117 bytes of JSON, where at most 100 are allowed";
    assert_eq!(end.result_error.as_deref(), Some(why));
}

#[test]
fn work_that_exceeds_the_rest_of_the_budget_is_the_next_decision() {
    let workflow = workflow("steps:\n  a: { call: p.a }\nresult: steps.a.data");
    let mut story = Story::given(&workflow).within(Limits { decision: 4_000, ..Limits::LOG });
    story.place(order()).whatever();
    story.answer("a", Reply::Done { outcome: None, data: json!("x".repeat(2_000)) }).then(&["a: done", SPLIT]);
    assert_eq!(story.state().state(), State::Running);
    story.tick_after(Duration::ZERO).then(&["The order is completed"]);
}

#[test]
fn a_settling_answer_is_accepted_after_any_number_of_interim_answers() {
    let workflow = workflow("steps:\n  a: { request: p.a, outcomes: [soon, done], interim: { soon: 1h } }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("a", Reply::Accepted).whatever();
    for number in 0..100 {
        story.signal_with("a", "soon", json!(number), None).whatever();
    }
    let refusal = Refusal::TooManyAnswers { step: "a".to_owned(), count: 100 };
    story.signal_with("a", "soon", json!("more"), None).then_refused(&refusal);
    story.signal_with("a", "done", Value::Null, None).then(&["a: done", "The order is completed"]);
}

#[test]
fn an_attempt_that_is_always_lost_is_not_repeated_for_ever() {
    let workflow = workflow("steps:\n  a: { call: p.a, timeout: 1s, undo: p.un-a }");
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    let mut ticks = 0;
    while story.state().steps["a"].undo_attempts == 0 {
        story.tick_after(Duration::from_secs(3)).whatever();
        ticks += 1;
    }
    assert_eq!(ticks, 10_000);
    // The undo is given up, too, after as many lost attempts. Then an operator has to decide.
    while story.state().stuck.is_none() {
        story.tick_after(Duration::from_secs(3)).whatever();
    }
    assert_eq!(story.state().steps["a"].undo_attempts, 10_000);
}

#[test]
fn the_bound_of_an_event_is_never_less_than_its_written_size() {
    let workflow = workflow(&format!("steps:\n  a: {{ call: p.a }}\n{}result: order.lines", told(3, "after: [a], ")));
    let mut story = Story::given(&workflow);
    story
        .place(NewOrder { attributes: [("k".to_owned(), json!("\"\u{1f69a}"))].into_iter().collect(), ..order() })
        .whatever();
    story.answer("a", done()).whatever();
    story.answer("s1", refused("no")).whatever();
    for event in story.history() {
        let (taken, written) = (Limits::size(event), appended(std::slice::from_ref(event)));
        assert!((written..written + 500).contains(&taken), "{taken} for {written}: {event:?}");
        assert!(Limits::bound(event) >= taken, "{} for {taken}: {event:?}", Limits::bound(event));
    }
}

#[test]
fn a_large_order_can_be_canceled_after_every_decision_and_ends() {
    let charge = "  charge: { call: p.charge, undo: p.refund }\n";
    let steps = format!("steps:\n{charge}{}compensated:\n{}", told(8, "after: [charge], "), told_at_last(8));
    let workflow = workflow(&format!("{steps}result: order.lines + order.lines"));
    let mut story = Story::given(&workflow);
    story.place(large()).whatever();
    let mut canceled = 0;
    while !story.state().ended() {
        let mut other = story.clone();
        assert_fits(&other.operate(Operation::Cancel).events());
        live_on(&mut other);
        assert_eq!(other.state().state(), State::Canceled);
        canceled += 1;
        next(&mut story);
    }
    assert_eq!((story.state().state(), canceled), (State::Completed, 10));
}

fn live_on(story: &mut Story<'_>) {
    while !story.state().ended() {
        next(story);
    }
}

/// The rest of a split decision, or else the next answer.
fn next(story: &mut Story<'_>) {
    let in_flight = |known: &StepState| matches!(known.stage, Stage::InFlight { .. });
    let asked = story.state().steps.iter().find(|(_, known)| in_flight(known)).map(|(id, _)| id.clone());
    let then = match asked.filter(|_| story.state().split.is_none()) {
        Some(step) => story.answer(&step, done()),
        None => story.tick_after(Duration::ZERO),
    };
    let events = then.events();
    assert!(!events.is_empty());
    assert_fits(&events);
}

#[test]
fn a_large_order_leaves_less_room_for_its_first_steps() {
    let workflow = workflow("steps:\n  a: { call: p.a }");
    let mut story = Story::given(&workflow).within(Limits { decision: 4_000, ..Limits::LOG });
    let attributes = [("note".to_owned(), json!("x".repeat(3_000)))].into_iter().collect();
    let events = story.place(NewOrder { attributes, ..order() }).events();
    assert_eq!(events.iter().map(Event::type_name).collect::<Vec<_>>(), ["OrderPlaced", "DecisionSplit"]);
    story.tick_after(Duration::ZERO).then(&["a: p is asked to a"]);
}

/// Any JSON, with texts that have to be escaped.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[\u{0}-\u{1f}\"\\\\]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(".{0,8}", inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_value_has_more_bytes_than_its_bound(value in any_json()) {
        prop_assert!(json_size(&value) <= json_bound(&value), "{value}");
    }
}

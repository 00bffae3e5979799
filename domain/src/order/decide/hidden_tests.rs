//! Orders whose personal data cannot be read. A step that needs them is held for an operator; the
//! other steps continue.

use uuid::Uuid;

use crate::order::{Command, CustomerKey, Direction, Event, LateRefusal, Operation, State, StepStatus};
use crate::testing::{Story, done, held, order, refused};
use crate::workflow::Workflow;

const LOOKS: &str = "order.customer.email != null && order.customer.email.endsWith('.example')";

fn workflow(guard: &str) -> Workflow {
    let source = format!(
        "
workflow: w
version: 1
participants: {{ p: {{ url: 'http://p' }} }}
steps:
  charge: {{ call: p.charge, undo: p.refund }}
  tell: {{ after: [charge], when: \"{guard}\", request: p.tell, with: {{ to: order.customer.email }} }}
compensated:
  record: {{ call: p.record }}
  sorry: {{ after: [record], call: p.tell, with: {{ to: order.customer.email }} }}
"
    );
    Workflow::parse(&source).unwrap()
}

fn key() -> CustomerKey {
    CustomerKey::new(Uuid::from_u128(7), &[7; CustomerKey::LENGTH]).unwrap()
}

/// An order whose key went missing after it was placed.
fn keyless(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.seal(&key());
    story
}

fn retry() -> Operation {
    Operation::Retry { step: Some("tell".to_owned()) }
}

#[test]
fn an_impossible_request_is_held_at_once_and_made_when_an_operator_retries() {
    let workflow = workflow("true");
    let mut story = keyless(&workflow);
    story.answer("charge", done()).then(&["charge: done", "tell: p is asked to tell"]);
    let reason = "p.tell is held for an operator: key 7 is missing";
    story.answer("tell", held("key 7 is missing")).then(&[
        "tell: failed by a mistake that a person has to mend: key 7 is missing",
        &format!("The order is stuck and needs a person: {reason}"),
    ]);
    assert_eq!((story.state().state(), story.state().stuck_reason()), (State::Stuck, Some(reason)));
    assert_eq!(story.state().due_at(), None);
    story.operate(retry()).then(&["tell: p is asked to tell again (attempt 2)"]);
    assert_eq!(story.state().state(), State::Running);
}

#[test]
fn a_participant_that_needs_a_correction_has_not_refused() {
    let workflow = workflow("true");
    let mut story = keyless(&workflow);
    story.answer("charge", done()).whatever();
    let (step, direction, error) = ("tell".to_owned(), Direction::Do, "no key".to_owned());
    let late = LateRefusal { step, direction, error, request: None, key: None, misconfigured: true, now: story.now() };
    story.when(&Command::Refuse(late)).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    assert!(!story.history().iter().any(|event| matches!(event, Event::CompensationStarted(_))));
}

#[test]
fn a_guard_never_reads_a_placeholder_as_personal_data() {
    let workflow = workflow(LOOKS);
    let mut story = keyless(&workflow);
    story.answer("charge", done()).whatever();
    assert_eq!((story.state().state(), story.state().status_of("tell")), (State::Stuck, StepStatus::Stuck));
    assert!(story.state().stuck_reason().unwrap().contains(&key().id().to_string()));
    // While the key is missing, the step is held again.
    assert_eq!(story.operate(retry()).events().len(), 1);
    assert_eq!(story.state().state(), State::Stuck);
    story.unseal(&key());
    story.operate(retry()).then(&["tell: p is asked to tell"]);
    assert_eq!((story.state().state(), story.state().stuck_reason()), (State::Running, None));
}

#[test]
fn a_step_that_its_guard_excludes_is_skipped_and_the_order_continues() {
    let workflow = workflow("order.customer.email != null && order.customer.email.endsWith('.org')");
    let mut story = keyless(&workflow);
    story.answer("charge", done()).whatever();
    story.unseal(&key());
    story.operate(retry()).whatever();
    assert_eq!((story.state().state(), story.state().stuck_reason()), (State::Completed, None));
}

#[test]
fn a_step_that_was_held_before_it_began_can_be_skipped_and_undone() {
    let workflow = workflow(LOOKS);
    let mut story = keyless(&workflow);
    story.answer("charge", done()).whatever();
    let mut canceled = story.clone();
    story.operate(Operation::Skip { step: "tell".to_owned(), outcome: None, data: serde_json::Value::Null }).whatever();
    assert_eq!(story.state().state(), State::Completed);
    canceled.operate(Operation::Cancel).whatever();
    assert_eq!(canceled.state().status_of("charge"), StepStatus::Compensating);
}

#[test]
fn a_canceled_order_ends_without_steps_that_need_unreadable_personal_data() {
    let workflow = workflow("true");
    let mut story = keyless(&workflow);
    story.operate(Operation::Cancel).whatever();
    story.answer("charge", refused("no")).whatever();
    story.answer("record", done()).whatever();
    assert_eq!((story.state().state(), story.state().status_of("sorry")), (State::Canceled, StepStatus::Skipped));
}

#[test]
fn an_order_compensated_by_a_failure_is_held_where_it_needs_unreadable_data() {
    let workflow = workflow("true");
    let mut story = keyless(&workflow);
    story.answer("charge", refused("no")).whatever();
    story.answer("record", done()).whatever();
    story.answer("sorry", held("key 7 is missing")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    story.unseal(&key());
    story.operate(Operation::Retry { step: None }).whatever();
    story.answer("sorry", done()).whatever();
    assert_eq!(story.state().state(), State::Canceled);
}

#[test]
fn a_canceled_order_ends_without_steps_whose_guard_needs_unreadable_personal_data() {
    let steps = "steps:\n  charge: { call: p.charge }\ncompensated:\n";
    let workflow = super::tests::workflow(&format!("{steps}  sorry: {{ when: \"{LOOKS}\", call: p.tell }}"));
    let mut story = keyless(&workflow);
    story.operate(Operation::Cancel).whatever();
    story.answer("charge", refused("no")).whatever();
    assert_eq!((story.state().state(), story.state().status_of("sorry")), (State::Canceled, StepStatus::Skipped));
}

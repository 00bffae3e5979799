//! A step that fails by a mistake is held for an operator. A retry of a concluded request has the
//! right key.

use std::time::Duration;

use serde_json::Value;

use super::tests::assert_backtests_the_same;
use crate::order::{Effect, Event, Operation, Refusal, Reply, State, StepStatus, idempotency_key};
use crate::testing::{Story, answered, done, misconfigured, order, refused, unclear};
use crate::workflow::Workflow;

const SLOWLY: Duration = Duration::from_mins(2);

fn workflow() -> Workflow {
    let source = "
workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  charge: { call: p.charge, undo: p.refund, outcomes: [done, declined], retry: { attempts: 3, max: 1m } }
  ship: { after: [charge], call: p.ship }
  tell: { call: p.tell }
";
    Workflow::parse(source).unwrap()
}

/// `charge` is held after its three attempts, and `tell` is in flight.
fn held(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    use_up(&mut story, "charge", 3, &misconfigured("answered 401"));
    story
}

/// All attempts of a step get this reply.
fn use_up(story: &mut Story<'_>, step: &str, attempts: u32, reply: &Reply) {
    for _ in 1..attempts {
        story.answer(step, reply.clone()).whatever();
        story.tick_after(SLOWLY).whatever();
    }
    story.answer(step, reply.clone()).whatever();
}

/// The undo of `charge` is requested, because `ship` failed.
fn refunding(workflow: &Workflow) -> Story<'_> {
    let mut story = Story::given(workflow);
    story.place(order()).whatever();
    story.answer("tell", done()).whatever();
    story.answer("charge", done()).whatever();
    story.answer("ship", refused("no van")).whatever();
    story
}

fn skip(outcome: &str) -> Operation {
    Operation::Skip { step: "charge".to_owned(), outcome: Some(outcome.to_owned()), data: Value::Null }
}

fn key_of(story: &Story<'_>, step: &str) -> String {
    let attempt = story.pending().into_iter().find_map(|effect| match effect {
        Effect::Perform(attempt) if attempt.step == step => Some(attempt),
        _ => None,
    });
    let attempt = attempt.expect("an attempt under way");
    idempotency_key(&story.state().placed.order_id, step, attempt.direction, attempt.own_key_since())
}

#[test]
fn a_mistake_ends_in_a_hold_and_undoes_nothing() {
    let workflow = workflow();
    let mut story = held(&workflow);
    let state = story.state();
    assert_eq!((state.state(), state.status_of("charge")), (State::Stuck, StepStatus::Stuck));
    assert_eq!(state.stuck_reason(), Some("p.charge is held for an operator: answered 401 (attempt 3, the last)"));
    story.answer("tell", done()).whatever();
    let state = story.state();
    assert_eq!((state.state(), state.status_of("tell")), (State::Stuck, StepStatus::Completed));
    assert_eq!((state.status_of("ship"), state.due_at()), (StepStatus::Pending, None));
    assert!(!story.history().iter().any(|event| matches!(event, Event::CompensationStarted(_))));
}

#[test]
fn a_mistake_is_retried_more_slowly_than_an_unclear_answer() {
    let workflow = workflow();
    let wait = |reply| {
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        match story.answer("charge", reply).events().first() {
            Some(Event::StepAttemptFailed(e)) => (e.retry_at - e.at).num_milliseconds(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((wait(unclear("503")), wait(misconfigured("401"))), (150, 1500));
}

#[test]
fn a_step_that_requires_an_outcome_is_held_without_one() {
    let source = "
workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  charge: { call: p.charge, undo: p.refund, outcome: required, retry: { attempts: 2, max: 1m } }
";
    let workflow = Workflow::parse(source).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("charge", done()).whatever();
    story.tick_after(SLOWLY).whatever();
    story.answer("charge", done()).then(&[
        "charge: failed by a mistake that a person has to mend: answered without an outcome, which the step requires \
         (attempt 2, the last)",
        "The order is stuck and needs a person: p.charge is held for an operator: answered without an outcome, which the \
         step requires (attempt 2, the last)",
    ]);
    // The participant has acted: a cancel undoes the step, and any outcome settles it.
    let mut canceled = story.clone();
    canceled.operate(Operation::Cancel).whatever();
    assert_eq!(canceled.state().status_of("charge"), StepStatus::Compensating);
    canceled.answer("charge", done()).whatever();
    assert_eq!(canceled.state().state(), State::Canceled);
    story.operate(Operation::Retry { step: None }).whatever();
    story.answer("charge", answered("done")).whatever();
    assert_eq!(story.state().state(), State::Completed);
    assert_backtests_the_same(&story, &workflow);
}

#[test]
fn a_later_answer_without_the_required_outcome_is_held_too() {
    let source = "
workflow: w
version: 1
participants: { e: { events: true } }
steps:
  charge: { request: e.charge, undo: e.refund, outcome: required }
";
    let workflow = Workflow::parse(source).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("charge", Reply::Accepted).whatever();
    let why = "answered without an outcome, which the step requires";
    story.signal_unnamed("charge", "r1").then(&[
        &format!("charge: failed by a mistake that a person has to mend: {why}"),
        &format!("The order is stuck and needs a person: e.charge is held for an operator: {why}"),
    ]);
    // The same answer, read again, changes nothing.
    story.signal_unnamed("charge", "r1").then(&[]);
    // The participant has acted: a cancel undoes the step. A later outcome or a retry completes it.
    let (mut canceled, mut named) = (story.clone(), story.clone());
    canceled.operate(Operation::Cancel).whatever();
    assert_eq!(canceled.state().status_of("charge"), StepStatus::Compensating);
    named.signal_with("charge", "done", Value::Null, Some("r2")).whatever();
    assert_eq!(named.state().state(), State::Completed);
    story.operate(Operation::Retry { step: None }).whatever();
    story.answer("charge", Reply::Accepted).whatever();
    story.signal_with("charge", "done", Value::Null, Some("r2")).whatever();
    assert_eq!(story.state().state(), State::Completed);
    for story in [story, named, canceled] {
        assert_backtests_the_same(&story, &workflow);
    }
}

#[test]
fn a_later_answer_without_an_outcome_counts_as_done_where_none_is_required() {
    let source = "workflow: w\nversion: 1\nparticipants: { e: { events: true } }\nsteps: { go: { request: e.go } }";
    let workflow = Workflow::parse(source).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("go", Reply::Accepted).whatever();
    story.signal_unnamed("go", "r1").then(&["go: done", "The order is completed"]);
}

#[test]
fn a_retry_after_of_more_than_a_day_is_limited_and_reported() {
    let workflow = workflow();
    let days = |days: u64| Some(Duration::from_hours(24 * days));
    for (retry_after, said) in [
        (days(1), "503"),
        (days(3), "503; it asks to wait until 1970-01-04 00:00:00 UTC, and is asked again after 24 hours"),
        (Some(Duration::MAX), "503; it asks to wait for ever, and is asked again after 24 hours"),
    ] {
        for reply in [
            Reply::Unclear { error: "503".to_owned(), retry_after },
            Reply::Misconfigured { error: "503".to_owned(), retry_after, maybe_done: false },
        ] {
            let mut story = Story::given(&workflow);
            story.place(order()).whatever();
            let Some(Event::StepAttemptFailed(failed)) = story.answer("charge", reply).events().into_iter().next()
            else {
                panic!("it is tried again")
            };
            assert_eq!(((failed.retry_at - failed.at).num_hours(), failed.error.as_str()), (24, said));
        }
    }
}

#[test]
fn an_operator_retries_what_is_held() {
    let workflow = workflow();
    let mut story = held(&workflow);
    story.operate(Operation::Retry { step: None }).whatever();
    assert_eq!(story.state().state(), State::Running);
    for step in ["charge", "tell", "ship"] {
        story.answer(step, done()).whatever();
    }
    assert_eq!(story.state().state(), State::Completed);
}

#[test]
fn an_operator_skips_a_held_step_with_a_known_outcome() {
    let workflow = workflow();
    let mut story = held(&workflow);
    let known = vec!["done".to_owned(), "declined".to_owned()];
    let refusal = Refusal::UnknownOutcome { step: "charge".to_owned(), outcome: "perhaps".to_owned(), known };
    story.operate(skip("perhaps")).then_refused(&refusal);
    story.operate(skip("done")).whatever();
    assert_eq!((story.state().state(), story.state().status_of("ship")), (State::Running, StepStatus::Running));
}

#[test]
fn a_cancel_undoes_completed_steps_but_not_a_step_that_a_mistake_kept_from_acting() {
    let workflow = workflow();
    let mut story = held(&workflow);
    story.answer("tell", done()).whatever();
    story.operate(Operation::Cancel).whatever();
    assert_eq!((story.state().state(), story.state().status_of("charge")), (State::Canceled, StepStatus::Failed));

    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("tell", done()).whatever();
    use_up(&mut story, "charge", 3, &answered("unheard-of"));
    assert_eq!(story.state().state(), State::Stuck);
    story.operate(Operation::Cancel).whatever();
    assert_eq!(story.state().status_of("charge"), StepStatus::Compensating);
}

#[test]
fn a_stuck_order_can_be_paused_and_resumed_and_is_still_stuck() {
    let workflow = workflow();
    let mut story = held(&workflow);
    story.operate(Operation::Pause).whatever();
    assert_eq!(story.state().state(), State::Paused);
    story.operate(Operation::Resume).whatever();
    assert_eq!(story.state().state(), State::Stuck);
}

#[test]
fn with_two_held_steps_the_other_one_keeps_the_order_stuck() {
    let workflow = workflow();
    let mut story = held(&workflow);
    let attempts = workflow.step("tell").unwrap().retry.attempts;
    use_up(&mut story, "tell", attempts, &misconfigured("answered 404"));
    story.operate(Operation::Retry { step: Some("charge".to_owned()) }).whatever();
    assert_eq!(story.state().stuck.as_ref().map(|stuck| stuck.step.as_str()), Some("tell"));
    story.operate(Operation::Retry { step: Some("tell".to_owned()) }).whatever();
    assert_eq!(story.state().state(), State::Running);
}

#[test]
fn an_undo_that_fails_by_a_mistake_is_stuck_and_retried_under_a_new_key() {
    let workflow = workflow();
    let mut story = refunding(&workflow);
    assert_eq!(key_of(&story, "charge"), "1/charge/undo");
    story.answer("charge", refused("the till is closed")).whatever();
    assert_eq!(story.state().state(), State::Stuck);
    story.operate(Operation::Retry { step: None }).whatever();
    assert_eq!(key_of(&story, "charge"), "1/charge/undo/2");
    // While the outcome is unknown, the key stays.
    for _ in 0..3 {
        story.answer("charge", unclear("503")).whatever();
        story.tick_after(SLOWLY).whatever();
    }
    assert_eq!(story.state().state(), State::Stuck);
    story.operate(Operation::Retry { step: None }).whatever();
    assert_eq!(key_of(&story, "charge"), "1/charge/undo/2");
}

#[test]
fn a_refusal_after_mistakes_without_effect_needs_no_undo() {
    let workflow = workflow();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("tell", done()).whatever();
    story.answer("charge", misconfigured("answered 401")).whatever();
    story.tick_after(SLOWLY).whatever();
    story.answer("charge", refused("declined")).whatever();
    assert_eq!((story.state().state(), story.state().status_of("charge")), (State::Canceled, StepStatus::Failed));
}

#[test]
fn an_undo_may_be_answered_later_over_http_and_by_events() {
    let workflow = workflow();
    let mut story = refunding(&workflow);
    story.answer("charge", Reply::Accepted).whatever();
    assert_eq!(story.state().state(), State::Compensating);
    story.undone_later("charge").whatever();
    assert_eq!(story.state().state(), State::Canceled);
}

#[test]
fn an_undo_has_its_own_time_for_its_later_answer() {
    let source = "
workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  send: { request: p.send, undo: p.recall, timeout: 9d, undo-timeout: 2h }
  tell: { after: [send], call: p.tell }
";
    let workflow = Workflow::parse(source).unwrap();
    let mut story = Story::given(&workflow);
    story.place(order()).whatever();
    story.answer("send", Reply::Accepted).then(&["send: taken on, to be answered by 1970-01-10 00:00:00 UTC"]);
    story.signal("send", "sent").whatever();
    story.answer("tell", refused("no")).whatever();
    story.answer("send", Reply::Accepted).then(&["undo of send: taken on, to be answered by 1970-01-01 02:00:00 UTC"]);
    story.tick_after(Duration::from_hours(2)).then(&[
        "undo of send: failed for good: no answer in time",
        "The order is stuck and needs a person: p.recall failed for good: no answer in time",
    ]);
}

#[test]
fn an_undo_whose_later_answer_never_comes_is_stuck() {
    let workflow = workflow();
    let mut story = refunding(&workflow);
    story.answer("charge", Reply::Accepted).whatever();
    story.tick_after(Duration::from_hours(24)).whatever();
    assert_eq!(story.state().state(), State::Stuck);
}

//! A recorded attempt that was never sent: its participant had no capacity in time, or its circuit
//! was open.
//!
//! The exchange time-out is the participant's time, so waiting must not use it up. An unsent
//! attempt does not count: it uses up no retry, and it needs no undo. After a day without sending,
//! the step is held for an operator. The day does not depend on the step's times: those bound how
//! long a participant may work on a request, and it has received none.

use chrono::TimeDelta;

use super::answer::{failure, is_unsure};
use super::attempt::later;
use super::decision::{DecideError, Decision};
use super::tick::next_attempt;
use crate::Timestamp;
use crate::order::attempt_id::AttemptId;
use crate::order::command::{NotSent, Refusal};
use crate::order::event::{Direction, Event, StepAttemptFailed, StepFailed};
use crate::order::failure::never_sent;
use crate::order::state::Order;
use crate::workflow::{Step, Workflow};

/// How long an unsent request is tried again, without pauses.
pub const MAX_UNSENT: TimeDelta = TimeDelta::days(1);

pub(super) fn not_sent(
    workflow: &Workflow,
    state: &Order,
    not_sent: &NotSent,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    let AttemptId { step, direction, number, .. } = &not_sent.attempt;
    let step = workflow.known_step(step)?;
    if !state.is_in_flight(&not_sent.attempt) {
        return Err(Refusal::NotWaiting { step: step.id.clone(), state: state.state() }.into());
    }
    // A paused order starts nothing, and an order under compensation starts no forward step.
    let may_continue = state.paused.is_none() && state.phase.starts(*direction);
    let since = unsent_since(state, &step.id).filter(|since| decision.at - since >= MAX_UNSENT);
    if let Some(since) = since.filter(|_| may_continue && !not_sent.wait.is_zero()) {
        let error = never_sent(since, &not_sent.error);
        return Ok(decision.record(held_unsent(step, state, *direction, error, decision))?);
    }
    decision.record(Event::StepAttemptFailed(StepAttemptFailed {
        step: step.id.clone(),
        direction: *direction,
        attempt: *number,
        error: not_sent.error.clone(),
        lost: false,
        unsent: true,
        misconfigured: false,
        maybe_done: false,
        retry_at: later(decision.at, not_sent.wait),
        at: decision.at,
    }))?;
    if not_sent.wait.is_zero() && may_continue {
        next_attempt(workflow, step, *direction, number.saturating_sub(1), decision)?;
    }
    Ok(())
}

/// Since when the request of a step waits to be sent.
fn unsent_since(state: &Order, step: &str) -> Option<Timestamp> {
    let known = state.steps.get(step)?;
    Some(known.unsent_since.unwrap_or(known.since))
}

/// Holds the step because its request could not be sent. An earlier attempt may have acted.
fn held_unsent(step: &Step, state: &Order, direction: Direction, error: String, decision: &Decision) -> Event {
    let failure = failure(step, direction, error, is_unsure(state, &step.id), decision);
    Event::StepFailed(StepFailed { misconfigured: true, unsent: true, ..failure })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use crate::order::decide::tests::{assert_backtests_the_same, workflow};
    use crate::order::{Answer, AttemptId, Command, Direction, Event, Operation, Refusal, Reply, State, StepStatus};
    use crate::testing::{Story, Then, done, order, refused, unclear};

    const ONE_CALL: &str = "steps:\n  go: { call: p.go, undo: p.come_back, retry: { attempts: 1 } }";
    const WAIT: Duration = Duration::from_secs(5);

    fn not_sent(story: &mut Story<'_>, direction: Direction, number: u32, wait: Duration) -> Then {
        let attempt = AttemptId { direction, number, ..story.attempt("go") };
        story.not_sent(attempt, "no turn came", wait)
    }

    #[test]
    fn an_unsent_request_does_not_count_as_an_attempt() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        not_sent(&mut story, Direction::Do, 1, WAIT)
            .then(&["go: attempt 1 was not sent: no turn came; the next try is at 00:00:05.000"]);
        assert_eq!(story.state().steps["go"].attempts, 0);
        assert_eq!(story.state().steps["go"].failures, 0);
        story.tick_after(WAIT).then(&["go: p is asked to go"]);
        // This is still the first attempt, so a refusal leaves nothing to undo.
        story.answer("go", refused("no")).then(&[
            "go: failed for good: no",
            "The order cannot be kept and is being undone: no",
            "Everything that was done is undone",
            "The order is canceled",
        ]);
    }

    #[test]
    fn late_capacity_restarts_the_time_of_the_exchange() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.pass(WAIT);
        not_sent(&mut story, Direction::Do, 1, Duration::ZERO)
            .then(&["go: attempt 1 was not sent: no turn came; the next try is now", "go: p is asked to go"]);
        let deadline = story.state().due_at().expect("an exchange has a deadline");
        assert_eq!(deadline - story.now().at, chrono::TimeDelta::seconds(12));
        story.answer("go", done()).then(&["go: done", "The order is completed"]);
    }

    #[test]
    fn a_cancel_undoes_no_unsent_request() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        not_sent(&mut story, Direction::Do, 1, WAIT).whatever();
        let events = story.operate(Operation::Cancel).events();
        assert!(events.iter().all(|event| event.type_name() != "StepStarted"), "{events:?}");
        assert_eq!(story.state().state(), State::Canceled);
    }

    #[test]
    fn an_earlier_sent_request_may_have_acted() {
        let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back, retry: { attempts: 3 } }");
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("go", unclear("503")).whatever();
        story.tick_after(Duration::from_mins(5)).whatever();
        not_sent(&mut story, Direction::Do, 2, WAIT).whatever();
        let events = story.operate(Operation::Cancel).events();
        assert!(events.iter().any(|event| event.type_name() == "StepStarted"), "{events:?}");
    }

    #[test]
    fn no_unsent_request_starts_again_during_a_pause_or_compensation() {
        let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back }\n  on: { call: p.on }");
        let mut held = Story::given(&workflow);
        held.place(order()).whatever();
        let mut undone = held.clone();
        held.operate(Operation::Pause).whatever();
        assert_eq!(not_sent(&mut held, Direction::Do, 1, Duration::ZERO).events().len(), 1);
        undone.operate(Operation::Cancel).whatever();
        let events = not_sent(&mut undone, Direction::Do, 1, Duration::ZERO).events();
        assert!(events.iter().all(|event| event.type_name() != "StepStarted"), "{events:?}");
    }

    #[test]
    fn an_undo_that_was_not_sent_is_tried_again() {
        let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back }\n  on: { after: [go], call: p.on }");
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("go", done()).whatever();
        story.answer("on", refused("no")).whatever();
        not_sent(&mut story, Direction::Undo, 1, WAIT).whatever();
        assert_eq!(story.state().steps["go"].undo_attempts, 0);
        story.tick_after(WAIT).then(&["undo of go: p is asked to come back"]);
        story.answer("go", done()).whatever();
        assert_eq!(story.state().state(), State::Canceled);
    }

    /// Tries every hour to send the step's request, until the order is stuck. Returns how often it
    /// tried.
    fn tries_in_vain(story: &mut Story<'_>, step: &str) -> usize {
        let mut tries = 0;
        while story.state().stuck.is_none() {
            let wait = Duration::from_hours(1);
            story.not_sent(story.attempt(step), "its circuit is open", wait).whatever();
            if story.state().stuck.is_none() {
                story.tick_after(wait).whatever();
            }
            tries += 1;
            assert!(tries < 100, "it is tried for ever");
        }
        tries
    }

    #[test]
    fn a_request_that_cannot_be_sent_for_a_day_is_held_for_an_operator() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        assert_eq!(tries_in_vain(&mut story, "go"), 25);
        let state = story.state();
        let reason = "p.go is held for an operator: never sent since 1970-01-01 00:00:00 UTC: its circuit is open";
        assert_eq!((state.state(), state.stuck_reason(), state.due_at()), (State::Stuck, Some(reason), None));
        assert_eq!((state.steps["go"].attempts, state.status_of("go")), (0, StepStatus::Stuck));
        // There are three ways out.
        let (mut skipped, mut canceled) = (story.clone(), story.clone());
        story.operate(Operation::Retry { step: None }).then(&["go: p is asked to go"]);
        story.answer("go", done()).then(&["go: done", "The order is completed"]);
        assert_backtests_the_same(&story, &workflow);
        skipped.operate(Operation::Skip { step: "go".to_owned(), outcome: None, data: Value::Null }).whatever();
        assert_eq!(skipped.state().state(), State::Completed);
        assert_backtests_the_same(&skipped, &workflow);
        canceled.operate(Operation::Cancel).whatever();
        assert_eq!(canceled.state().state(), State::Canceled);
        let is_undo = |event: &Event| matches!(event, Event::StepStarted(e) if e.direction == Direction::Undo);
        assert!(!canceled.history().iter().any(is_undo));
        assert_backtests_the_same(&canceled, &workflow);
    }

    #[test]
    fn an_unsent_first_request_waits_for_an_operator_and_keeps_its_key() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.pass(Duration::from_hours(24));
        let error = "never sent since 1970-01-01 00:00:00 UTC: no turn came";
        not_sent(&mut story, Direction::Do, 1, WAIT).then(&[
            &format!("go: waits for a person: {error}"),
            &format!("The order is stuck and needs a person: p.go is held for an operator: {error}"),
        ]);
        let events = story.operate(Operation::Retry { step: None }).events();
        assert!(matches!(&events[..], [Event::StepStarted(e)] if e.attempt == 1 && !e.new_key), "{events:?}");
    }

    #[test]
    fn capacity_after_more_than_a_day_still_starts_the_exchange() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.pass(Duration::from_hours(25));
        not_sent(&mut story, Direction::Do, 1, Duration::ZERO)
            .then(&["go: attempt 1 was not sent: no turn came; the next try is now", "go: p is asked to go"]);
    }

    #[test]
    fn an_operators_retry_restarts_the_day() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        not_sent(&mut story, Direction::Do, 1, Duration::from_hours(20)).whatever();
        story.pass(Duration::from_hours(10));
        story.operate(Operation::Retry { step: None }).whatever();
        assert_eq!(tries_in_vain(&mut story, "go"), 25);
        story.operate(Operation::Retry { step: None }).whatever();
        assert_eq!(story.state().state(), State::Running);
        assert_eq!(tries_in_vain(&mut story, "go"), 25);
        assert!(story.state().stuck_reason().unwrap().contains("never sent since 1970-01-02 10:00:00 UTC"));
        assert_backtests_the_same(&story, &workflow);
    }

    #[test]
    fn a_pause_does_not_count_towards_the_day() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        not_sent(&mut story, Direction::Do, 1, Duration::from_hours(1)).whatever();
        story.operate(Operation::Pause).whatever();
        story.pass(Duration::from_hours(100));
        story.operate(Operation::Resume).whatever();
        story.tick_after(Duration::from_hours(1)).then(&["go: p is asked to go"]);
        assert_eq!(tries_in_vain(&mut story, "go"), 24);
        assert_backtests_the_same(&story, &workflow);
    }

    #[test]
    fn a_request_that_is_sent_ends_the_wait_and_the_next_one_has_its_own_day() {
        let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back, retry: { attempts: 3 } }");
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        not_sent(&mut story, Direction::Do, 1, Duration::from_hours(23)).whatever();
        story.tick_after(Duration::from_hours(23)).whatever();
        story.answer("go", unclear("503")).whatever();
        assert_eq!(story.state().steps["go"].unsent_since, None);
        story.tick_after(Duration::from_hours(2)).whatever();
        assert_eq!(tries_in_vain(&mut story, "go"), 25);
        // What was sent before may have acted, and is asked for again under the same key.
        let mut retried = story.clone();
        retried.operate(Operation::Retry { step: None }).then(&["go: p is asked to go again (attempt 2)"]);
        assert_eq!(retried.state().steps["go"].key_since, 1);
        story.operate(Operation::Cancel).whatever();
        assert_eq!(story.state().status_of("go"), StepStatus::Compensating);
        assert_backtests_the_same(&story, &workflow);
    }

    #[test]
    fn an_undo_and_a_step_after_compensation_are_held_too() {
        let source = "steps:\n  go: { call: p.go, undo: p.come_back }\n  on: { after: [go], call: p.on }\ncompensated:\n  tell: { call: p.tell }";
        let workflow = workflow(source);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("go", done()).whatever();
        story.answer("on", refused("no")).whatever();
        assert_eq!(tries_in_vain(&mut story, "go"), 25);
        let reason = "p.come_back failed for good: never sent since 1970-01-01 00:00:00 UTC: its circuit is open";
        assert_eq!((story.state().state(), story.state().stuck_reason()), (State::Stuck, Some(reason)));
        story.operate(Operation::Retry { step: None }).then(&["undo of go: p is asked to come back"]);
        story.answer("go", done()).whatever();
        assert_eq!(tries_in_vain(&mut story, "tell"), 25);
        assert_eq!(story.state().state(), State::Stuck);
        story.operate(Operation::Retry { step: None }).then(&["tell: p is asked to tell"]);
        story.answer("tell", done()).whatever();
        assert_eq!(story.state().state(), State::Canceled);
        assert_backtests_the_same(&story, &workflow);
    }

    #[test]
    fn a_report_of_an_earlier_attempt_does_not_count_for_a_later_one_with_the_same_number() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let earlier = story.attempt("go");
        story.not_sent(earlier.clone(), "no turn came", WAIT).whatever();
        story.tick_after(WAIT).whatever();
        assert_eq!(story.attempt("go").number, earlier.number);
        // The instance did not learn that its report was recorded, and repeats it.
        let refusal = Refusal::NotWaiting { step: "go".to_owned(), state: State::Running };
        story.not_sent(earlier.clone(), "no turn came", WAIT).then_refused(&refusal);
        story.hand_over(vec![earlier.clone()]).then(&[]);
        for reply in [done(), refused("no"), Reply::Held { error: "no key".to_owned() }] {
            let answer = Answer { attempt: earlier.clone(), reply, now: story.now() };
            story.when(&Command::Answer(answer)).then_refused(&refusal);
        }
        story.answer("go", done()).then(&["go: done", "The order is completed"]);
    }

    #[test]
    fn a_report_of_an_ended_attempt_is_refused() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let state = story.state().state();
        let refusal = Refusal::NotWaiting { step: "go".to_owned(), state };
        not_sent(&mut story, Direction::Do, 2, WAIT).then_refused(&refusal);
    }
}

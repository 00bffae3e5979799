//! A recorded attempt that was never sent: it waited for a turn at its participant, or for a circuit, and none came.
//!
//! An exchange's time-out is the participant's time, so it must not be used up by waiting. Nothing was sent, so the attempt counts as
//! none: it uses up no retry, and there is nothing to undo.

use super::attempt::{is_in_flight, later};
use super::tick::again;
use super::{DecideError, Decision};
use crate::order::command::{AttemptId, NotSent, Refusal};
use crate::order::event::{Direction, Event, StepAttemptFailed};
use crate::order::state::{OrderState, Phase};
use crate::workflow::Workflow;

pub(super) fn not_sent(workflow: &Workflow, state: &OrderState, not_sent: &NotSent) -> Result<Decision, DecideError> {
    let AttemptId { step, direction, number } = &not_sent.attempt;
    let step = workflow.known_step(step)?;
    if !is_in_flight(state, &step.id, *direction, *number) {
        return Err(Refusal::NotWaiting { step: step.id.clone(), state: state.state() }.into());
    }
    let mut decision = Decision::about(state, not_sent.now.at);
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
    // A pause begins nothing new, and an order that is being undone tries nothing forward.
    let goes_on = state.paused.is_none() && (state.phase != Phase::Undoing || *direction == Direction::Undo);
    if not_sent.wait.is_zero() && goes_on {
        again(workflow, step, *direction, number.saturating_sub(1), &mut decision)?;
    }
    Ok(decision)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::order::decide::tests::workflow;
    use crate::order::{AttemptId, Command, Direction, Lifecycle, NotSent, Operation, Refusal};
    use crate::testing::{Story, Then, done, order, refused, unclear};

    const ONE_CALL: &str = "steps:\n  go: { call: p.go, undo: p.come_back, retry: { attempts: 1 } }";
    const WAIT: Duration = Duration::from_secs(5);

    fn not_sent(story: &mut Story<'_>, direction: Direction, number: u32, wait: Duration) -> Then {
        let attempt = AttemptId { step: "go".to_owned(), direction, number };
        let command = NotSent { attempt, error: "no turn came".to_owned(), wait, now: story.now() };
        story.when(&Command::NotSent(command))
    }

    #[test]
    fn a_request_that_was_never_sent_counts_as_no_attempt() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        not_sent(&mut story, Direction::Do, 1, WAIT)
            .then(&["go: attempt 1 was not sent: no turn came; the next try is at 00:00:05.000"]);
        assert_eq!(story.state().steps["go"].attempts, 0);
        assert_eq!(story.state().steps["go"].failures, 0);
        story.tick_after(WAIT).then(&["go: p is asked to go"]);
        // It is the first attempt still, so a "no" leaves nothing to undo.
        story.answer("go", refused("no")).then(&[
            "go: failed for good: no",
            "The order cannot be kept and is being undone: no",
            "Everything that was done is undone",
            "The order is canceled",
        ]);
    }

    #[test]
    fn a_turn_that_came_late_begins_the_exchange_anew() {
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
    fn a_cancel_undoes_nothing_of_what_was_never_sent() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        not_sent(&mut story, Direction::Do, 1, WAIT).whatever();
        let told = story.operate(Operation::Cancel).events();
        assert!(told.iter().all(|event| event.type_name() != "StepStarted"), "{told:?}");
        assert_eq!(story.state().state(), Lifecycle::Canceled);
    }

    #[test]
    fn a_request_sent_before_may_have_been_done() {
        let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back, retry: { attempts: 3 } }");
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        story.answer("go", unclear("503")).whatever();
        story.tick_after(Duration::from_mins(5)).whatever();
        not_sent(&mut story, Direction::Do, 2, WAIT).whatever();
        let told = story.operate(Operation::Cancel).events();
        assert!(told.iter().any(|event| event.type_name() == "StepStarted"), "{told:?}");
    }

    #[test]
    fn nothing_begins_anew_while_an_order_is_held_or_undone() {
        let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back }\n  on: { call: p.on }");
        let mut held = Story::given(&workflow);
        held.place(order()).whatever();
        let mut undone = held.clone();
        held.operate(Operation::Pause).whatever();
        assert_eq!(not_sent(&mut held, Direction::Do, 1, Duration::ZERO).events().len(), 1);
        undone.operate(Operation::Cancel).whatever();
        let told = not_sent(&mut undone, Direction::Do, 1, Duration::ZERO).events();
        assert!(told.iter().all(|event| event.type_name() != "StepStarted"), "{told:?}");
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
        assert_eq!(story.state().state(), Lifecycle::Canceled);
    }

    #[test]
    fn what_has_come_to_an_end_meanwhile_is_refused() {
        let workflow = workflow(ONE_CALL);
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        let state = story.state().state();
        let refusal = Refusal::NotWaiting { step: "go".to_owned(), state };
        not_sent(&mut story, Direction::Do, 2, WAIT).then_refused(&refusal);
    }
}

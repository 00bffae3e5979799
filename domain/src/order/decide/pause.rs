//! An operator pauses or resumes an order.

use super::decision::{DecideError, Decision};
use crate::order::command::{Operate, Refusal};
use crate::order::event::{Event, OrderPaused, OrderResumed};
use crate::order::state::{Order, Phase, State};

/// The limit of pauses of one order: a client in a loop must not fill its history.
const MAX_PAUSES: u32 = 1_000;

/// An order can be paused while it can continue by itself: not after its end, not while it is
/// paused, not while it waits for an operator. An order that is stuck going forward can be paused,
/// because its other steps may continue.
pub(super) fn pause(state: &Order, operate: &Operate, decision: &mut Decision) -> Result<(), DecideError> {
    match state.state() {
        standing @ (State::Running | State::Waiting | State::Compensating | State::Stuck)
            if standing != State::Stuck || state.phase == Phase::Forward =>
        {
            if state.pauses >= MAX_PAUSES {
                return Err(Refusal::TooManyPauses { count: state.pauses }.into());
            }
            decision.record(Event::OrderPaused(OrderPaused { at: decision.at }))?;
            Ok(())
        }
        state => Err(Refusal::NotNow { operation: operate.operation.as_str(), state }.into()),
    }
}

pub(super) fn resume(state: &Order, operate: &Operate, decision: &mut Decision) -> Result<(), DecideError> {
    if state.paused.is_none() {
        return Err(Refusal::NotNow { operation: operate.operation.as_str(), state: state.state() }.into());
    }
    decision.record(Event::OrderResumed(OrderResumed { at: decision.at }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MAX_PAUSES;
    use crate::order::decide::tests::workflow;
    use crate::order::{Operation, Refusal, State};
    use crate::testing::{Story, order};

    #[test]
    fn an_order_that_was_paused_too_often_can_still_be_resumed_and_canceled() {
        let workflow = workflow("steps:\n  go: { call: p.go, undo: p.come_back }");
        let mut story = Story::given(&workflow);
        story.place(order()).whatever();
        for _ in 1..MAX_PAUSES {
            story.operate(Operation::Pause).whatever();
            story.operate(Operation::Resume).whatever();
        }
        story.operate(Operation::Pause).whatever();
        let mut canceled = story.clone();
        assert_eq!(story.operate(Operation::Resume).events().len(), 1);
        story.operate(Operation::Pause).then_refused(&Refusal::TooManyPauses { count: MAX_PAUSES });
        assert_eq!(story.state().state(), State::Running);
        canceled.operate(Operation::Cancel).whatever();
        assert_eq!(canceled.state().state(), State::Compensating);
    }
}

//! An operator holds an order, or lets it go on.

use super::{DecideError, Decision};
use crate::order::command::{Operate, Refusal};
use crate::order::event::{Event, OrderPaused, OrderResumed};
use crate::order::state::{Lifecycle, OrderState, Phase};

/// Only what goes on by itself can be held: not what has ended, is held already, or waits for an operator anyway. Where a step
/// forward is stuck, others may go on.
pub(super) fn pause(state: &OrderState, operate: &Operate) -> Result<Decision, DecideError> {
    match state.state() {
        standing @ (Lifecycle::Running | Lifecycle::Waiting | Lifecycle::Compensating | Lifecycle::Stuck)
            if standing != Lifecycle::Stuck || state.phase == Phase::Forward =>
        {
            let mut decision = Decision::about(state, operate.now.at);
            decision.record(Event::OrderPaused(OrderPaused { at: decision.at }))?;
            Ok(decision)
        }
        state => Err(Refusal::NotNow { operation: operate.operation.as_str(), state }.into()),
    }
}

pub(super) fn resume(state: &OrderState, operate: &Operate) -> Result<Decision, DecideError> {
    if state.paused.is_none() {
        return Err(Refusal::NotNow { operation: operate.operation.as_str(), state: state.state() }.into());
    }
    let mut decision = Decision::about(state, operate.now.at);
    decision.record(Event::OrderResumed(OrderResumed { at: decision.at }))?;
    Ok(decision)
}

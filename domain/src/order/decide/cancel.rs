//! An operator cancels an order.

use super::decision::{DecideError, Decision};
use crate::order::command::{Operate, Refusal};
use crate::order::event::{CompensationStarted, Event};
use crate::order::state::{Order, Phase, State};

/// The order is compensated, as if a step had failed. A cancel ends a pause. An order that is being
/// undone, or has ended, refuses it.
pub(super) fn cancel(state: &Order, operate: &Operate, decision: &mut Decision) -> Result<(), DecideError> {
    if state.phase != Phase::Forward {
        let refusal = match state.state() {
            state @ (State::Paused | State::Stuck) => Refusal::UndoneAlready { state },
            state => Refusal::NotNow { operation: operate.operation.as_str(), state },
        };
        return Err(refusal.into());
    }
    decision.record(Event::CompensationStarted(CompensationStarted {
        step: None,
        because: format!("canceled by {}: {}", operate.actor, operate.reason),
        at: decision.at,
    }))?;
    Ok(())
}

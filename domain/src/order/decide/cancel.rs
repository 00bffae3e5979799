//! An operator cancels an order.

use super::{DecideError, Decision};
use crate::order::command::{Operate, Refusal};
use crate::order::event::{CompensationStarted, Event};
use crate::order::state::{Lifecycle, OrderState, Phase};

/// From here it is undone, as it would be if a step had failed. A pause ends by it. An order that is being undone already needs
/// no cancel, and one that has ended takes none.
pub(super) fn cancel(state: &OrderState, operate: &Operate, decision: &mut Decision) -> Result<(), DecideError> {
    if state.phase != Phase::Forward {
        let refusal = match state.state() {
            state @ (Lifecycle::Paused | Lifecycle::Stuck) => Refusal::UndoneAlready { state },
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

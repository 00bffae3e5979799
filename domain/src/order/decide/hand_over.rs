//! An instance that leaves gives back the attempts that it has recorded and will not make, or not wait for. Others need not wait
//! for their deadlines then: they are due at once.

use super::tick::given_up;
use super::{DecideError, Decision};
use crate::order::command::HandOver;
use crate::order::failure::handed_over;
use crate::order::state::OrderState;
use crate::workflow::Workflow;

pub(super) fn hand_over(
    workflow: &Workflow,
    state: &OrderState,
    back: &HandOver,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    for id in &back.attempts {
        if !state.is_in_flight(id) {
            continue;
        }
        // It is for whoever takes the order up to make it again.
        let event = given_up(workflow.known_step(&id.step)?, id.direction, id.number, handed_over(), false, decision);
        // Attempts that have no room are handed over by the caller's next command. The decision is not split for them, since
        // the order may be paused.
        if !decision.takes(&event) {
            break;
        }
        decision.record(event)?;
    }
    Ok(())
}

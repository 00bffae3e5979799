//! An instance that stops releases the attempts that it recorded and whose answers it will not
//! receive. They are due at once, so other instances need not wait for their deadlines.

use super::decision::{DecideError, Decision};
use super::tick::given_up;
use crate::order::command::HandOver;
use crate::order::failure::handed_over;
use crate::order::state::Order;
use crate::workflow::Workflow;

pub(super) fn hand_over(
    workflow: &Workflow,
    state: &Order,
    back: &HandOver,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    for id in &back.attempts {
        if !state.is_in_flight(id) {
            continue;
        }
        // The next instance that drives the order makes the attempt again.
        let event = given_up(workflow.known_step(&id.step)?, id.direction, id.number, handed_over(), false, decision);
        // The caller's next command releases the attempts that have no room here. The decision is
        // not split for them, because the order may be paused.
        if !decision.takes(&event) {
            break;
        }
        decision.record(event)?;
    }
    Ok(())
}

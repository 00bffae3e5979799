//! A caller places an order.

use super::{DecideError, Decision, advance};
use crate::order::command::{Place, Refusal};
use crate::order::event::{Event, OrderPlaced, WorkflowRef};
use crate::order::evolve::evolve;
use crate::order::limits::Limits;
use crate::order::state::Order;
use crate::workflow::Workflow;

/// The first business status of every order.
const FIRST_STATUS: &str = "Placed";

pub(super) fn place(workflow: &Workflow, place: &Place, limits: Limits) -> Result<Decision, DecideError> {
    let order = &place.order;
    let placed = Event::OrderPlaced(Box::new(OrderPlaced {
        order_id: place.order_id.clone(),
        workflow: WorkflowRef { name: workflow.name.clone(), version: workflow.version },
        customer_id: order.customer.id.clone(),
        personal: order.personal(),
        sealed: None,
        currency: order.currency.clone(),
        lines: order.lines.clone(),
        total: order.total().ok_or(Refusal::TotalTooLarge)?,
        attributes: order.attributes.clone(),
        status: FIRST_STATUS.to_owned(),
        placed_by: place.placed_by.clone(),
        fingerprint: order.fingerprint(),
        at: place.now.at,
    }));
    taken(placed, limits, None)
}

/// Places a past order again, under another definition. The content is the recorded one, with its
/// fingerprint. `at_once`: see [`decide_split_like`](super::decide_split_like).
pub(crate) fn place_again(
    workflow: &Workflow,
    placed: &OrderPlaced,
    limits: Limits,
    at_once: Option<&[Event]>,
) -> Result<(Vec<Event>, Order), DecideError> {
    let again = OrderPlaced {
        workflow: WorkflowRef { name: workflow.name.clone(), version: workflow.version },
        status: FIRST_STATUS.to_owned(),
        ..placed.clone()
    };
    let mut decision = taken(Event::OrderPlaced(Box::new(again)), limits, at_once)?;
    advance::advance(workflow, &mut decision)?;
    Ok((decision.events, decision.state))
}

/// Refuses an order whose first steps have too large an input. Otherwise it would fail at once.
pub(super) fn refuse_what_is_too_large(decision: &Decision) -> Result<(), Refusal> {
    let too_large = decision.events.iter().find_map(|event| {
        let Event::StepFailed(failed) = event else { return None };
        failed.is_too_large().then_some(failed)
    });
    too_large.map_or(Ok(()), |e| Err(Refusal::TooLarge { step: e.step.clone(), error: e.error.clone() }))
}

fn taken(placed: Event, limits: Limits, at_once: Option<&[Event]>) -> Result<Decision, DecideError> {
    let state = evolve(None, &placed)?;
    Ok(Decision::beginning(state, placed, limits, at_once))
}

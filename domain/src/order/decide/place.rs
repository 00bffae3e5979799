//! An order is taken.

use super::{DecideError, Decision, advance};
use crate::order::command::{Place, Refusal};
use crate::order::event::{Event, OrderPlaced, WorkflowRef};
use crate::order::evolve::evolve;
use crate::order::state::OrderState;
use crate::workflow::Workflow;

/// The business status of an order that nothing has happened to yet.
const FIRST_STATUS: &str = "Placed";

pub(super) fn place(workflow: &Workflow, place: &Place) -> Result<Decision, DecideError> {
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
        fingerprint: order.fingerprint(),
        at: place.now.at,
    }));
    taken(placed)
}

/// What follows when an order that was placed before is placed under another definition. Its content is the one that was
/// recorded, fingerprint and all.
pub(crate) fn place_again(workflow: &Workflow, placed: &OrderPlaced) -> Result<(Vec<Event>, OrderState), DecideError> {
    let again = OrderPlaced {
        workflow: WorkflowRef { name: workflow.name.clone(), version: workflow.version },
        status: FIRST_STATUS.to_owned(),
        ..placed.clone()
    };
    let mut decision = taken(Event::OrderPlaced(Box::new(again)))?;
    advance::advance(workflow, &mut decision)?;
    Ok((decision.events, decision.state))
}

fn taken(placed: Event) -> Result<Decision, DecideError> {
    let state = evolve(None, &placed)?;
    let at = placed.at();
    Ok(Decision { state, events: vec![placed], at })
}

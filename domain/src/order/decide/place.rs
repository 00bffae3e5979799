//! An order is taken.

use super::{DecideError, Decision};
use crate::order::command::{Place, Refusal};
use crate::order::event::{Event, OrderPlaced, PersonalData, WorkflowRef};
use crate::order::evolve::evolve;
use crate::workflow::Workflow;

/// The business status of an order that nothing has happened to yet.
const FIRST_STATUS: &str = "Placed";

pub(super) fn place(workflow: &Workflow, place: &Place) -> Result<Decision, DecideError> {
    let order = &place.order;
    let placed = Event::OrderPlaced(Box::new(OrderPlaced {
        order_id: place.order_id.clone(),
        workflow: WorkflowRef { name: workflow.name.clone(), version: workflow.version },
        customer_id: order.customer.id.clone(),
        personal: PersonalData {
            name: order.customer.name.clone(),
            email: order.customer.email.clone(),
            ship_to: order.ship_to.clone(),
        },
        currency: order.currency.clone(),
        lines: order.lines.clone(),
        total: order.total().ok_or(Refusal::TotalTooLarge)?,
        attributes: order.attributes.clone(),
        status: FIRST_STATUS.to_owned(),
        fingerprint: order.fingerprint(),
        at: place.now.at,
    }));
    let state = evolve(None, &placed)?;
    Ok(Decision { state, events: vec![placed], at: place.now.at })
}

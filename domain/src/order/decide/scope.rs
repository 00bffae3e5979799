//! What expressions see of an order.

use serde_json::{Map, Value, json};

use crate::order::state::{OrderState, StepStatus};
use crate::workflow::{Scope, Workflow};

pub(super) fn scope(workflow: &Workflow, state: &OrderState) -> Scope {
    let placed = &state.placed;
    let personal = &placed.personal;
    let order = json!({
        "id": placed.order_id,
        "workflow": placed.workflow.name,
        "customer": { "id": placed.customer_id, "name": personal.name, "email": personal.email },
        "currency": placed.currency,
        "total": placed.total,
        "lines": placed.lines,
        "shipTo": personal.ship_to,
        "attributes": placed.attributes,
        "status": state.status,
    });
    let steps: Map<String, Value> = workflow
        .steps
        .iter()
        .chain(&workflow.compensated)
        .map(|step| {
            let seen = match state.steps.get(&step.id) {
                Some(known) => {
                    json!({ "outcome": known.outcome, "data": known.data, "status": known.status().as_str() })
                }
                None => json!({ "outcome": null, "data": null, "status": StepStatus::Pending.as_str() }),
            };
            (step.id.clone(), seen)
        })
        .collect();
    Scope { order, steps: Value::Object(steps) }
}

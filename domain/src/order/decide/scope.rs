//! What expressions see of an order.

use serde_json::{Map, Value, json};

use crate::order::event::PersonalData;
use crate::order::personal::masked;
use crate::order::state::{OrderState, StepStatus};
use crate::workflow::{Scope, Workflow};

/// What guards see.
pub(super) fn scope(workflow: &Workflow, state: &OrderState) -> Scope {
    scope_with(workflow, state, &state.placed.personal)
}

/// What inputs and results see, which are recorded: placeholders for personal data.
pub(super) fn recorded_scope(workflow: &Workflow, state: &OrderState) -> Scope {
    scope_with(workflow, state, &masked(&state.placed.personal))
}

fn scope_with(workflow: &Workflow, state: &OrderState, personal: &PersonalData) -> Scope {
    let placed = &state.placed;
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

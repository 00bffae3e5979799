//! The values that expressions read of an order, restricted to what they use.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::order::content::PersonalData;
use crate::order::personal::masked;
use crate::order::state::{Order, StepState, StepStatus};
use crate::workflow::{Expression, Scope, Subject, Workflow};

/// The fields of `order`.
const FIELDS: [&str; 9] =
    ["id", "workflow", "customer", "currency", "total", "lines", "shipTo", "attributes", "status"];

/// The values that a guard reads.
pub(super) fn scope(workflow: &Workflow, state: &Order, guard: &Expression) -> Scope {
    Scope {
        order: order_seen_by(guard, state),
        steps: steps(workflow, state, &Wanted::by([guard])),
        placeholders: false,
    }
}

/// The value of `order` for a guard.
pub(crate) fn order_seen_by(guard: &Expression, state: &Order) -> Value {
    order(state, &state.placed.personal, &Wanted::by([guard]))
}

/// The values that inputs and results read. These are recorded, so personal data are placeholders.
pub(super) fn recorded_scope<'a>(
    workflow: &Workflow,
    state: &Order,
    expressions: impl IntoIterator<Item = &'a Expression>,
) -> Scope {
    let wanted = Wanted::by(expressions);
    let personal = if wanted.field("customer") || wanted.field("shipTo") {
        Cow::Owned(masked(&state.placed.personal))
    } else {
        Cow::Borrowed(&state.placed.personal)
    };
    Scope { order: order(state, &personal, &wanted), steps: steps(workflow, state, &wanted), placeholders: true }
}

/// The references of some expressions.
struct Wanted<'a>(Vec<&'a Subject>);

impl<'a> Wanted<'a> {
    fn by(expressions: impl IntoIterator<Item = &'a Expression>) -> Self {
        Self(expressions.into_iter().flat_map(Expression::references).map(|reference| &reference.subject).collect())
    }

    fn field(&self, name: &str) -> bool {
        self.0.iter().any(|subject| match subject {
            Subject::Order { field } => field.as_ref().is_none_or(|field| field == name),
            Subject::Step { .. } | Subject::AllSteps | Subject::Unknown(_) => false,
        })
    }

    fn step(&self, name: &str) -> bool {
        self.0.iter().any(|subject| match subject {
            Subject::Step { id, .. } => id == name,
            Subject::AllSteps => true,
            Subject::Order { .. } | Subject::Unknown(_) => false,
        })
    }
}

fn order(state: &Order, personal: &PersonalData, wanted: &Wanted<'_>) -> Value {
    let fields = FIELDS.into_iter().filter(|name| wanted.field(name));
    Value::Object(fields.map(|name| (name.to_owned(), field(name, state, personal))).collect())
}

fn field(name: &str, state: &Order, personal: &PersonalData) -> Value {
    let placed = &state.placed;
    match name {
        "id" => json!(placed.order_id),
        "workflow" => json!(placed.workflow.name),
        "customer" => json!({ "id": placed.customer_id, "name": personal.name, "email": personal.email }),
        "currency" => json!(placed.currency),
        "total" => json!(placed.total),
        "lines" => json!(placed.lines),
        "shipTo" => json!(personal.ship_to),
        "attributes" => json!(placed.attributes),
        "status" => json!(state.status),
        _ => Value::Null,
    }
}

fn steps(workflow: &Workflow, state: &Order, wanted: &Wanted<'_>) -> Value {
    let steps = workflow.steps.iter().chain(&workflow.compensated).filter(|step| wanted.step(&step.id));
    let seen: Map<String, Value> =
        steps.map(|step| (step.id.clone(), seen(state.steps.get(&step.id).map(Arc::as_ref)))).collect();
    Value::Object(seen)
}

fn seen(step: Option<&StepState>) -> Value {
    match step {
        Some(known) => json!({ "outcome": known.outcome, "data": known.data, "status": known.status().as_str() }),
        None => json!({ "outcome": null, "data": null, "status": StepStatus::Pending.as_str() }),
    }
}

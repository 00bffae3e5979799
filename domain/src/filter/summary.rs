//! The part of an order that a filter reads.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::Timestamp;
use crate::order::{Line, Order, OrderPlaced, State, StepState, StepStatus};

/// What a filter may look at of an order.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is what the filter's field of that name is about")]
pub struct OrderSummary<'a> {
    pub status: &'a str,
    pub state: State,
    pub customer: &'a str,
    pub placed_by: Option<&'a str>,
    pub workflow: &'a str,
    pub workflow_version: u32,
    pub lines: &'a [Line],
    pub total: Decimal,
    pub placed_at: Timestamp,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Those that something has happened to.
    pub steps: Vec<StepSummary<'a>>,
    pub stuck_reason: Option<&'a str>,
    /// An order that is read from the log is not late.
    pub late: bool,
    pub attributes: &'a Map<String, Value>,
}

/// What a filter may look at of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what the filter's field of that name is about")]
pub struct StepSummary<'a> {
    pub name: &'a str,
    pub status: StepStatus,
    pub participant: Option<&'a str>,
    pub since: Timestamp,
    pub due_at: Option<Timestamp>,
}

impl<'a> StepSummary<'a> {
    fn of(name: &'a str, step: &'a StepState) -> Self {
        Self {
            name,
            status: step.status(),
            participant: step.requested.as_ref().map(|requested| requested.participant.as_str()),
            since: step.since,
            due_at: step.due_at(),
        }
    }
}

impl<'a> OrderSummary<'a> {
    /// An order as it stands.
    pub fn of(order: &'a Order) -> Self {
        Self {
            status: &order.status,
            state: order.state(),
            updated_at: order.updated_at,
            ended_at: order.ended_at,
            steps: order.steps.iter().map(|(id, step)| StepSummary::of(id, step)).collect(),
            stuck_reason: order.stuck_reason(),
            ..Self::of_placing(&order.placed)
        }
    }

    /// An order as it was placed, for a filter of which that decides all
    /// ([`OrderFilter::of_placing`]).
    pub fn of_placing(placed: &'a OrderPlaced) -> Self {
        Self {
            status: "",
            state: State::Running,
            customer: &placed.customer_id,
            placed_by: placed.placed_by.as_deref(),
            workflow: &placed.workflow.name,
            workflow_version: placed.workflow.version,
            lines: &placed.lines,
            total: placed.total,
            placed_at: placed.at,
            updated_at: placed.at,
            ended_at: None,
            steps: Vec::new(),
            stuck_reason: None,
            late: false,
            attributes: &placed.attributes,
        }
    }
}

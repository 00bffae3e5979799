//! Rows as arrays, one for each column: a batch goes to Postgres in one statement, whatever its size.

use chrono::{DateTime, Utc};
use domain::order::Order;
use domain::views::{EntryView, OrderView, StepView};
use domain::wire::{Decoded, WorkflowRegistered};
use event_store::RecordedEvent;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use crate::fold::Batch;
use crate::states::Applied;

type Moment = DateTime<Utc>;

/// Rows of `orders`.
#[derive(Debug, Default)]
pub(crate) struct OrderColumns {
    pub id: Vec<String>,
    pub workflow: Vec<String>,
    pub workflow_version: Vec<i64>,
    pub status: Vec<String>,
    pub state: Vec<&'static str>,
    pub customer_id: Vec<String>,
    pub customer_name: Vec<Option<String>>,
    pub customer_email: Vec<Option<String>>,
    pub currency: Vec<String>,
    pub total: Vec<Decimal>,
    pub lines: Vec<String>,
    pub ship_to: Vec<Option<String>>,
    pub attributes: Vec<String>,
    pub result: Vec<Option<String>>,
    pub result_placeholders: Vec<Option<String>>,
    pub result_error: Vec<Option<String>>,
    pub stuck_reason: Vec<Option<String>>,
    pub placed_at: Vec<Moment>,
    pub updated_at: Vec<Moment>,
    pub ended_at: Vec<Option<Moment>>,
    pub revision: Vec<i64>,
    pub position: Vec<i64>,
    pub sealed: Vec<Option<String>>,
}

/// Rows of `steps`.
#[derive(Debug, Default)]
pub(crate) struct StepColumns {
    pub order_id: Vec<String>,
    pub step: Vec<String>,
    pub participant: Vec<Option<String>>,
    pub action: Vec<Option<String>>,
    pub mode: Vec<Option<&'static str>>,
    pub status: Vec<&'static str>,
    pub outcome: Vec<Option<String>>,
    pub data: Vec<Option<String>>,
    pub attempts: Vec<i64>,
    pub last_error: Vec<Option<String>>,
    pub started_at: Vec<Moment>,
    pub ended_at: Vec<Option<Moment>>,
    pub next_attempt_at: Vec<Option<Moment>>,
}

/// Rows of `todo`, and the orders that have none.
#[derive(Debug, Default)]
pub(crate) struct TodoColumns {
    pub order_id: Vec<String>,
    pub due_at: Vec<Moment>,
    pub revision: Vec<i64>,
    pub position: Vec<i64>,
    pub nothing_due: Vec<String>,
}

/// Rows of `timeline`.
#[derive(Debug, Default)]
pub(crate) struct TimelineColumns {
    pub order_id: Vec<String>,
    pub revision: Vec<i64>,
    pub event_id: Vec<Uuid>,
    pub position: Vec<i64>,
    pub event_type: Vec<String>,
    pub recorded_at: Vec<Moment>,
    pub summary: Vec<String>,
    pub step: Vec<Option<String>>,
    pub actor: Vec<Option<String>>,
    pub reason: Vec<Option<String>>,
    pub data: Vec<String>,
    pub correlation_id: Vec<String>,
    pub causation_id: Vec<Option<Uuid>>,
    pub hash: Vec<String>,
}

/// Rows of `workflows`.
#[derive(Debug, Default)]
pub(crate) struct WorkflowColumns {
    pub name: Vec<String>,
    pub version: Vec<i64>,
    pub source: Vec<String>,
    pub outline: Vec<String>,
    pub registered_at: Vec<Moment>,
    pub position: Vec<i64>,
}

impl OrderColumns {
    /// The orders that moved in a batch.
    pub fn of(batch: &Batch) -> Result<Self, serde_json::Error> {
        let mut columns = Self::default();
        for (applied, _) in moved(batch) {
            columns.push(applied)?;
        }
        Ok(columns)
    }

    fn push(&mut self, Applied { state, revision, position }: &Applied) -> Result<(), serde_json::Error> {
        let order = OrderView::of(state);
        self.id.push(order.id.to_string());
        self.workflow.push(order.workflow.to_owned());
        self.workflow_version.push(order.workflow_version.into());
        self.status.push(order.status.to_owned());
        self.state.push(order.state);
        self.customer_id.push(order.customer_id.to_owned());
        self.currency.push(order.currency.to_owned());
        self.total.push(order.total);
        self.lines.push(serde_json::to_string(order.lines)?);
        self.ship_to.push(order.personal.ship_to.as_ref().map(serde_json::to_string).transpose()?);
        let personal = order.personal.into_owned();
        self.customer_name.push(personal.name);
        self.customer_email.push(personal.email);
        self.sealed.push(order.sealed.map(serde_json::to_string).transpose()?);
        self.attributes.push(serde_json::to_string(order.attributes)?);
        self.result.push(order.result.map(Value::to_string));
        self.result_placeholders.push(order.result_placeholders.map(serde_json::to_string).transpose()?);
        self.result_error.push(order.result_error.map(str::to_owned));
        self.stuck_reason.push(order.stuck_reason.map(str::to_owned));
        self.placed_at.push(order.placed_at);
        self.updated_at.push(order.updated_at);
        self.ended_at.push(order.ended_at);
        self.revision.push(revision.cast_signed());
        self.position.push(position.commit.cast_signed());
        Ok(())
    }
}

impl StepColumns {
    /// The steps that moved.
    pub fn of(batch: &Batch) -> Self {
        let mut columns = Self::default();
        for (applied, steps) in moved(batch) {
            for (id, step) in steps.iter().filter_map(|id| applied.state.steps.get_key_value(id)) {
                columns.push(id_of(&applied.state), &StepView::of(id, step));
            }
        }
        columns
    }

    fn push(&mut self, order: &str, step: &StepView<'_>) {
        self.order_id.push(order.to_owned());
        self.step.push(step.id.clone());
        self.participant.push(step.participant.map(str::to_owned));
        self.action.push(step.action.map(str::to_owned));
        self.mode.push(step.mode);
        self.status.push(step.status.as_str());
        self.outcome.push(step.outcome.map(str::to_owned));
        self.data.push(step.data.map(Value::to_string));
        self.attempts.push(step.attempts.into());
        self.last_error.push(step.last_error.map(str::to_owned));
        self.started_at.push(step.started_at);
        self.ended_at.push(step.ended_at);
        self.next_attempt_at.push(step.next_attempt_at);
    }
}

impl TodoColumns {
    /// What is due about the orders that moved.
    pub fn of(batch: &Batch) -> Self {
        let mut columns = Self::default();
        for (Applied { state, revision, position }, _) in moved(batch) {
            let Some(due_at) = state.due_at() else {
                columns.nothing_due.push(id_of(state).to_owned());
                continue;
            };
            columns.order_id.push(id_of(state).to_owned());
            columns.due_at.push(due_at);
            columns.revision.push(revision.cast_signed());
            columns.position.push(position.commit.cast_signed());
        }
        columns
    }
}

impl TimelineColumns {
    /// Adds an event of an order.
    pub fn push(&mut self, order: &str, event: &RecordedEvent, decoded: &Decoded) {
        let entry = EntryView::of(decoded);
        self.order_id.push(order.to_owned());
        self.revision.push(event.revision.cast_signed());
        self.event_id.push(event.id);
        self.position.push(event.position.commit.cast_signed());
        self.event_type.push(event.event_type.clone());
        self.recorded_at.push(event.created);
        self.step.push(entry.step.cloned());
        self.actor.push(entry.actor.map(str::to_owned));
        self.reason.push(entry.reason.map(str::to_owned));
        self.data.push(String::from_utf8_lossy(&event.data).into_owned());
        self.correlation_id.push(entry.correlation_id.to_owned());
        self.causation_id.push(entry.causation_id);
        self.hash.push(entry.hash.to_owned());
        self.summary.push(entry.summary);
    }
}

impl WorkflowColumns {
    /// Adds a definition.
    pub fn push(&mut self, event: &RecordedEvent, registered: WorkflowRegistered, outline: String) {
        self.name.push(registered.name);
        self.version.push(registered.version.into());
        self.source.push(registered.source);
        self.outline.push(outline);
        self.registered_at.push(registered.at);
        self.position.push(event.position.commit.cast_signed());
    }
}

/// The orders to be written, as their last event left them, each with the steps that moved.
fn moved(batch: &Batch) -> impl Iterator<Item = (&Applied, &std::collections::BTreeSet<String>)> {
    batch.orders.values().filter_map(|work| Some((work.applied()?, work.moved.as_ref()?)))
}

fn id_of(state: &Order) -> &str {
    state.placed.order_id.as_str()
}

//! Rows as arrays, one for each column: a batch goes to Postgres in one statement, whatever its size.

use chrono::{DateTime, Utc};
use domain::order::{Mode, OrderState, StepState, summary};
use domain::wire::{Decoded, WorkflowRegistered};
use event_store::client::RecordedEvent;
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
    pub stuck_reason: Vec<Option<String>>,
    pub placed_at: Vec<Moment>,
    pub updated_at: Vec<Moment>,
    pub ended_at: Vec<Option<Moment>>,
    pub revision: Vec<i64>,
    pub position: Vec<i64>,
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
        let placed = &state.placed;
        self.id.push(placed.order_id.to_string());
        self.workflow.push(placed.workflow.name.clone());
        self.workflow_version.push(placed.workflow.version.into());
        self.status.push(state.status.clone());
        self.state.push(state.state().as_str());
        self.customer_id.push(placed.customer_id.clone());
        self.customer_name.push(placed.personal.name.clone());
        self.customer_email.push(placed.personal.email.clone());
        self.currency.push(placed.currency.clone());
        self.total.push(placed.total);
        self.lines.push(serde_json::to_string(&placed.lines)?);
        self.ship_to.push(placed.personal.ship_to.as_ref().map(serde_json::to_string).transpose()?);
        self.attributes.push(serde_json::to_string(&placed.attributes)?);
        self.result.push(unless_null(&state.result));
        self.stuck_reason.push(state.stuck_reason().map(str::to_owned));
        self.placed_at.push(placed.at);
        self.updated_at.push(state.updated_at);
        self.ended_at.push(state.ended_at);
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
                columns.push(id_of(&applied.state), id, step);
            }
        }
        columns
    }

    fn push(&mut self, order: &str, id: &str, step: &StepState) {
        let asked = step.asked.as_ref();
        self.order_id.push(order.to_owned());
        self.step.push(id.to_owned());
        self.participant.push(asked.map(|asked| asked.participant.clone()));
        self.action.push(asked.map(|asked| asked.action.clone()));
        self.mode.push(step.mode.map(Mode::as_str));
        self.status.push(step.status().as_str());
        self.outcome.push(step.outcome.clone());
        self.data.push(unless_null(&step.data));
        self.attempts.push(step.attempts.into());
        self.last_error.push(step.last_error.clone());
        self.started_at.push(step.started_at);
        self.ended_at.push(step.ended_at);
        self.next_attempt_at.push(step.next_attempt_at());
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
        let Decoded { event: fact, metadata } = decoded;
        self.order_id.push(order.to_owned());
        self.revision.push(event.revision.cast_signed());
        self.event_id.push(event.id);
        self.position.push(event.position.commit.cast_signed());
        self.event_type.push(event.event_type.clone());
        self.recorded_at.push(event.created);
        self.summary.push(summary(fact));
        self.step.push(fact.step().cloned());
        self.actor.push(metadata.actor.clone());
        self.reason.push(metadata.reason.clone());
        self.data.push(String::from_utf8_lossy(&event.data).into_owned());
        self.correlation_id.push(metadata.correlation_id.clone());
        self.causation_id.push(metadata.causation_id);
        self.hash.push(metadata.hash.clone());
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

fn id_of(state: &OrderState) -> &str {
    state.placed.order_id.as_str()
}

/// JSON's null is the database's.
fn unless_null(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

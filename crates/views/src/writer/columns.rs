//! The rows that the projector writes. A column, its type and its values stand in one line.

use chrono::{DateTime, Utc};
use domain::expectation::{Estimate, EstimateKey, Expected};
use domain::ids::OrderId;
use domain::order::Order;
use domain::views::{CallView, EntryView, OrderView, StepView};
use domain::wire::{Decoded, WorkflowRegistered};
use event_store::{Position, RecordedEvent};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::parameters::columns;
use crate::rows::OutlineStep;

type Moment = DateTime<Utc>;

columns! {
    /// Rows of `orders`.
    pub struct OrderColumns {
        id: String, "text[]", Never;
        workflow: String, "text[]", Never;
        workflow_version: i64, "bigint[]", Never;
        status: String, "text[]", Follows;
        state: &'static str, "text[]", Follows;
        customer_id: String, "text[]", Never;
        placed_by: Option<String>, "text[]", Never;
        customer_name: Option<String>, "text[]", Never;
        customer_email: Option<String>, "text[]", Never;
        currency: String, "text[]", Never;
        total: Decimal, "numeric[]", Never;
        lines: String, "text[]::jsonb[]", Never;
        ship_to: Option<String>, "text[]::jsonb[]", Never;
        attributes: String, "text[]::jsonb[]", Never;
        result: Option<String>, "text[]::jsonb[]", Follows;
        result_placeholders: Option<String>, "text[]::jsonb[]", Follows;
        result_error: Option<String>, "text[]", Follows;
        stuck_reason: Option<String>, "text[]", Follows;
        placed_at: Moment, "timestamptz[]", Never;
        updated_at: Moment, "timestamptz[]", Follows;
        ended_at: Option<Moment>, "timestamptz[]", Follows;
        revision: i64, "bigint[]", Follows;
        position: i64, "bigint[]", Follows;
        sealed: Option<String>, "text[]::jsonb[]", Never;
    }
}

columns! {
    /// Rows of `steps`.
    pub struct StepColumns {
        order_id: String, "text[]", Never;
        step: String, "text[]", Never;
        participant: Option<String>, "text[]", Follows;
        action: Option<String>, "text[]", Follows;
        mode: Option<&'static str>, "text[]", Follows;
        status: &'static str, "text[]", Follows;
        outcome: Option<String>, "text[]", Follows;
        data: Option<String>, "text[]::jsonb[]", Follows;
        attempts: i64, "bigint[]", Follows;
        last_error: Option<String>, "text[]", Follows;
        since: Moment, "timestamptz[]", Follows;
        due_at: Option<Moment>, "timestamptz[]", Follows;
        started_at: Moment, "timestamptz[]", Follows;
        ended_at: Option<Moment>, "timestamptz[]", Follows;
        next_attempt_at: Option<Moment>, "timestamptz[]", Follows;
    }
}

columns! {
    /// Rows of `todo`.
    pub struct TodoColumns {
        order_id: String, "text[]", Never;
        due_at: Moment, "timestamptz[]", Follows;
        revision: i64, "bigint[]", Follows;
        position: i64, "bigint[]", Follows;
    }
}

columns! {
    /// Rows of `estimates`.
    pub struct EstimateColumns {
        workflow: String, "text[]", Never;
        step: String, "text[]", Never;
        part: &'static str, "text[]", Never;
        version: i64, "bigint[]", Never;
        samples: i64, "bigint[]", Follows;
        p50_ms: Option<i64>, "bigint[]", Follows;
        p95_ms: Option<i64>, "bigint[]", Follows;
        histogram: Vec<u8>, "bytea[]", Follows;
        position: i64, "bigint[]", Follows;
    }
}

columns! {
    /// Rows of `expectations`.
    pub struct ExpectationColumns {
        order_id: String, "text[]", Never;
        expected_at: Option<Moment>, "timestamptz[]", Follows;
        steps: String, "text[]::jsonb[]", Follows;
    }
}

columns! {
    /// Rows of `timeline`.
    pub struct TimelineColumns {
        order_id: String, "text[]", Never;
        revision: i64, "bigint[]", Never;
        event_id: Uuid, "uuid[]", Never;
        position: i64, "bigint[]", Never;
        event_type as "type": String, "text[]", Never;
        recorded_at: Moment, "timestamptz[]", Never;
        summary: String, "text[]", Never;
        step: Option<String>, "text[]", Never;
        actor: Option<String>, "text[]", Never;
        approved_by: Option<String>, "text[]", Never;
        reason: Option<String>, "text[]", Never;
        data: String, "text[]::jsonb[]", Never;
        correlation_id: String, "text[]", Never;
        causation_id: Option<Uuid>, "uuid[]", Never;
        hash: String, "text[]", Never;
        state: &'static str, "text[]", Never;
        status: String, "text[]", Never;
        participant: Option<String>, "text[]", Never;
        action: Option<String>, "text[]", Never;
        took_ms: Option<i64>, "bigint[]", Never;
    }
}

columns! {
    /// Rows of `workflows`.
    pub struct WorkflowColumns {
        name: String, "text[]", Never;
        version: i64, "bigint[]", Never;
        source: String, "text[]", Never;
        outline: String, "text[]::jsonb[]", Never;
        registered_at: Moment, "timestamptz[]", Never;
        position: i64, "bigint[]", Never;
    }
}

impl OrderColumns {
    /// Adds an order that its event at this revision and position has brought to this state.
    pub fn push(&mut self, order: OrderView<'_>, revision: u64, position: Position) -> Result<(), serde_json::Error> {
        self.id.push(order.id.to_string());
        self.workflow.push(order.workflow.to_owned());
        self.workflow_version.push(order.workflow_version.into());
        self.status.push(order.status.to_owned());
        self.state.push(order.state);
        self.customer_id.push(order.customer_id.to_owned());
        self.placed_by.push(order.placed_by.map(str::to_owned));
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

    /// The ids of those orders that have ended, or are stuck.
    pub(super) fn ended(&self) -> Vec<&str> {
        let stands = self.ended_at.iter().zip(&self.stuck_reason);
        let ended = self.id.iter().zip(stands).filter(|(_, (ended, stuck))| ended.is_some() || stuck.is_some());
        ended.map(|(id, _)| id.as_str()).collect()
    }
}

impl StepColumns {
    /// Adds a step of an order.
    pub fn push(&mut self, order: &OrderId, step: &StepView<'_>) {
        self.order_id.push(order.to_string());
        self.step.push(step.id.clone());
        self.participant.push(step.participant.map(str::to_owned));
        self.action.push(step.action.map(str::to_owned));
        self.mode.push(step.mode);
        self.status.push(step.status.as_str());
        self.outcome.push(step.outcome.map(str::to_owned));
        self.data.push(step.data.map(Value::to_string));
        self.attempts.push(step.attempts.into());
        self.last_error.push(step.last_error.map(str::to_owned));
        self.since.push(step.since);
        self.due_at.push(step.due_at);
        self.started_at.push(step.started_at);
        self.ended_at.push(step.ended_at);
        self.next_attempt_at.push(step.next_attempt_at);
    }
}

impl TodoColumns {
    /// Adds an order with due work.
    pub fn push(&mut self, order: &OrderId, due_at: Moment, revision: u64, position: Position) {
        self.order_id.push(order.to_string());
        self.due_at.push(due_at);
        self.revision.push(revision.cast_signed());
        self.position.push(position.commit.cast_signed());
    }
}

impl EstimateColumns {
    /// The number of rows.
    #[expect(clippy::len_without_is_empty, reason = "it is compared with another number")]
    pub fn len(&self) -> usize {
        self.workflow.len()
    }

    /// Adds a histogram.
    pub fn push(&mut self, key: &EstimateKey, Estimate { histogram, position }: &Estimate) {
        self.workflow.push(key.workflow.clone());
        self.step.push(key.step.clone());
        self.part.push(key.part.as_str());
        self.version.push(key.version.into());
        self.samples.push(histogram.samples().cast_signed());
        self.p50_ms.push(histogram.median().map(|took| took.num_milliseconds()));
        self.p95_ms.push(histogram.bound().map(|took| took.num_milliseconds()));
        self.histogram.push(histogram.to_bytes());
        self.position.push(position.cast_signed());
    }
}

impl ExpectationColumns {
    /// Adds what is expected of an order.
    pub fn push(
        &mut self,
        order: &OrderId,
        Expected { order: ends, steps }: &Expected,
    ) -> Result<(), serde_json::Error> {
        self.steps.push(serde_json::to_string(steps)?);
        self.order_id.push(order.to_string());
        self.expected_at.push(*ends);
        Ok(())
    }
}

impl TimelineColumns {
    /// Adds an event of an order, which has led to this state, and has ended this call.
    pub fn push(&mut self, event: &RecordedEvent, decoded: &Decoded, after: &Order, call: Option<CallView>) {
        let entry = EntryView::of(decoded);
        self.order_id.push(after.placed.order_id.to_string());
        self.revision.push(event.revision.cast_signed());
        self.event_id.push(event.id);
        self.position.push(event.position.commit.cast_signed());
        self.event_type.push(event.event_type.clone());
        self.recorded_at.push(event.created);
        self.step.push(entry.step.cloned());
        self.actor.push(entry.actor.map(str::to_owned));
        self.approved_by.push(entry.approved_by.map(str::to_owned));
        self.reason.push(entry.reason.map(str::to_owned));
        self.data.push(String::from_utf8_lossy(&event.data).into_owned());
        self.correlation_id.push(entry.correlation_id.to_owned());
        self.causation_id.push(entry.causation_id);
        self.hash.push(entry.hash.to_owned());
        self.summary.push(entry.summary);
        self.state.push(after.state().as_str());
        self.status.push(after.status.clone());
        self.took_ms.push(call.as_ref().map(|call| call.took.num_milliseconds()));
        let (participant, action) = call.map(|call| (call.requested.participant, call.requested.action)).unzip();
        self.participant.push(participant);
        self.action.push(action);
    }
}

impl WorkflowColumns {
    /// Adds a definition, with the outline of its steps.
    pub fn push(
        &mut self,
        event: &RecordedEvent,
        registered: WorkflowRegistered,
        outline: &[OutlineStep],
    ) -> Result<(), serde_json::Error> {
        self.outline.push(serde_json::to_string(outline)?);
        self.name.push(registered.name);
        self.version.push(registered.version.into());
        self.source.push(registered.source);
        self.registered_at.push(registered.at);
        self.position.push(event.position.commit.cast_signed());
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.name.is_empty()
    }
}

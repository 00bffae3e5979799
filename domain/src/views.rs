//! What is shown of an order: the fields of its row, of its steps' rows and of its timeline's entries, each a pure function of its
//! events. The projector writes them, and whoever folds an order as of an earlier moment shows the same.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::ids::{OrderId, StepId};
use crate::order::{Event, Line, Mode, OrderState, PersonalData, Placeholders, Sealed, StepState, StepStatus, summary};
use crate::stream_prefix;
use crate::wire::{Decoded, WORKFLOW_STREAM_PREFIX};

/// What the names of the streams begin with that views are made of: orders', those of workflows' definitions, and the metadata of
/// the former, by which an operator of the log hides events.
pub fn stream_prefixes() -> [String; 3] {
    let orders = stream_prefix::get();
    [orders.to_owned(), WORKFLOW_STREAM_PREFIX.to_owned(), format!("$${orders}")]
}

/// An order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderView<'a> {
    /// The order.
    pub id: &'a OrderId,
    /// The definition that it follows.
    pub workflow: &'a str,
    /// The version of that definition.
    pub workflow_version: u32,
    /// The business status.
    pub status: &'a str,
    /// Where the execution stands, as GraphQL spells it.
    pub state: &'static str,
    /// The shop's id of the customer.
    pub customer_id: &'a str,
    /// What identifies a person, as far as it can be read.
    pub personal: Cow<'a, PersonalData>,
    /// What takes a key to be read.
    pub sealed: Option<&'a Sealed>,
    /// ISO 4217.
    pub currency: &'a str,
    /// The sum over the lines.
    pub total: Decimal,
    /// What was ordered.
    pub lines: &'a [Line],
    /// What else the shop keeps with the order.
    pub attributes: &'a Map<String, Value>,
    /// What the workflow gave back, unless that is nothing.
    pub result: Option<&'a Value>,
    /// Which placeholders in it stand for personal data; none: all.
    pub result_placeholders: Option<&'a Placeholders>,
    /// Why the workflow gave nothing back, where it should have.
    pub result_error: Option<&'a str>,
    /// Why it needs a person.
    pub stuck_reason: Option<&'a str>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

/// A step that something has happened to.
#[derive(Debug, Clone, PartialEq)]
pub struct StepView<'a> {
    /// The step.
    pub id: &'a StepId,
    /// Who acts, once somebody was asked.
    pub participant: Option<&'a str>,
    /// What was asked.
    pub action: Option<&'a str>,
    /// How it comes to its answer, as GraphQL spells it; none: it never began.
    pub mode: Option<&'static str>,
    /// Where it stands.
    pub status: StepStatus,
    /// The named answer.
    pub outcome: Option<&'a str>,
    /// What came with the answer, unless that is nothing.
    pub data: Option<&'a Value>,
    /// Attempts made forward.
    pub attempts: u32,
    /// What went wrong last.
    pub last_error: Option<&'a str>,
    /// When it first did something.
    pub started_at: Timestamp,
    /// When it last came to an end.
    pub ended_at: Option<Timestamp>,
    /// When the next attempt is due, while one waits.
    pub next_attempt_at: Option<Timestamp>,
}

/// An event, as a timeline tells of it. What the log itself says of the event (revision, type, time, data) stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryView<'a> {
    /// What happened, in a sentence.
    pub summary: String,
    /// The step that it speaks of.
    pub step: Option<&'a StepId>,
    /// The person who did it, if a person did.
    pub actor: Option<&'a str>,
    /// Why that person did it.
    pub reason: Option<&'a str>,
    /// The order.
    pub correlation_id: &'a str,
    /// The event that led to it.
    pub causation_id: Option<Uuid>,
    /// Its link in the chain of hashes.
    pub hash: &'a str,
}

impl<'a> OrderView<'a> {
    /// The order in that state.
    pub fn of(state: &'a OrderState) -> Self {
        let placed = &*state.placed;
        Self {
            id: &placed.order_id,
            workflow: &placed.workflow.name,
            workflow_version: placed.workflow.version,
            status: &state.status,
            state: state.state().as_str(),
            customer_id: &placed.customer_id,
            personal: placed.readable(),
            sealed: placed.sealed.as_ref(),
            currency: &placed.currency,
            total: placed.total,
            lines: &placed.lines,
            attributes: &placed.attributes,
            result: unless_null(&state.result),
            result_placeholders: state.result_placeholders.as_ref(),
            result_error: state.result_error.as_deref(),
            stuck_reason: state.stuck_reason(),
            placed_at: placed.at,
            updated_at: state.updated_at,
            ended_at: state.ended_at,
        }
    }
}

impl<'a> StepView<'a> {
    /// A step in that state.
    pub fn of(id: &'a StepId, step: &'a StepState) -> Self {
        let asked = step.asked.as_ref();
        Self {
            id,
            participant: asked.map(|asked| asked.participant.as_str()),
            action: asked.map(|asked| asked.action.as_str()),
            mode: step.mode.map(Mode::as_str),
            status: step.status(),
            outcome: step.outcome.as_deref(),
            data: unless_null(&step.data),
            attempts: step.attempts,
            last_error: step.last_error.as_deref(),
            started_at: step.started_at,
            ended_at: step.ended_at,
            next_attempt_at: step.next_attempt_at(),
        }
    }
}

impl<'a> EntryView<'a> {
    /// An event that was read.
    pub fn of(decoded: &'a Decoded) -> Self {
        let Decoded { event, metadata } = decoded;
        Self {
            summary: summary(event),
            step: event.step(),
            actor: metadata.actor.as_deref(),
            reason: metadata.reason.as_deref(),
            correlation_id: &metadata.correlation_id,
            causation_id: metadata.causation_id,
            hash: &metadata.hash,
        }
    }
}

/// The steps whose rows are others after this event, which led to that state.
pub fn steps_moved_by(event: &Event, state: &OrderState) -> Vec<StepId> {
    match event {
        // What waits for its next attempt is put off.
        Event::OrderResumed(_) => state.steps.keys().cloned().collect(),
        _ => event.step().cloned().into_iter().collect(),
    }
}

/// JSON's null is nothing.
fn unless_null(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

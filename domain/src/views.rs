//! What users see of an order: the fields of its row, of its steps' rows and of its timeline's
//! entries, each a pure function of its events. The projector writes them; a reader that folds an
//! order up to an earlier time shows the same fields.

use std::borrow::Cow;

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::batch_request::BATCH_STREAM_PREFIX;
use crate::ids::{OrderId, StepId};
use crate::order::{
    Basis, Direction, Event, Line, Mode, Order, PersonalData, Placeholders, RequestedAction, Sealed, Stage, StepState,
    StepStatus, summary,
};
use crate::stream_prefix;
use crate::wire::webhooks::WEBHOOK_STREAM_PREFIX;
use crate::wire::{Decoded, WORKFLOW_STREAM_PREFIX};

/// The stream prefixes of all events behind the views: orders, workflow definitions, batches that a
/// second person has to approve, webhooks, and the metadata of orders' streams, with which an
/// operator of the log hides events.
pub fn stream_prefixes() -> [String; 5] {
    let orders = stream_prefix::get();
    let [workflows, batches, webhooks] =
        [WORKFLOW_STREAM_PREFIX, BATCH_STREAM_PREFIX, WEBHOOK_STREAM_PREFIX].map(str::to_owned);
    [orders.to_owned(), workflows, batches, webhooks, format!("$${orders}")]
}

/// An order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderView<'a> {
    /// The order.
    pub id: &'a OrderId,
    /// The workflow that it follows.
    pub workflow: &'a str,
    /// The version of that workflow.
    pub workflow_version: u32,
    /// The business status.
    pub status: &'a str,
    /// The state, with GraphQL's name.
    pub state: &'static str,
    /// The shop's id of the customer.
    pub customer_id: &'a str,
    /// The principal that placed it; `None`: callers were not authenticated.
    pub placed_by: Option<&'a str>,
    /// The readable part of the data that identify a person.
    pub personal: Cow<'a, PersonalData>,
    /// The sealed personal data.
    pub sealed: Option<&'a Sealed>,
    /// ISO 4217.
    pub currency: &'a str,
    /// The sum over the lines.
    pub total: Decimal,
    /// The lines.
    pub lines: &'a [Line],
    /// Other data that the shop keeps with the order.
    pub attributes: &'a Map<String, Value>,
    /// The result, unless it is null.
    pub result: Option<&'a Value>,
    /// Which placeholders in it stand for personal data; `None`: all of them.
    pub result_placeholders: Option<&'a Placeholders>,
    /// Why the workflow's `result` has no value.
    pub result_error: Option<&'a str>,
    /// Why the order is stuck.
    pub stuck_reason: Option<&'a str>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When its last event was decided.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A step that has begun or was skipped.
#[derive(Debug, Clone, PartialEq)]
pub struct StepView<'a> {
    /// The step.
    pub id: &'a StepId,
    /// The participant, once a request was made.
    pub participant: Option<&'a str>,
    /// The requested action.
    pub action: Option<&'a str>,
    /// How it gets its answer, with GraphQL's name; `None`: it never began.
    pub mode: Option<&'static str>,
    /// The status.
    pub status: StepStatus,
    /// The outcome.
    pub outcome: Option<&'a str>,
    /// The data of the answer, unless it is null.
    pub data: Option<&'a Value>,
    /// The number of forward attempts.
    pub attempts: u32,
    /// The last error.
    pub last_error: Option<&'a str>,
    /// When its present stage began.
    pub since: Timestamp,
    /// When something is due at it.
    pub due_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last settled.
    pub ended_at: Option<Timestamp>,
    /// When the next attempt is due, during a back-off.
    pub next_attempt_at: Option<Timestamp>,
}

/// An event in a timeline. The log's own fields (revision, type, time, data) are kept with it.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryView<'a> {
    /// The event, in a sentence.
    pub summary: String,
    /// Its step.
    pub step: Option<&'a StepId>,
    /// The principal, if a person acted.
    pub actor: Option<&'a str>,
    /// The second person who approved what the principal asked for.
    pub approved_by: Option<&'a str>,
    /// The reason, if a person gave one.
    pub reason: Option<&'a str>,
    /// The order.
    pub correlation_id: &'a str,
    /// The event that caused it.
    pub causation_id: Option<Uuid>,
    /// Its link of the hash chain.
    pub hash: &'a str,
}

/// A call to a participant, after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    /// The participant, and what was asked of it.
    pub requested: RequestedAction,
    /// From the record of the attempt to the record of its end.
    pub took: TimeDelta,
}

impl<'a> OrderView<'a> {
    /// The order in this state.
    pub fn of(state: &'a Order) -> Self {
        let placed = &*state.placed;
        Self {
            id: &placed.order_id,
            workflow: &placed.workflow.name,
            workflow_version: placed.workflow.version,
            status: &state.status,
            state: state.state().as_str(),
            customer_id: &placed.customer_id,
            placed_by: placed.placed_by.as_deref(),
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
    /// A step in this state.
    pub fn of(id: &'a StepId, step: &'a StepState) -> Self {
        let requested = step.requested.as_ref();
        Self {
            id,
            participant: requested.map(|requested| requested.participant.as_str()),
            action: requested.map(|requested| requested.action.as_str()),
            mode: step.mode.map(Mode::as_str),
            status: step.status(),
            outcome: step.outcome.as_deref(),
            data: unless_null(&step.data),
            attempts: step.attempts,
            last_error: step.last_error.as_deref(),
            since: step.since,
            due_at: step.due_at(),
            started_at: step.started_at,
            ended_at: step.ended_at,
            next_attempt_at: step.next_attempt_at(),
        }
    }
}

impl<'a> EntryView<'a> {
    /// A decoded event.
    pub fn of(decoded: &'a Decoded) -> Self {
        let Decoded { event, metadata } = decoded;
        Self {
            summary: summary(event),
            step: event.step(),
            actor: metadata.actor.as_deref().or(event.placed_by()),
            approved_by: metadata.approved_by.as_deref(),
            reason: metadata.reason.as_deref(),
            correlation_id: &metadata.correlation_id,
            causation_id: metadata.causation_id,
            hash: &metadata.hash,
        }
    }
}

/// The steps whose rows change with this event. `state` is the state after it.
pub fn steps_moved_by(event: &Event, state: &Order) -> Vec<StepId> {
    if matches!(event, Event::OrderResumed(_) | Event::CompensationStarted(_)) {
        // A resume moves the deadlines of all waiting steps, and compensation ends every hold.
        return state.steps.keys().cloned().collect();
    }
    event.step().cloned().into_iter().collect()
}

impl CallView {
    /// The call for a step, not for its undo, that this event ends. `before` is the state before
    /// it. `None`: the event ends no such call, or one that does not tell how fast the participant
    /// is: the request was not sent, the instance that sent it was gone, or an operator did not
    /// wait for the answer.
    pub fn ended_by(event: &Event, before: &Order) -> Option<Self> {
        let is_end = match event {
            Event::StepAccepted(_) => true,
            Event::StepCompleted(e) => e.basis == Basis::Answer,
            Event::StepAttemptFailed(e) => !e.lost && !e.unsent,
            Event::StepFailed(e) => !e.unsent,
            Event::OrderPlaced(_)
            | Event::StepStarted(_)
            | Event::WaitStarted(_)
            | Event::StepSkipped(_)
            | Event::StatusChanged(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationStarted(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCompleted(_)
            | Event::OrderCanceled(_)
            | Event::OrderStuck(_)
            | Event::DecisionSplit(_) => false,
        };
        let step = event.step().filter(|_| is_end).and_then(|id| before.steps.get(id))?;
        // The state does not have the request of an undo.
        let Stage::InFlight { direction: Direction::Do, .. } = step.stage else { return None };
        let requested = step.requested.clone()?;
        Some(Self { requested, took: (event.at() - step.since).max(TimeDelta::zero()) })
    }
}

/// `None` for JSON null.
fn unless_null(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

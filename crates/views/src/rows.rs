//! The rows of the views, as queries read them. The migrations describe the columns.

#![expect(missing_docs, reason = "the migrations describe the columns")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::order::{Address, Line, Placeholders, Sealed};
use event_store::Position;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

/// A row of `orders`.
#[derive(Debug, Clone, FromRow)]
pub struct OrderRow {
    pub id: String,
    pub workflow: String,
    pub workflow_version: i32,
    pub status: String,
    pub state: String,
    pub customer_id: String,
    pub placed_by: Option<String>,
    pub customer_name: Option<String>,
    pub customer_email: Option<String>,
    pub currency: String,
    pub total: Decimal,
    pub lines: Json<Vec<Line>>,
    pub ship_to: Option<Json<Address>>,
    pub attributes: Json<Value>,
    pub result: Option<Json<Value>>,
    /// Which placeholders in the result stand for personal data; `None`: all of them.
    pub result_placeholders: Option<Json<Placeholders>>,
    pub result_error: Option<String>,
    pub stuck_reason: Option<String>,
    pub placed_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub revision: i64,
    pub position: i64,
    pub parked: bool,
    /// Personal data that a key opens. The columns of their own names hold only what identifies no
    /// person.
    pub sealed: Option<Json<Sealed>>,
}

/// The columns of an [`OrderRow`].
pub(crate) const ORDER_COLUMNS: &str = "id, workflow, workflow_version, status, state, customer_id, placed_by, customer_name, customer_email, \
     currency, total, lines, ship_to, attributes, result, result_placeholders, result_error, stuck_reason, placed_at, updated_at, \
     ended_at, revision, position, parked, sealed";

/// A row of `steps`.
#[derive(Debug, Clone, FromRow)]
pub struct StepRow {
    pub order_id: String,
    pub step: String,
    pub participant: Option<String>,
    pub action: Option<String>,
    pub mode: Option<String>,
    pub status: String,
    pub outcome: Option<String>,
    pub data: Option<Json<Value>>,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub since: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// A row of `expectations`.
#[derive(Debug, Clone, FromRow)]
pub struct ExpectationRow {
    pub order_id: String,
    pub expected_at: Option<DateTime<Utc>>,
    /// The open steps.
    pub steps: Json<BTreeMap<String, DateTime<Utc>>>,
}

/// How long a step of a definition takes; without a name, how long its orders take.
#[derive(Debug, Clone, FromRow)]
pub struct EstimateRow {
    pub step: String,
    pub samples: i64,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
}

/// How many orders of a definition are late.
#[derive(Debug, Clone, FromRow)]
pub struct LateCountRow {
    pub workflow: String,
    pub version: i32,
    pub orders: i64,
}

/// A step that waits for a person.
#[derive(Debug, Clone, FromRow)]
pub struct ApprovalRow {
    pub order_id: String,
    pub step: String,
    pub started_at: DateTime<Utc>,
    pub since: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
}

/// What a person did to an order.
#[derive(Debug, Clone, FromRow)]
pub struct ActionRow {
    pub order_id: String,
    pub revision: i64,
    #[sqlx(rename = "type")]
    pub event_type: String,
    pub recorded_at: DateTime<Utc>,
    pub summary: String,
    pub step: Option<String>,
    pub actor: String,
    pub reason: Option<String>,
}

/// An operation that a second person has to approve.
#[derive(Debug, Clone, FromRow)]
pub struct RequestRow {
    pub id: String,
    /// `None`: a batch.
    pub order_id: Option<String>,
    pub operation: String,
    pub step: Option<String>,
    pub details: serde_json::Value,
    pub matches: Option<i64>,
    pub requested_by: String,
    pub principal: String,
    pub reason: String,
    /// The role of those who may approve it.
    pub approver: String,
    pub previewed_at: Option<i64>,
    pub requested_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub state: String,
    pub settled_by: Option<String>,
    pub settled_reason: Option<String>,
    pub settled_at: Option<DateTime<Utc>>,
}

/// A note of an operator on one or more orders.
#[derive(Debug, Clone, FromRow)]
pub struct NoteRow {
    pub actor: String,
    pub text: String,
    /// When the last of the orders got it.
    pub recorded_at: DateTime<Utc>,
    /// How many orders have it.
    pub orders: i64,
    /// The order that got it last.
    pub order_id: String,
}

/// An order that is stuck, overdue or late.
#[derive(Debug, Clone, FromRow)]
pub struct TroubleRow {
    pub id: String,
    pub workflow: String,
    pub version: i32,
    /// The step at which it is stuck, that is due, or that it waits for.
    pub step: Option<String>,
    pub participant: Option<String>,
    pub status: Option<String>,
    pub error: Option<String>,
    pub since: DateTime<Utc>,
}

/// A participant, and the workflows that name it.
#[derive(Debug, Clone, FromRow)]
pub struct ParticipantRow {
    pub name: String,
    pub workflows: Vec<String>,
}

/// How many steps wait for a participant in a status.
#[derive(Debug, Clone, FromRow)]
pub struct ParticipantWorkRow {
    pub participant: String,
    pub status: String,
    pub steps: i64,
    pub since: Option<DateTime<Utc>>,
    pub overdue: i64,
}

/// A row of `timeline`.
#[derive(Debug, Clone, FromRow)]
pub struct TimelineRow {
    pub order_id: String,
    pub revision: i64,
    #[sqlx(rename = "type")]
    pub event_type: String,
    pub recorded_at: DateTime<Utc>,
    pub summary: String,
    pub step: Option<String>,
    pub actor: Option<String>,
    pub approved_by: Option<String>,
    pub reason: Option<String>,
    pub data: Json<Value>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<Uuid>,
    pub hash: String,
}

/// A row of `workflows`.
#[derive(Debug, Clone, FromRow)]
pub struct WorkflowRow {
    pub name: String,
    pub version: i32,
    pub source: String,
    pub outline: Json<Vec<OutlineStep>>,
    pub registered_at: DateTime<Utc>,
}

/// A definition without its text.
#[derive(Debug, Clone, FromRow)]
pub struct RegisteredRow {
    pub name: String,
    pub version: i32,
    pub registered_at: DateTime<Utc>,
}

/// How many orders of a definition are in a state.
#[derive(Debug, Clone, FromRow)]
pub struct WorkflowCountRow {
    pub workflow: String,
    pub version: i32,
    pub state: String,
    pub orders: i64,
}

/// A step of a definition, as the view `workflows` outlines it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutlineStep {
    pub id: String,
    pub participant: Option<String>,
    pub action: Option<String>,
    pub mode: String,
    pub after: Vec<String>,
    pub compensated: bool,
}

/// The status of an order.
#[derive(Debug, Clone, FromRow)]
pub struct StatusRow {
    pub id: String,
    pub status: String,
    pub state: String,
    pub expected_at: Option<DateTime<Utc>>,
    pub result_error: Option<String>,
    pub placed_by: Option<String>,
    pub revision: i64,
    pub position: i64,
}

/// How many orders have a status and a state.
#[derive(Debug, Clone, FromRow)]
pub struct CountRow {
    pub status: String,
    pub state: String,
    pub orders: i64,
}

/// How many orders of a status and a state were placed in an hour.
#[derive(Debug, Clone, FromRow)]
pub struct HourRow {
    pub hour: DateTime<Utc>,
    pub status: String,
    pub state: String,
    pub orders: i64,
}

/// How many orders of a workflow ended, and how long they took.
#[derive(Debug, Clone, FromRow)]
pub struct EndRow {
    pub workflow: String,
    pub orders: i64,
    pub canceled: i64,
    /// The 50th and the 95th percentile.
    pub took_ms: Vec<i64>,
}

/// How many orders ended in a state in an hour.
#[derive(Debug, Clone, FromRow)]
pub struct EndHourRow {
    pub hour: DateTime<Utc>,
    pub state: String,
    pub orders: i64,
}

/// How many orders had a status and a state; `None`: the views do not know it of that time.
#[derive(Debug, Clone, FromRow)]
pub struct PastCountRow {
    pub status: Option<String>,
    pub state: Option<String>,
    pub orders: i64,
}

/// The calls to a participant for a step.
#[derive(Debug, Clone, FromRow)]
pub struct CallRow {
    pub participant: String,
    pub step: String,
    pub action: String,
    pub calls: i64,
    pub failed: i64,
    /// The 50th, the 95th and the 99th percentile.
    pub took_ms: Vec<i64>,
}

/// An event that is set aside. In JSON the fields have the names that the command line documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct ParkedRow {
    pub stream: String,
    pub revision: i64,
    pub position: i64,
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub event_type: String,
    pub recorded_at: DateTime<Utc>,
    pub reason: String,
}

/// The progress of the views.
#[derive(Debug, Clone, FromRow)]
pub struct ProgressRow {
    position: Option<i64>,
    prepare: Option<i64>,
    pub last_event_at: Option<DateTime<Utc>>,
    pub parked: i64,
}

impl ProgressRow {
    /// The checkpoint of the views.
    pub fn checkpoint(&self) -> Option<Position> {
        let (commit, prepare) = self.position.zip(self.prepare)?;
        Some(Position { commit: commit.cast_unsigned(), prepare: prepare.cast_unsigned() })
    }
}

/// An order, and the revision of its row. Its steps and its timeline are read up to that revision.
#[derive(Debug, Clone)]
pub struct Head {
    pub id: String,
    pub revision: i64,
}

/// The name and the version of a definition.
pub type WorkflowKey = (String, i32);

//! The events of an order's life: facts in the past tense, each with the time of its decision.

mod accessors;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::content::{Line, PersonalData};
use super::operation::Operation;
use super::personal::Placeholders;
use super::sealed::Sealed;
use crate::Timestamp;
use crate::ids::{OrderId, StepId};

pub use accessors::Start;

/// A fact in the life of one order.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each struct says it")]
pub enum Event {
    OrderPlaced(Box<OrderPlaced>),
    StepStarted(StepStarted),
    WaitStarted(WaitStarted),
    StepAccepted(StepAccepted),
    StepCompleted(StepCompleted),
    StepAttemptFailed(StepAttemptFailed),
    StepFailed(StepFailed),
    StepSkipped(StepSkipped),
    StatusChanged(StatusChanged),
    OrderNoted(OrderNoted),
    OperationRequested(Box<OperationRequested>),
    RequestSettled(RequestSettled),
    OrderPaused(OrderPaused),
    OrderResumed(OrderResumed),
    CompensationStarted(CompensationStarted),
    CompensationCompleted(CompensationCompleted),
    OrderCompleted(OrderCompleted),
    OrderCanceled(OrderCanceled),
    OrderStuck(OrderStuck),
    DecisionSplit(DecisionSplit),
}

/// Whether an action moves an order forward, or undoes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Forward.
    Do,
    /// Compensation.
    Undo,
}

impl Direction {
    /// The recorded name.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Do => "do",
            Direction::Undo => "undo",
        }
    }

    /// Whether this is forward, the default when an event names no direction.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_do(&self) -> bool {
        *self == Direction::Do
    }

    fn forward() -> Self {
        Direction::Do
    }
}

/// How a step gets its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A participant answers in the exchange.
    Call,
    /// A participant accepts, and answers later.
    Request,
    /// The step waits for a time.
    Wait,
    /// A person answers.
    Await,
}

impl Mode {
    /// The name in GraphQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Call => "CALL",
            Mode::Request => "REQUEST",
            Mode::Wait => "WAIT",
            Mode::Await => "AWAIT",
        }
    }
}

/// A definition by name and version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkflowRef {
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
}

/// An order was placed: its first event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// The definition that it follows from start to end.
    pub workflow: WorkflowRef,
    /// The shop's id of the customer.
    pub customer_id: String,
    /// All personal data, in one place; if sealed, placeholders.
    pub personal: PersonalData,
    /// The sealed personal data, if they are not readable here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// ISO 4217.
    pub currency: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// The sum over the lines.
    pub total: Decimal,
    /// Other data that the shop keeps with the order.
    pub attributes: Map<String, Value>,
    /// The first business status.
    pub status: String,
    /// The principal that placed it; `None`: callers were not authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<String>,
    /// SHA-256 (hex) of the request's content: it tells a repeated request from another one with
    /// the same id. It is sealed with the personal data, and empty here then.
    pub fingerprint: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// An attempt at a step's action or undo was recorded. The request follows: append first, perform
/// second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepStarted {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// 1 for the first attempt in this direction.
    pub attempt: u32,
    /// The participant.
    pub participant: String,
    /// The action.
    pub action: String,
    /// How it answers.
    pub mode: Mode,
    /// The input, with placeholders for personal data. The first attempt records it; later attempts
    /// and the undo send the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Which placeholders stand for personal data, if other text looks like one; `None`: all of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// This attempt and later ones have another idempotency key. Under the old key certainly
    /// nothing was done, and a participant that keeps its answers would repeat its refusal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_key: bool,
    /// The deadline of the exchange.
    pub deadline: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

/// A step waits for a time, or for a person. No participant gets a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitStarted {
    /// The step.
    pub step: StepId,
    /// [`Mode::Wait`] or [`Mode::Await`].
    pub mode: Mode,
    /// What a person must give, for example an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<String>,
    /// The input that the person sees, with placeholders for personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Which placeholders stand for personal data, if other text looks like one; `None`: all of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// When the wait ends, or the deadline for the answer.
    pub deadline: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

/// The participant accepted the request, and answers later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepAccepted {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    #[serde(default = "Direction::forward", skip_serializing_if = "Direction::is_do")]
    pub direction: Direction,
    /// The deadline for the answer.
    pub deadline: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

/// The basis of an outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// An answer.
    #[default]
    Answer,
    /// An operator's assumption: the operator skipped the step with this outcome.
    Assumption,
    /// A deadline: the wait ended, or no answer came in time, and the definition names this
    /// outcome.
    Deadline,
}

impl Basis {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_answer(&self) -> bool {
        *self == Basis::Answer
    }
}

/// A step has its answer: the action, or its undo, is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCompleted {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The outcome.
    pub outcome: String,
    /// The basis of the outcome, if it is not an answer.
    #[serde(default, skip_serializing_if = "Basis::is_answer")]
    pub basis: Basis,
    /// The data of the answer.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// The idempotency key of a later answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_key: Option<String>,
    /// For an interim outcome: the deadline for the next answer. The step stays open until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// When it was decided.
    pub at: Timestamp,
}

/// An attempt failed, and another one follows.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the event, false where it is not written")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepAttemptFailed {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The number of the attempt.
    pub attempt: u32,
    /// The error, for people.
    pub error: String,
    /// The instance disappeared before it recorded an answer, or released the attempt. This uses up
    /// no retry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// The request was never sent. The attempt does not count, and needs no undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// A mistake of the deployment or of the definition, which a person has to correct. The retries
    /// are slow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misconfigured: bool,
    /// For a misconfigured attempt: whether the participant may have acted. After other failures it
    /// may have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maybe_done: bool,
    /// When to try again.
    pub retry_at: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

/// A step failed for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepFailed {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The reason, for people.
    pub error: String,
    /// Whether the participant may have acted (no answer, or an unclear one). If so, compensation
    /// undoes the step.
    pub maybe_done: bool,
    /// A mistake of the deployment or of the definition. A forward step is then held for an
    /// operator, and the order is not compensated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misconfigured: bool,
    /// The request was not sent for so long that an operator has to decide. The attempt does not
    /// count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// The idempotency key of a later refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_key: Option<String>,
    /// When it was decided.
    pub at: Timestamp,
}

/// A step is not needed: its guard does not hold, or none of its predecessors ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSkipped {
    /// The step.
    pub step: StepId,
    /// The reason, for people.
    pub because: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// The order's business status changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusChanged {
    /// The new status.
    pub status: String,
    /// The step that set it.
    pub step: StepId,
    /// When it was decided.
    pub at: Timestamp,
}

/// An operator leaves a note, for other people: the metadata have the text as the reason, and the
/// author as the actor. It changes nothing about the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderNoted {
    /// When it was decided.
    pub at: Timestamp,
}

/// An operator asks for an operation that a second person has to approve. Until then it changes
/// nothing: the order does not wait for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationRequested {
    /// Its number in the order, from 1.
    pub request: u32,
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// Who asks for it: the actor of the operation, once it is approved.
    pub requested_by: String,
    /// The principal that sent it. It cannot approve it.
    pub principal: String,
    /// The reason.
    pub reason: String,
    /// The role of those who may approve or decline it.
    pub approver: String,
    /// The revision of the order at which it was decided that the order allows the operation.
    pub previewed_at: u64,
    /// After this time it cannot be approved.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

/// What became of a request for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settlement {
    /// A second person approved it. The operation follows in the same decision.
    Approved,
    /// A second person declined it.
    Declined,
    /// The one who asked for it withdrew it.
    Withdrawn,
    /// It was not approved in time.
    Expired,
}

impl Settlement {
    /// The recorded name.
    pub fn as_str(self) -> &'static str {
        match self {
            Settlement::Approved => "approved",
            Settlement::Declined => "declined",
            Settlement::Withdrawn => "withdrawn",
            Settlement::Expired => "expired",
        }
    }
}

/// A request for an operation waits no more. The metadata have who settled it, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestSettled {
    /// The number of the request.
    pub request: u32,
    /// What became of it.
    pub how: Settlement,
    /// When it was decided.
    pub at: Timestamp,
}

/// An operator pauses the order: no step starts, no deadline passes; answers are recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPaused {
    /// When it was decided.
    pub at: Timestamp,
}

/// An operator resumes the order. All its deadlines move by the length of the pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderResumed {
    /// When it was decided.
    pub at: Timestamp,
}

/// The order cannot be kept, or an operator cancels it: compensation begins. It ends a pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationStarted {
    /// The step that caused it; `None`: an operator's cancel.
    pub step: Option<StepId>,
    /// The reason, for people.
    pub because: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// All that had to be undone is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationCompleted {
    /// When it was decided.
    pub at: Timestamp,
}

/// The order ended as planned. A last event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCompleted {
    /// The value of the workflow's `result`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Which placeholders stand for personal data, if other text looks like one; `None`: all of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// Why the workflow's `result` has no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_error: Option<String>,
    /// When it was decided.
    pub at: Timestamp,
}

/// The order ended after compensation. A last event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCanceled {
    /// When it was decided.
    pub at: Timestamp,
}

/// The order needs an operator: something that must not fail has failed for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStuck {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The reason, for people.
    pub reason: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// The consequences of a decision are too large for one append. This event ends the decision; the
/// rest is due at once, as the next decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionSplit {
    /// The steps that an operator retries, and for which there was no room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<StepId>,
    /// When it was decided.
    pub at: Timestamp,
}

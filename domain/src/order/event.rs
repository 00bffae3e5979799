//! What happens in an order's life: facts, in the past tense, each with the time it was decided.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::content::{Address, Line};
use super::personal::Placeholders;
use super::sealed::Sealed;
use crate::Timestamp;
use crate::ids::{OrderId, StepId};

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
    OrderPaused(OrderPaused),
    OrderResumed(OrderResumed),
    CompensationStarted(CompensationStarted),
    CompensationCompleted(CompensationCompleted),
    OrderCompleted(OrderCompleted),
    OrderCanceled(OrderCanceled),
    OrderStuck(OrderStuck),
    DecisionSplit(DecisionSplit),
}

/// Whether an action moves an order on, or undoes what another did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Forward.
    Do,
    /// Compensation.
    Undo,
}

impl Direction {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Do => "do",
            Direction::Undo => "undo",
        }
    }

    /// Whether it is forward, as it is where an event does not say.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_do(&self) -> bool {
        *self == Direction::Do
    }

    fn forward() -> Self {
        Direction::Do
    }
}

/// How a step comes to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Answered in the same exchange.
    Call,
    /// Accepted now, answered later.
    Request,
    /// Nobody is asked: time has to pass.
    Wait,
    /// A person answers.
    Await,
}

impl Mode {
    /// As GraphQL spells it.
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

/// The order was taken. Its first event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// The definition that it began on and will end on.
    pub workflow: WorkflowRef,
    /// The shop's id of the customer.
    pub customer_id: String,
    /// All that is personal, in one place. Where it is sealed: placeholders for what there was.
    pub personal: PersonalData,
    /// The personal data themselves, where they are not readable here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// ISO 4217.
    pub currency: String,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// The sum over the lines.
    pub total: Decimal,
    /// What else the shop keeps with the order.
    pub attributes: Map<String, Value>,
    /// The business status to begin with.
    pub status: String,
    /// SHA-256 (hex) of the request's content: tells a repeated request from another one under the same id. Sealed with the
    /// personal data; then it is empty.
    pub fingerprint: String,
    /// When.
    pub at: Timestamp,
}

/// What identifies a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalData {
    /// The customer's name.
    pub name: Option<String>,
    /// The customer's mail address.
    pub email: Option<String>,
    /// Where the order goes.
    pub ship_to: Option<Address>,
}

/// An attempt at a step's action (or at its undo) is about to be made: recorded first, performed second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepStarted {
    /// The step.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// 1 for the first attempt in this direction.
    pub attempt: u32,
    /// Who acts.
    pub participant: String,
    /// What it is asked to do.
    pub action: String,
    /// How it answers.
    pub mode: Mode,
    /// What it is told, with placeholders for personal data. Recorded with the first attempt to do; every later attempt,
    /// and the undo, is told the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Which placeholders in it stand for personal data, where something else looks like one; none: all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// This attempt, and those after it, carry an idempotency key of their own: it is certain that nothing was done under the
    /// key before, and a participant that keeps its answers would repeat its "no".
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_key: bool,
    /// When the exchange is given up.
    pub deadline: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// A step waits for time to pass, or for a person to answer. Nothing is asked of a participant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitStarted {
    /// The step.
    pub step: StepId,
    /// [`Mode::Wait`] or [`Mode::Await`].
    pub mode: Mode,
    /// What a person is to give: an approval, for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<String>,
    /// What the person is told, with placeholders for personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Which placeholders in it stand for personal data, where something else looks like one; none: all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// When the wait is over, or the answer has to be there.
    pub deadline: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// The participant took the request and will answer later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepAccepted {
    /// The step.
    pub step: StepId,
    /// Doing or undoing.
    #[serde(default = "Direction::forward", skip_serializing_if = "Direction::is_do")]
    pub direction: Direction,
    /// When the answer has to be there.
    pub deadline: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// What an outcome rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// An answer.
    #[default]
    Answer,
    /// An operator's word: the step was skipped, and this is taken for its answer.
    Assumption,
    /// Time: the wait is over, or nobody answered, and this is what the definition says then.
    Deadline,
}

impl Basis {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_answer(&self) -> bool {
        *self == Basis::Answer
    }
}

/// The step has its answer: the action, or its undo, is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCompleted {
    /// The step.
    pub step: StepId,
    /// Done or undone.
    pub direction: Direction,
    /// The named answer.
    pub outcome: String,
    /// Where it is from, unless it was answered.
    #[serde(default, skip_serializing_if = "Basis::is_answer")]
    pub basis: Basis,
    /// What came with it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// The idempotency key under which a later answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_key: Option<String>,
    /// For an interim outcome: when the next answer has to be there. The step stays open until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// An attempt came to nothing, and there will be another one.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the event, false where it is not written")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepAttemptFailed {
    /// The step.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// Which attempt.
    pub attempt: u32,
    /// What went wrong, for people.
    pub error: String,
    /// Whoever had the attempt disappeared before it recorded an answer, or handed it over: this does not count against the retries.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// The request was never sent. It counts as no attempt, and there is nothing to undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// The attempt failed by a mistake of the deployment or of the definition, which a person has to mend. Then the attempts
    /// follow one another slowly.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misconfigured: bool,
    /// Of a misconfigured attempt: whether the participant may have acted all the same. After any other it may have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub maybe_done: bool,
    /// When to try again.
    pub retry_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// The step has failed for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepFailed {
    /// The step.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// Why, for people.
    pub error: String,
    /// Whether the participant may have acted all the same (no answer, or an unclear one): then the step is undone too.
    pub maybe_done: bool,
    /// It failed by a mistake of the deployment or of the definition. Going forward, such a step is held for an operator, and
    /// the order is not undone for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub misconfigured: bool,
    /// The request was not sent for so long that a person has to look at it. The attempt counts as none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// The idempotency key under which a later "no" came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_key: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The step is not needed: its guard does not hold, or nothing that it follows has run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSkipped {
    /// The step.
    pub step: StepId,
    /// Why, for people.
    pub because: String,
    /// When.
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
    /// When.
    pub at: Timestamp,
}

/// An operator holds the order: nothing new begins, nothing falls due; answers are taken down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPaused {
    /// When.
    pub at: Timestamp,
}

/// The order goes on. Everything that it waits for is due later by the length of the pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderResumed {
    /// When.
    pub at: Timestamp,
}

/// The order cannot be kept, or an operator cancels it: what was done is undone from here on. It ends a pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationStarted {
    /// The step that led to it; none: an operator's cancel did.
    pub step: Option<StepId>,
    /// Why, for people.
    pub because: String,
    /// When.
    pub at: Timestamp,
}

/// All that had to be undone is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationCompleted {
    /// When.
    pub at: Timestamp,
}

/// The order came to its end as planned. A last event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCompleted {
    /// What the workflow's `result` gave.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Which placeholders in it stand for personal data, where something else looks like one; none: all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<Placeholders>,
    /// Why the workflow's `result` gave nothing, where it should have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_error: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// The order was undone to the end. A last event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCanceled {
    /// When.
    pub at: Timestamp,
}

/// The order needs a person: something that must not fail has failed for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStuck {
    /// Where.
    pub step: StepId,
    /// In which direction.
    pub direction: Direction,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What follows from a decision is too large for one append. This ends the decision; the rest is due at once, and decided next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionSplit {
    /// The steps that an operator wants retried, and for which there was no room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<StepId>,
    /// When.
    pub at: Timestamp,
}

impl Event {
    /// Which placeholders in what it records stand for personal data, where it says so.
    pub(crate) fn placeholders(&self) -> Option<&Placeholders> {
        match self {
            Event::StepStarted(e) => e.placeholders.as_ref(),
            Event::WaitStarted(e) => e.placeholders.as_ref(),
            Event::OrderCompleted(e) => e.placeholders.as_ref(),
            Event::OrderPlaced(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
            | Event::StepSkipped(_)
            | Event::StatusChanged(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationStarted(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCanceled(_)
            | Event::OrderStuck(_)
            | Event::DecisionSplit(_) => None,
        }
    }

    /// Its name in the log.
    pub fn type_name(&self) -> &'static str {
        match self {
            Event::OrderPlaced(_) => "OrderPlaced",
            Event::StepStarted(_) => "StepStarted",
            Event::WaitStarted(_) => "WaitStarted",
            Event::StepAccepted(_) => "StepAccepted",
            Event::StepCompleted(_) => "StepCompleted",
            Event::StepAttemptFailed(_) => "StepAttemptFailed",
            Event::StepFailed(_) => "StepFailed",
            Event::StepSkipped(_) => "StepSkipped",
            Event::StatusChanged(_) => "StatusChanged",
            Event::OrderPaused(_) => "OrderPaused",
            Event::OrderResumed(_) => "OrderResumed",
            Event::CompensationStarted(_) => "CompensationStarted",
            Event::CompensationCompleted(_) => "CompensationCompleted",
            Event::OrderCompleted(_) => "OrderCompleted",
            Event::OrderCanceled(_) => "OrderCanceled",
            Event::OrderStuck(_) => "OrderStuck",
            Event::DecisionSplit(_) => "DecisionSplit",
        }
    }

    /// When it was decided.
    pub fn at(&self) -> Timestamp {
        match self {
            Event::OrderPlaced(e) => e.at,
            Event::StepStarted(e) => e.at,
            Event::WaitStarted(e) => e.at,
            Event::StepAccepted(e) => e.at,
            Event::StepCompleted(e) => e.at,
            Event::StepAttemptFailed(e) => e.at,
            Event::StepFailed(e) => e.at,
            Event::StepSkipped(e) => e.at,
            Event::StatusChanged(e) => e.at,
            Event::OrderPaused(e) => e.at,
            Event::OrderResumed(e) => e.at,
            Event::CompensationStarted(e) => e.at,
            Event::CompensationCompleted(e) => e.at,
            Event::OrderCompleted(e) => e.at,
            Event::OrderCanceled(e) => e.at,
            Event::OrderStuck(e) => e.at,
            Event::DecisionSplit(e) => e.at,
        }
    }

    /// The step it speaks of, if it speaks of one.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Event::StatusChanged(e) => Some(&e.step),
            Event::CompensationStarted(e) => e.step.as_ref(),
            Event::OrderStuck(e) => Some(&e.step),
            _ => self.moved_step(),
        }
    }

    /// The step whose stage it changes, if it changes one.
    pub(super) fn moved_step(&self) -> Option<&StepId> {
        match self {
            Event::StepStarted(e) => Some(&e.step),
            Event::WaitStarted(e) => Some(&e.step),
            Event::StepAccepted(e) => Some(&e.step),
            Event::StepCompleted(e) => Some(&e.step),
            Event::StepAttemptFailed(e) => Some(&e.step),
            Event::StepFailed(e) => Some(&e.step),
            Event::StepSkipped(e) => Some(&e.step),
            Event::OrderPlaced(_)
            | Event::StatusChanged(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationStarted(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCompleted(_)
            | Event::OrderCanceled(_)
            | Event::OrderStuck(_)
            | Event::DecisionSplit(_) => None,
        }
    }
}

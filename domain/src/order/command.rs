//! Commands about an order, and the refusals of them.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::attempt_id::AttemptId;
use super::content::NewOrder;
use super::event::{Direction, Settlement};
use super::operation::Operation;
use super::state::{State, StepStatus};
use crate::Timestamp;
use crate::ids::{OrderId, StepId};

/// A command to an order. It carries time, ids and jitter, so that decisions are pure.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Place an order.
    Place(Box<Place>),
    /// Record the result of an attempt.
    Answer(Answer),
    /// Record a later answer from a participant or a person.
    Signal(Signal),
    /// Record a later refusal from a participant.
    Refuse(LateRefusal),
    /// Perform an operator's operation.
    Operate(Operate),
    /// Ask for an operation that a second person has to approve.
    Request(Request),
    /// Approve such an operation, decline it, or withdraw it.
    Settle(Settle),
    /// Decide due work: retries, deadlines, waits.
    Tick(Now),
    /// Release attempts, so that another instance makes them.
    HandOver(HandOver),
    /// Record that an instance never sent a request: the participant had no capacity in time, or
    /// its circuit is open.
    NotSent(NotSent),
}

impl Command {
    /// The time of the command.
    pub(super) fn at(&self) -> Timestamp {
        let now = match self {
            Command::Place(place) => place.now,
            Command::Answer(answer) => answer.now,
            Command::Signal(signal) => signal.now,
            Command::Refuse(late) => late.now,
            Command::Operate(operate) => operate.now,
            Command::Request(request) => request.operate.now,
            Command::Settle(settle) => settle.now,
            Command::Tick(now) => *now,
            Command::HandOver(back) => back.now,
            Command::NotSent(not_sent) => not_sent.now,
        };
        now.at
    }
}

/// The time, and a random number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// The time.
    pub at: Timestamp,
    /// Uniform in `0.0..1.0`; spreads retries.
    pub jitter: f64,
}

/// See [`Command::Place`].
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The id of the order.
    pub order_id: OrderId,
    /// The content of the order.
    pub order: NewOrder,
    /// The principal that places it; `None`: callers are not authenticated.
    pub placed_by: Option<String>,
    /// The time and the jitter.
    pub now: Now,
}

/// See [`Command::Answer`].
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its result.
    pub reply: Reply,
    /// The time and the jitter.
    pub now: Now,
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The participant has done it.
    Done {
        /// The outcome, if the answer names one.
        outcome: Option<String>,
        /// The data of the answer.
        data: Value,
    },
    /// The participant has accepted the request, and answers later.
    Accepted,
    /// The participant refuses for good: it has not acted, and will not.
    Refused {
        /// The reason, for people.
        error: String,
    },
    /// No answer, or "not now": the participant may have acted.
    Unclear {
        /// The error, for people.
        error: String,
        /// How long the participant asks to wait.
        retry_after: Option<Duration>,
    },
    /// A mistake of the deployment or of the definition, not the participant's answer: an expired
    /// key, a wrong path, a setting without a value. Retries are slow; after the last one an
    /// operator decides.
    Misconfigured {
        /// What is wrong and what to do, for people.
        error: String,
        /// The minimum wait, if it is known.
        retry_after: Option<Duration>,
        /// Whether the participant may have acted.
        maybe_done: bool,
    },
    /// The instance cannot make the request until a person corrects something; for example, the key
    /// of the personal data is missing. It sent nothing, and further attempts would fail, too.
    Held {
        /// What is wrong and what to do, for people.
        error: String,
    },
}

/// See [`Command::Refuse`].
#[derive(Debug, Clone, PartialEq)]
pub struct LateRefusal {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The reason, for people.
    pub error: String,
    /// The id of the request that it answers ([`request_id`](super::request_id)), if it names one.
    pub request: Option<Uuid>,
    /// The idempotency key of the answer, if it has one.
    pub key: Option<String>,
    /// This is not a refusal: the participant has not acted, and cannot until a person corrects
    /// something.
    pub misconfigured: bool,
    /// The time and the jitter.
    pub now: Now,
}

/// See [`Command::HandOver`].
#[derive(Debug, Clone, PartialEq)]
pub struct HandOver {
    /// The attempts whose answers this instance will not receive. The decider ignores those that
    /// have ended.
    pub attempts: Vec<AttemptId>,
    /// The time and the jitter.
    pub now: Now,
}

/// See [`Command::NotSent`].
#[derive(Debug, Clone, PartialEq)]
pub struct NotSent {
    /// The attempt that was recorded but not sent.
    pub attempt: AttemptId,
    /// The reason, for people.
    pub error: String,
    /// The time until the next try. Zero: the instance can send now, and the attempt is recorded
    /// again with another deadline.
    pub wait: Duration,
    /// The time and the jitter.
    pub now: Now,
}

/// See [`Command::Operate`].
#[derive(Debug, Clone, PartialEq)]
pub struct Operate {
    /// The operation.
    pub operation: Operation,
    /// The operator.
    pub actor: String,
    /// The operator's reason.
    pub reason: String,
    /// The time and the jitter.
    pub now: Now,
}

impl Operate {
    /// The name of an operator whose operation a second person approved.
    pub fn approved(actor: &str, by: Option<&str>) -> String {
        by.map_or_else(|| actor.to_owned(), |by| format!("{actor}, approved by {by}"))
    }
}

/// See [`Command::Request`].
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The operation, who asks for it, and why.
    pub operate: Operate,
    /// The principal that sent it.
    pub principal: String,
    /// The role of those who may approve or decline it.
    pub approver: String,
    /// The revision of the order at which it is decided.
    pub previewed_at: u64,
    /// After this time it cannot be approved.
    pub expires_at: Timestamp,
}

/// See [`Command::Settle`].
#[derive(Debug, Clone, PartialEq)]
pub struct Settle {
    /// The number of the request.
    pub request: u32,
    /// What becomes of it.
    pub how: Settlement,
    /// The principal.
    pub by: String,
    /// The roles of the principal.
    pub roles: Vec<String>,
    /// The time and the jitter.
    pub now: Now,
}

/// See [`Command::Signal`].
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The outcome, if the answer names one.
    pub outcome: Option<String>,
    /// The data of the answer.
    pub data: Value,
    /// The idempotency key of the answer, if it has one.
    pub key: Option<String>,
    /// The time and the jitter.
    pub now: Now,
}

/// Why a command is not allowed. A refusal changes nothing about the order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An order with this id exists.
    #[error("the order is placed already")]
    AlreadyPlaced,
    /// The input of a first step is larger than the log allows.
    #[error("the order is too large for its workflow: step {step:?}: {error}")]
    TooLarge {
        /// The step.
        step: StepId,
        /// The size, and the limit.
        error: String,
    },
    /// No order has this id.
    #[error("there is no such order")]
    NotPlaced,
    /// The sum over the lines is out of range.
    #[error("the total of the order is too large")]
    TotalTooLarge,
    /// The workflow has no step of this name.
    #[error("workflow {workflow:?} has no step {step:?}")]
    UnknownStep {
        /// The order's workflow.
        workflow: String,
        /// The given name.
        step: StepId,
    },
    /// The step does not know this outcome.
    #[error("step {step:?} does not know the outcome {outcome:?}; it knows {}", known.join(", "))]
    UnknownOutcome {
        /// The step.
        step: StepId,
        /// The given name.
        outcome: String,
        /// The outcomes that it knows.
        known: Vec<String>,
    },
    /// The step does not wait for this answer: no request was sent, or the attempt has ended.
    #[error("step {step:?} of the order, which is {state}, does not wait for an answer")]
    NotWaiting {
        /// The step.
        step: StepId,
        /// The state of the order.
        state: State,
    },
    /// The answer comes after the step has ended, and would change nothing.
    #[error("step {step:?} of the order, which is {state}, does not wait for an answer any more: it {recorded}")]
    TooLate {
        /// The step.
        step: StepId,
        /// The state of the order.
        state: State,
        /// How the step ended.
        recorded: String,
    },
    /// The answer comes after the step has ended, and contradicts the recorded result.
    #[error("the answer contradicts what is on record: step {step:?} of the order, which is {state}, {recorded}")]
    Contradicts {
        /// The step.
        step: StepId,
        /// The state of the order.
        state: State,
        /// How the step ended.
        recorded: String,
    },
    /// Another answer is on record under this key.
    #[error(
        "another answer to step {step:?} is on record under the key {key:?}: {recorded}; \
         a different answer needs another key"
    )]
    OtherAnswer {
        /// The step.
        step: StepId,
        /// The key.
        key: String,
        /// The recorded answer.
        recorded: String,
    },
    /// The state of the order does not allow the operation.
    #[error("cannot {operation} an order that is {state}")]
    NotNow {
        /// The operation.
        operation: &'static str,
        /// The state of the order.
        state: State,
    },
    /// The order is paused or stuck during compensation: another cancel would change nothing.
    #[error("the order is being undone already, and is {state}: {}", undoing_goes_on(*.state))]
    UndoneAlready {
        /// The state of the order.
        state: State,
    },
    /// The step failed before a request was sent, because its input has no value or is too large. A
    /// retry would fail again.
    #[error(
        "step {step:?} of the order, which is {state}, sent no request, because its input has no value or is too \
         large, and a retry would not change that: skip the step instead"
    )]
    NeverAsked {
        /// The step.
        step: StepId,
        /// The state of the order.
        state: State,
    },
    /// The state of the step does not allow the operation.
    #[error("cannot {operation} step {step:?}, which is {status}, of an order that is {state}")]
    StepNotNow {
        /// The operation.
        operation: &'static str,
        /// The step.
        step: StepId,
        /// The status of the step.
        status: StepStatus,
        /// The state of the order.
        state: State,
    },
    /// No step waits for another attempt, and the order is not stuck.
    #[error("nothing to retry: no step of the order, which is {state}, waits for another attempt or is stuck")]
    NothingToRetry {
        /// The state of the order.
        state: State,
    },
    /// The order has reached the limit of notes.
    #[error("the order has {count} notes already, which is the most")]
    TooManyNotes {
        /// The number so far.
        count: u32,
    },
    /// The same operation waits for a second person already.
    #[error("request {request} for the same operation waits for approval already")]
    RequestedAlready {
        /// Its number.
        request: u32,
    },
    /// Too many operations wait for a second person, or were asked for so far.
    #[error("the order has {count} requests for operations already, which is the most")]
    TooManyRequests {
        /// The number.
        count: usize,
    },
    /// No request of this number waits for approval.
    #[error("the order has no request {request} that waits for approval")]
    NoOpenRequest {
        /// The given number.
        request: u32,
    },
    /// The request was not approved in time.
    #[error("request {request} expired at {expired_at}")]
    RequestExpired {
        /// Its number.
        request: u32,
        /// When it expired.
        expired_at: Timestamp,
    },
    /// No one approves or declines what they asked for.
    #[error("{by} asked for it, so another person has to approve or decline it; {by} can withdraw it")]
    SamePerson {
        /// The principal.
        by: String,
    },
    /// Only those who have this role approve or decline the request.
    #[error("{by} may not approve or decline it: that takes the role {role}")]
    NotAnApprover {
        /// The principal.
        by: String,
        /// The role.
        role: String,
    },
    /// No one else withdraws a request.
    #[error("{by} may not withdraw it: {requested_by} asked for it; decline it instead")]
    NotTheRequester {
        /// The principal.
        by: String,
        /// Who asked for it.
        requested_by: String,
    },
    /// The order has reached the limit of pauses. An operator can still resume or cancel it.
    #[error("the order was paused {count} times already, which is the most; it can be resumed, or canceled")]
    TooManyPauses {
        /// The number so far.
        count: u32,
    },
    /// The step has reached the limit of attempts. An operator can still skip it, or cancel the
    /// order.
    #[error("step {step:?} was tried {count} times already, which is the most; skip it, or cancel the order")]
    TooManyAttempts {
        /// The step.
        step: StepId,
        /// The number so far.
        count: u32,
    },
    /// The step has reached the limit of interim answers. It still takes the answer that settles
    /// it.
    #[error("step {step:?} was answered {count} times already; only an answer that settles it is taken now")]
    TooManyAnswers {
        /// The step.
        step: StepId,
        /// The number so far.
        count: usize,
    },
}

/// What an operator does so that the compensation continues.
fn undoing_goes_on(state: State) -> &'static str {
    match state {
        State::Paused => "resume it, and the compensation continues",
        State::Stuck => "retry or skip the step at which it is stuck",
        State::Running | State::Waiting | State::Compensating | State::Completed | State::Canceled => {
            "nothing has to be done"
        }
    }
}

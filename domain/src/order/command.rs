//! What can be asked of an order, and how it is refused.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::content::NewOrder;
use super::event::Direction;
use super::state::{Lifecycle, StepStatus};
use crate::Timestamp;
use crate::ids::{OrderId, StepId};

/// A wish. Time, ids and jitter come with it, so that deciding is pure.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Take an order.
    Place(Box<Place>),
    /// Record what came of an attempt.
    Answer(Answer),
    /// Record a later answer, sent by the participant or by a person.
    Signal(Signal),
    /// Record a later "no", sent by the participant.
    Refuse(LateRefusal),
    /// Do what an operator wishes.
    Operate(Operate),
    /// Do what time has made due.
    Tick(Now),
    /// Give back attempts, for others to make.
    HandOver(HandOver),
    /// Record that a request was never sent: no turn came in time, or the circuit is open.
    NotSent(NotSent),
}

impl Command {
    /// When it is given.
    pub(super) fn at(&self) -> Timestamp {
        let now = match self {
            Command::Place(place) => place.now,
            Command::Answer(answer) => answer.now,
            Command::Signal(signal) => signal.now,
            Command::Refuse(late) => late.now,
            Command::Operate(operate) => operate.now,
            Command::Tick(now) => *now,
            Command::HandOver(back) => back.now,
            Command::NotSent(not_sent) => not_sent.now,
        };
        now.at
    }
}

/// The time, and a roll of the dice.
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
    /// The id the order gets.
    pub order_id: OrderId,
    /// What is ordered.
    pub order: NewOrder,
    /// When.
    pub now: Now,
}

/// See [`Command::Answer`].
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The attempt that was made.
    pub attempt: AttemptId,
    /// What came of it.
    pub reply: Reply,
    /// When.
    pub now: Now,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done.
    Done {
        /// The named answer, if one was given.
        outcome: Option<String>,
        /// What came with it.
        data: Value,
    },
    /// Accepted, to be answered later.
    Accepted,
    /// Refused for good: the action was not done, and will not be.
    Refused {
        /// Why, for people.
        error: String,
    },
    /// No answer, or one that says "not now": it may or may not have been done.
    Unclear {
        /// What happened, for people.
        error: String,
        /// How long the participant asked to wait.
        retry_after: Option<Duration>,
    },
    /// A mistake of the deployment or of the definition, and not the participant's word: a key that has expired, a wrong path,
    /// a setting without a value. It is tried again slowly, and then held for a person.
    Misconfigured {
        /// What is wrong and what to do, for people.
        error: String,
        /// How long to wait at least, where that is known.
        retry_after: Option<Duration>,
        /// Whether the participant may have acted all the same.
        maybe_done: bool,
    },
    /// The request cannot be made until a person has mended something, and no further attempt would change that: the key of the
    /// personal data that it needs is missing, for one. Nothing was sent.
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
    /// Doing or undoing.
    pub direction: Direction,
    /// Why, for people.
    pub error: String,
    /// The id of the request that it answers ([`request_id`](super::request_id)), if it says so.
    pub request: Option<Uuid>,
    /// The idempotency key that it came under, if any.
    pub key: Option<String>,
    /// It is no "no": the participant cannot act until a person has mended something, and has not acted.
    pub misconfigured: bool,
    /// When.
    pub now: Now,
}

/// See [`Command::HandOver`].
#[derive(Debug, Clone, PartialEq)]
pub struct HandOver {
    /// The attempts that nobody here will hear the answer to. Those that have come to an end meanwhile are left as they are.
    pub attempts: Vec<AttemptId>,
    /// When.
    pub now: Now,
}

/// See [`Command::NotSent`].
#[derive(Debug, Clone, PartialEq)]
pub struct NotSent {
    /// The attempt that was recorded and not made.
    pub attempt: AttemptId,
    /// Why, for people.
    pub error: String,
    /// How long until the next try; zero: the turn has come, and the attempt is recorded again with a new deadline.
    pub wait: Duration,
    /// When.
    pub now: Now,
}

/// Names one attempt of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptId {
    /// The step.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// From 1, in that direction. An attempt that was never sent shares it with the next one.
    pub number: u32,
    /// When it was recorded. Together with the number this tells it from any other attempt.
    pub recorded_at: Timestamp,
}

/// See [`Command::Operate`].
#[derive(Debug, Clone, PartialEq)]
pub struct Operate {
    /// What is wished.
    pub operation: Operation,
    /// Who wishes it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub now: Now,
}

/// What an operator can do about an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Undo what was done, and end it. What waits is given up at once; what is being asked comes to its end first.
    Cancel,
    /// Hold it: nothing new begins, nothing falls due, answers are taken down.
    Pause,
    /// Let it go on.
    Resume,
    /// Try again now what waits for its next attempt, or is stuck.
    Retry {
        /// Which step; none: each of them.
        step: Option<StepId>,
    },
    /// Assume a step's answer: it is no longer waited for, or asked for.
    Skip {
        /// Which step.
        step: StepId,
        /// The answer to assume; none: `done`, where the step does not say which answers it knows. An undo has no answers, and is
        /// skipped without one.
        outcome: Option<String>,
        /// What would have come with it.
        data: Value,
    },
}

impl Operation {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Operation::Cancel => "cancel",
            Operation::Pause => "pause",
            Operation::Resume => "resume",
            Operation::Retry { .. } => "retry",
            Operation::Skip { .. } => "skip",
        }
    }
}

/// See [`Command::Signal`].
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The step.
    pub step: StepId,
    /// Doing or undoing.
    pub direction: Direction,
    /// The named answer, if one was given.
    pub outcome: Option<String>,
    /// What came with it.
    pub data: Value,
    /// The idempotency key that it came under, if any.
    pub key: Option<String>,
    /// When.
    pub now: Now,
}

/// Why a command is not allowed. Nothing is broken: the order stands where it stood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A second order under the same id.
    #[error("the order is placed already")]
    AlreadyPlaced,
    /// The input of one of the first steps is larger than the log takes.
    #[error("the order is too large for its workflow: step {step:?}: {error}")]
    TooLarge {
        /// The step.
        step: StepId,
        /// How large it is, and what is allowed.
        error: String,
    },
    /// No order under that id.
    #[error("there is no such order")]
    NotPlaced,
    /// The sum over the lines is out of range.
    #[error("the total of the order is too large")]
    TotalTooLarge,
    /// The workflow has no step of that name.
    #[error("workflow {workflow:?} has no step {step:?}")]
    UnknownStep {
        /// The order's workflow.
        workflow: String,
        /// The name that was given.
        step: StepId,
    },
    /// The step does not know that answer.
    #[error("step {step:?} does not know the outcome {outcome:?}; it knows {}", known.join(", "))]
    UnknownOutcome {
        /// The step.
        step: StepId,
        /// The name that was given.
        outcome: String,
        /// The names that it knows.
        known: Vec<String>,
    },
    /// The step does not wait for that answer: nothing was asked of it, or the attempt is over.
    #[error("step {step:?} of the order, which is {state}, does not wait for an answer")]
    NotWaiting {
        /// The step.
        step: StepId,
        /// Where the order stands.
        state: Lifecycle,
    },
    /// The answer comes after the step's end, and would change nothing about it.
    #[error("step {step:?} of the order, which is {state}, does not wait for an answer any more: it {recorded}")]
    TooLate {
        /// The step.
        step: StepId,
        /// Where the order stands.
        state: Lifecycle,
        /// How the step ended.
        recorded: String,
    },
    /// The answer comes after the step's end, and contradicts it.
    #[error("the answer contradicts what is on record: step {step:?} of the order, which is {state}, {recorded}")]
    Contradicts {
        /// The step.
        step: StepId,
        /// Where the order stands.
        state: Lifecycle,
        /// How the step ended.
        recorded: String,
    },
    /// Another answer came under the same key.
    #[error(
        "another answer to step {step:?} is on record under the key {key:?}: {recorded}; \
         a different answer needs a key of its own"
    )]
    OtherAnswer {
        /// The step.
        step: StepId,
        /// The key.
        key: String,
        /// What was recorded under it.
        recorded: String,
    },
    /// The operation makes no sense where the order stands.
    #[error("cannot {operation} an order that is {state}")]
    NotNow {
        /// What was wished.
        operation: &'static str,
        /// Where the order stands.
        state: Lifecycle,
    },
    /// It is being undone, and held or stuck meanwhile: another cancel would change nothing.
    #[error("the order is being undone already, and is {state}: {}", undoing_goes_on(*.state))]
    UndoneAlready {
        /// Where the order stands.
        state: Lifecycle,
    },
    /// The step failed before its participant was asked: its input has no value, or is too large, and would be so again.
    #[error(
        "step {step:?} of the order, which is {state}, was never asked for anything, since its input has no value or is too \
         large, and asking again would not change that: skip the step instead"
    )]
    NeverAsked {
        /// The step.
        step: StepId,
        /// Where the order stands.
        state: Lifecycle,
    },
    /// The operation makes no sense where the step stands.
    #[error("cannot {operation} step {step:?}, which is {status}, of an order that is {state}")]
    StepNotNow {
        /// What was wished.
        operation: &'static str,
        /// The step.
        step: StepId,
        /// Where it stands.
        status: StepStatus,
        /// Where the order stands.
        state: Lifecycle,
    },
    /// No step waits for another attempt, or is stuck.
    #[error("nothing to retry: no step of the order, which is {state}, waits for another attempt or is stuck")]
    NothingToRetry {
        /// Where the order stands.
        state: Lifecycle,
    },
    /// The order was paused as often as is allowed. It can still be resumed and canceled.
    #[error("the order was paused {count} times already, which is the most; it can be resumed, or canceled")]
    TooManyPauses {
        /// How often.
        count: u32,
    },
    /// The step was tried as often as is allowed. It can still be skipped, and its order canceled.
    #[error("step {step:?} was tried {count} times already, which is the most; skip it, or cancel the order")]
    TooManyAttempts {
        /// The step.
        step: StepId,
        /// How often.
        count: u32,
    },
    /// The step has as many answers for now as are allowed. One that settles it is still taken.
    #[error("step {step:?} was answered {count} times already; only an answer that settles it is taken now")]
    TooManyAnswers {
        /// The step.
        step: StepId,
        /// How often.
        count: usize,
    },
}

/// What an operator does so that the undoing goes on.
fn undoing_goes_on(state: Lifecycle) -> &'static str {
    match state {
        Lifecycle::Paused => "resume it, and the undoing goes on",
        Lifecycle::Stuck => "retry or skip the step at which it is stuck",
        Lifecycle::Running
        | Lifecycle::Waiting
        | Lifecycle::Compensating
        | Lifecycle::Completed
        | Lifecycle::Canceled => "nothing has to be done",
    }
}

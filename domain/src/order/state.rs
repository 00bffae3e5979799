//! The state of an order: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;

use super::attempt_id::AttemptId;
use super::clock::Clock;
use super::event::{Basis, Direction, Mode, OperationRequested, OrderPlaced};
use super::personal::Placeholders;
use super::recorded_answer::{Content, OnRecord, RecordedAnswer};
use crate::Timestamp;
use crate::ids::StepId;

/// An order after some of its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The order as it was placed.
    pub placed: Arc<OrderPlaced>,
    /// The business status, from the workflow.
    pub status: String,
    /// The phase: which part of the workflow applies.
    pub phase: Phase,
    /// Since when the order is paused, if it is.
    pub paused: Option<Timestamp>,
    /// The number of pauses.
    pub pauses: u32,
    /// The number of notes.
    pub notes: u32,
    /// The requests for operations that wait for a second person, by their numbers. The end of the
    /// order makes them void.
    pub requests: BTreeMap<u32, Arc<OperationRequested>>,
    /// The number of requests so far.
    pub requests_made: u32,
    /// Why it is compensated, once it is.
    pub undone_because: Option<String>,
    /// An operator's cancel caused the compensation.
    pub canceled: bool,
    /// Since when the rest of a split decision is due.
    pub split: Option<Timestamp>,
    /// The steps that an operator retries, and for which that decision had no room.
    pub to_retry: BTreeSet<StepId>,
    /// Why the order is stuck, if it is.
    pub stuck: Option<Stuck>,
    /// The steps that have begun or were skipped. Shared, because each decision copies the state.
    pub steps: BTreeMap<StepId, Arc<StepState>>,
    /// The steps that compensation may have to undo, in the order in which they were settled.
    pub settled: Vec<StepId>,
    /// The result of the order.
    pub result: Value,
    /// Which placeholders in it stand for personal data; `None`: all of them.
    pub result_placeholders: Option<Placeholders>,
    /// Why the workflow's `result` has no value.
    pub result_error: Option<String>,
    /// When its last event was decided.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The time that counts.
    pub clock: Clock,
}

/// The part of the workflow that applies to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `steps`.
    Forward,
    /// The undos of completed steps.
    Undoing,
    /// `compensated`: the steps after the undos.
    Compensated,
    /// Ended as planned.
    Completed,
    /// Ended after compensation.
    Canceled,
}

/// Something that must not fail has failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The step.
    pub step: StepId,
    /// Do or undo.
    pub direction: Direction,
    /// The reason, for people.
    pub reason: String,
}

/// The state of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// The stage.
    pub stage: Stage,
    /// When the stage began.
    pub since: Timestamp,
    /// How the step gets its answer; `None`: it never began.
    pub mode: Option<Mode>,
    /// The requested action; `None`: no request was made, or the step makes none.
    pub requested: Option<RequestedAction>,
    /// The input of the action. Shared with its attempts.
    pub input: Arc<Value>,
    /// Which placeholders in it stand for personal data; `None`: all of them.
    pub placeholders: Option<Placeholders>,
    /// The number of forward attempts.
    pub attempts: u32,
    /// The number of undo attempts.
    pub undo_attempts: u32,
    /// The first attempt under the present request id. Consecutive attempts share one request;
    /// after a conclusion, the next request has another id.
    pub request_since: u32,
    /// Failed attempts in the present direction, without lost ones.
    pub failures: u32,
    /// Since when its request waits to be sent, without pauses; `None`: the last request was sent,
    /// or no try has failed yet.
    pub unsent_since: Option<Timestamp>,
    /// Whether an attempt in the present direction may have acted, although it has no clear answer.
    pub unsure: bool,
    /// The first forward attempt under the present idempotency key.
    pub key_since: u32,
    /// The first undo attempt under the present idempotency key.
    pub undo_key_since: u32,
    /// The outcome.
    pub outcome: Option<String>,
    /// The basis of the outcome.
    pub basis: Basis,
    /// The data of the answer.
    pub data: Value,
    /// The recorded later answers.
    pub answers: Vec<RecordedAnswer>,
    /// The content of the answer to its undo.
    pub undo_answer: Option<Content>,
    /// The last error.
    pub last_error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last settled.
    pub ended_at: Option<Timestamp>,
    /// What the order's clock showed when it began.
    pub begun_at: TimeDelta,
}

/// An action of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAction {
    /// The participant.
    pub participant: String,
    /// The action.
    pub action: String,
}

/// The stage of a step. The transition table is in `evolve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// An attempt is recorded and in flight.
    InFlight {
        /// Do or undo.
        direction: Direction,
        /// The number of the attempt in that direction.
        attempt: u32,
        /// The deadline of the exchange.
        deadline: Timestamp,
    },
    /// An attempt failed, and the next one is not due yet.
    BackingOff {
        /// Do or undo.
        direction: Direction,
        /// The failed attempt.
        attempt: u32,
        /// When the next one is due.
        until: Timestamp,
    },
    /// An answer is still to come: the participant has accepted, or has given an interim answer, or
    /// the step waits for a time or a person.
    Awaiting {
        /// Do or undo.
        direction: Direction,
        /// The deadline of the answer.
        deadline: Timestamp,
    },
    /// The step has its answer.
    Completed,
    /// The step is not needed.
    Skipped,
    /// Failed for good.
    Failed {
        /// Whether the participant may have acted.
        maybe_done: bool,
    },
    /// Failed by a mistake that a person has to correct. An operator retries it, skips it, or
    /// cancels the order.
    Held {
        /// Whether the participant may have acted.
        maybe_done: bool,
    },
    /// Its undo is done.
    Undone,
    /// Its undo failed for good.
    UndoFailed,
}

/// The state of an order, with the names of the query side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// A step is in flight, or about to be tried again.
    Running,
    /// The order waits for an answer.
    Waiting,
    /// An operator has paused it.
    Paused,
    /// Compensation is in progress.
    Compensating,
    /// Ended as planned.
    Completed,
    /// Ended after compensation.
    Canceled,
    /// It waits for an operator.
    Stuck,
}

/// The status of a step, with the names of the query side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum StepStatus {
    Pending,
    Running,
    Waiting,
    Retrying,
    Completed,
    Skipped,
    Failed,
    Compensating,
    Compensated,
    Stuck,
}

impl Order {
    /// The state of the order.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Completed => State::Completed,
            Phase::Canceled => State::Canceled,
            _ if self.paused.is_some() => State::Paused,
            _ if self.stuck.is_some() => State::Stuck,
            Phase::Undoing | Phase::Compensated => State::Compensating,
            Phase::Forward if self.split.is_none() && self.only_awaits_answers() => State::Waiting,
            Phase::Forward => State::Running,
        }
    }

    /// Whether the order has ended.
    pub fn ended(&self) -> bool {
        matches!(self.phase, Phase::Completed | Phase::Canceled)
    }

    /// Why the order is stuck, if it is.
    pub fn stuck_reason(&self) -> Option<&str> {
        self.stuck.as_ref().map(|stuck| stuck.reason.as_str())
    }

    /// The status of a step, also of one that has not begun.
    pub fn status_of(&self, step: &str) -> StepStatus {
        self.steps.get(step).map_or(StepStatus::Pending, |step| step.status())
    }

    /// The attempt in flight of a step.
    pub fn attempt_in_flight(&self, step: &str) -> Option<AttemptId> {
        let known = self.steps.get(step)?;
        match known.stage {
            Stage::InFlight { direction, attempt: number, .. } => {
                Some(AttemptId { step: step.to_owned(), direction, number, recorded_at: known.since })
            }
            _ => None,
        }
    }

    /// Whether exactly this attempt is in flight.
    pub fn is_in_flight(&self, attempt: &AttemptId) -> bool {
        self.steps.get(&attempt.step).is_some_and(|known| {
            let &AttemptId { step: _, direction: towards, number, recorded_at } = attempt;
            matches!(known.stage, Stage::InFlight { direction, attempt, .. } if direction == towards && attempt == number)
                && known.since == recorded_at
        })
    }

    fn only_awaits_answers(&self) -> bool {
        let mut open = self.steps.values().filter(|step| step.stage.is_open()).peekable();
        open.peek().is_some() && open.all(|step| matches!(step.stage, Stage::Awaiting { .. }))
    }
}

impl Stage {
    /// The direction in which the step is open, if it is.
    pub(super) fn open_direction(self) -> Option<Direction> {
        match self {
            Stage::InFlight { direction, .. }
            | Stage::BackingOff { direction, .. }
            | Stage::Awaiting { direction, .. } => Some(direction),
            Stage::Completed
            | Stage::Skipped
            | Stage::Failed { .. }
            | Stage::Held { .. }
            | Stage::Undone
            | Stage::UndoFailed => None,
        }
    }

    /// Whether the step is open in either direction.
    pub fn is_open(self) -> bool {
        self.open_direction().is_some()
    }

    /// Whether the step is open in this direction.
    pub fn is_open_in(self, direction: Direction) -> bool {
        self.open_direction() == Some(direction)
    }
}

impl StepState {
    /// The stage.
    pub fn status(&self) -> StepStatus {
        match self.stage {
            Stage::InFlight { direction: Direction::Undo, .. }
            | Stage::BackingOff { direction: Direction::Undo, .. }
            | Stage::Awaiting { direction: Direction::Undo, .. } => StepStatus::Compensating,
            Stage::InFlight { .. } => StepStatus::Running,
            Stage::BackingOff { .. } => StepStatus::Retrying,
            Stage::Awaiting { .. } => StepStatus::Waiting,
            Stage::Completed => StepStatus::Completed,
            Stage::Skipped => StepStatus::Skipped,
            Stage::Failed { .. } => StepStatus::Failed,
            Stage::Undone => StepStatus::Compensated,
            Stage::UndoFailed | Stage::Held { .. } => StepStatus::Stuck,
        }
    }

    /// When the next attempt is due, during a back-off.
    pub fn next_attempt_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::BackingOff { until, .. } => Some(until),
            _ => None,
        }
    }

    /// When something is due at the step: the deadline of its attempt or of its answer, the end of
    /// its wait, or its next attempt. While the order is paused, none of these pass: they move by
    /// the length of the pause.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.stage.ends_at()
    }

    /// Whether the participant has answered, so that the outcome is not assumed.
    pub(super) fn has_answered(&self) -> bool {
        self.outcome.is_some() && self.basis == Basis::Answer
    }

    /// Whether the step has an interim answer, and waits for another one.
    pub fn has_interim_answer(&self) -> bool {
        matches!(self.stage, Stage::Awaiting { direction: Direction::Do, .. }) && self.outcome.is_some()
    }

    /// What is on record in this direction with this key.
    pub(super) fn on_record(&self, direction: Direction, key: &str, content: Content) -> OnRecord<'_> {
        match self.answers.iter().find(|taken| taken.direction == direction && taken.key == key) {
            None => OnRecord::No,
            Some(taken) if taken.content == content => OnRecord::Same,
            Some(taken) => OnRecord::Other(taken),
        }
    }

    /// Whether an answer with this content is on record in this direction, with any key.
    pub(super) fn has_recorded(&self, direction: Direction, content: Content) -> bool {
        self.answers.iter().any(|taken| taken.direction == direction && taken.content == content)
    }

    /// The keys of all recorded later answers, in their order.
    pub fn answer_keys(&self) -> Vec<&str> {
        self.answers.iter().map(|taken| taken.key.as_str()).collect()
    }
}

impl State {
    /// All states of an order.
    pub const ALL: [Self; 7] =
        [Self::Running, Self::Waiting, Self::Paused, Self::Compensating, Self::Completed, Self::Canceled, Self::Stuck];

    /// The states of an order that has not ended.
    pub fn open() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|state| !matches!(state, Self::Completed | Self::Canceled))
    }

    /// The name in GraphQL.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "RUNNING",
            State::Waiting => "WAITING",
            State::Paused => "PAUSED",
            State::Compensating => "COMPENSATING",
            State::Completed => "COMPLETED",
            State::Canceled => "CANCELED",
            State::Stuck => "STUCK",
        }
    }
}

impl StepStatus {
    /// All statuses of a step that has begun.
    pub const BEGUN: [Self; 9] = [
        Self::Running,
        Self::Waiting,
        Self::Retrying,
        Self::Completed,
        Self::Skipped,
        Self::Failed,
        Self::Compensating,
        Self::Compensated,
        Self::Stuck,
    ];

    /// The name in GraphQL.
    pub fn as_str(self) -> &'static str {
        match self {
            StepStatus::Pending => "PENDING",
            StepStatus::Running => "RUNNING",
            StepStatus::Waiting => "WAITING",
            StepStatus::Retrying => "RETRYING",
            StepStatus::Completed => "COMPLETED",
            StepStatus::Skipped => "SKIPPED",
            StepStatus::Failed => "FAILED",
            StepStatus::Compensating => "COMPENSATING",
            StepStatus::Compensated => "COMPENSATED",
            StepStatus::Stuck => "STUCK",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for StepStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

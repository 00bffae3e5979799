//! Where an order stands: what its events, folded, leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::command::AttemptId;
use super::event::{Basis, Direction, Mode, OrderPlaced};
use super::personal::Placeholders;
use super::taken::{Content, TakenAnswer};
use crate::Timestamp;
use crate::ids::StepId;

/// An order after some of its events.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderState {
    /// What was ordered.
    pub placed: Arc<OrderPlaced>,
    /// The business status that the workflow gave it.
    pub status: String,
    /// Which part of the workflow it is in.
    pub phase: Phase,
    /// Since when an operator holds it, while one does.
    pub paused: Option<Timestamp>,
    /// How often it was held.
    pub pauses: u32,
    /// Why it is being undone, once it is.
    pub undone_because: Option<String>,
    /// It is being undone because an operator canceled it.
    pub canceled: bool,
    /// Since when the rest of a decision waits that did not fit into one append.
    pub split: Option<Timestamp>,
    /// The steps that an operator wanted retried, and for which that decision had no room.
    pub to_retry: BTreeSet<StepId>,
    /// What a person has to look at.
    pub stuck: Option<Stuck>,
    /// The steps that something has happened to. Shared, since a state is copied for each decision.
    pub steps: BTreeMap<StepId, Arc<StepState>>,
    /// Those of them that may have to be undone, in the order in which they came to their answer.
    pub settled: Vec<StepId>,
    /// What the order gave back.
    pub result: Value,
    /// Which placeholders in it stand for personal data; none: all.
    pub result_placeholders: Option<Placeholders>,
    /// Why the workflow's `result` gave nothing, where it should have.
    pub result_error: Option<String>,
    /// When its last event was decided.
    pub updated_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

/// Which part of the workflow an order is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `steps`.
    Forward,
    /// The undos of what was done.
    Undoing,
    /// `compensated`: what there is to do once everything is undone.
    Compensated,
    /// Ended as planned.
    Completed,
    /// Ended undone.
    Canceled,
}

/// Something that must not fail has failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Where.
    pub step: StepId,
    /// In which direction.
    pub direction: Direction,
    /// Why, for people.
    pub reason: String,
}

/// What has happened to one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// Where it stands.
    pub stage: Stage,
    /// Since when.
    pub since: Timestamp,
    /// How it comes to its answer; none: it never began.
    pub mode: Option<Mode>,
    /// Whom it asked for what; none: it never came to asking, or asks nobody.
    pub asked: Option<Asked>,
    /// What the action was told. Shared with the attempt that is made of it.
    pub input: Arc<Value>,
    /// Which placeholders in it stand for personal data; none: all.
    pub placeholders: Option<Placeholders>,
    /// Attempts made forward.
    pub attempts: u32,
    /// Attempts made to undo it.
    pub undo_attempts: u32,
    /// The attempt that the present request began with: those that follow one another are one request, and after an end
    /// there is a new one.
    pub asked_since: u32,
    /// Attempts that failed in the current direction, lost ones not counted.
    pub failures: u32,
    /// Since when its request waits to be sent, pauses left out; none: the last one was sent, or it was not yet tried in vain.
    pub unsent_since: Option<Timestamp>,
    /// Whether an attempt in the current direction may have done something, although nothing clear was heard of it.
    pub unsure: bool,
    /// The attempt forward that the present idempotency key began with.
    pub key_since: u32,
    /// The attempt to undo it that the present idempotency key began with.
    pub undo_key_since: u32,
    /// The named answer.
    pub outcome: Option<String>,
    /// What the outcome rests on.
    pub basis: Basis,
    /// What came with it.
    pub data: Value,
    /// The later answers taken so far.
    pub answers: Vec<TakenAnswer>,
    /// What the answer to its undo said.
    pub undo_answer: Option<Content>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it first did something.
    pub started_at: Timestamp,
    /// When it last came to an end.
    pub ended_at: Option<Timestamp>,
}

/// An action asked of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub participant: String,
    /// What.
    pub action: String,
}

/// Where a step stands. The table of what may follow what is in `evolve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// An attempt is recorded and being made.
    InFlight {
        /// Doing or undoing.
        direction: Direction,
        /// Which attempt in that direction.
        attempt: u32,
        /// When the exchange is given up.
        deadline: Timestamp,
    },
    /// An attempt failed, the next one waits.
    BackingOff {
        /// Doing or undoing.
        direction: Direction,
        /// The attempt that failed.
        attempt: u32,
        /// When the next one is due.
        until: Timestamp,
    },
    /// Accepted by the participant, or answered for the time being, or waiting by itself: an answer is still to come.
    Awaiting {
        /// Doing or undoing.
        direction: Direction,
        /// When it has to be there.
        deadline: Timestamp,
    },
    /// Answered.
    Completed,
    /// Not needed.
    Skipped,
    /// Failed for good.
    Failed {
        /// Whether the participant may have acted all the same.
        maybe_done: bool,
    },
    /// Failed by a mistake that a person has to mend: held for an operator, who retries it, skips it, or cancels the order.
    Held {
        /// Whether the participant may have acted all the same.
        maybe_done: bool,
    },
    /// Its undo is done.
    Undone,
    /// Its undo failed for good.
    UndoFailed,
}

/// Where an order's execution stands, in the words of the query side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lifecycle {
    /// Something is being done, or about to be tried again.
    Running,
    /// Nothing to do until an answer comes.
    Waiting,
    /// Held by an operator.
    Paused,
    /// Being undone.
    Compensating,
    /// Ended as planned.
    Completed,
    /// Ended undone.
    Canceled,
    /// Waits for an operator.
    Stuck,
}

/// Where a step stands, in the words of the query side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl OrderState {
    /// Where its execution stands.
    pub fn state(&self) -> Lifecycle {
        match self.phase {
            Phase::Completed => Lifecycle::Completed,
            Phase::Canceled => Lifecycle::Canceled,
            _ if self.paused.is_some() => Lifecycle::Paused,
            _ if self.stuck.is_some() => Lifecycle::Stuck,
            Phase::Undoing | Phase::Compensated => Lifecycle::Compensating,
            Phase::Forward if self.split.is_none() && self.only_awaits_answers() => Lifecycle::Waiting,
            Phase::Forward => Lifecycle::Running,
        }
    }

    /// Whether it came to an end.
    pub fn ended(&self) -> bool {
        matches!(self.phase, Phase::Completed | Phase::Canceled)
    }

    /// Why it needs a person, if it does.
    pub fn stuck_reason(&self) -> Option<&str> {
        self.stuck.as_ref().map(|stuck| stuck.reason.as_str())
    }

    /// Where a step stands, whether anything has happened to it or not.
    pub fn status_of(&self, step: &str) -> StepStatus {
        self.steps.get(step).map_or(StepStatus::Pending, |step| step.status())
    }

    /// The attempt that a step has under way.
    pub fn attempt_in_flight(&self, step: &str) -> Option<AttemptId> {
        let known = self.steps.get(step)?;
        match known.stage {
            Stage::InFlight { direction, attempt: number, .. } => {
                Some(AttemptId { step: step.to_owned(), direction, number, recorded_at: known.since })
            }
            _ => None,
        }
    }

    /// Whether this very attempt is still to be answered for.
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
    /// The direction in which something is still to come, if anything is.
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

    /// Whether something is still to come, in either direction.
    pub fn is_open(self) -> bool {
        self.open_direction().is_some()
    }

    /// Whether something is still to come in this direction.
    pub(super) fn is_open_in(self, direction: Direction) -> bool {
        self.open_direction() == Some(direction)
    }
}

impl StepState {
    /// Where it stands.
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

    /// When the next attempt is due, while one waits.
    pub fn next_attempt_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::BackingOff { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Whether its participant has answered it: the outcome is not only assumed.
    pub(super) fn has_answered(&self) -> bool {
        self.outcome.is_some() && self.basis == Basis::Answer
    }

    /// Whether it has an answer for the time being, and another one is still to come.
    pub fn answered_for_now(&self) -> bool {
        matches!(self.stage, Stage::Awaiting { direction: Direction::Do, .. }) && self.outcome.is_some()
    }
}

impl Lifecycle {
    /// Where the execution of an order can stand.
    pub const ALL: [Self; 7] =
        [Self::Running, Self::Waiting, Self::Paused, Self::Compensating, Self::Completed, Self::Canceled, Self::Stuck];

    /// As GraphQL spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Lifecycle::Running => "RUNNING",
            Lifecycle::Waiting => "WAITING",
            Lifecycle::Paused => "PAUSED",
            Lifecycle::Compensating => "COMPENSATING",
            Lifecycle::Completed => "COMPLETED",
            Lifecycle::Canceled => "CANCELED",
            Lifecycle::Stuck => "STUCK",
        }
    }
}

impl StepStatus {
    /// Where a step can stand that something has happened to.
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

    /// As GraphQL spells it.
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

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for StepStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! What all events have, or several of them: a name, a time, a step, placeholders. Each match names
//! every event, so that a new one needs a decision here.

use serde_json::Value;

use super::{Direction, Event};
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::personal::Placeholders;

/// What an event begins: an attempt, or a wait.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The step.
    pub step: &'a StepId,
    /// A wait is never an undo.
    pub direction: Direction,
    /// What the participant or the person receives; `None`: nothing, or what the first attempt
    /// recorded.
    pub input: Option<&'a Value>,
}

impl Event {
    /// The principal that placed the order, if this is its first event and callers were
    /// authenticated.
    pub fn placed_by(&self) -> Option<&str> {
        match self {
            Event::OrderPlaced(e) => e.placed_by.as_deref(),
            Event::StepStarted(_)
            | Event::WaitStarted(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
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
            | Event::DecisionSplit(_) => None,
        }
    }

    /// Which placeholders in its value stand for personal data, if the event lists them.
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
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationStarted(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCanceled(_)
            | Event::OrderStuck(_)
            | Event::DecisionSplit(_) => None,
        }
    }

    /// The same list, to be changed. `None`: events of this type have none.
    pub(crate) fn placeholders_mut(&mut self) -> Option<&mut Option<Placeholders>> {
        match self {
            Event::StepStarted(e) => Some(&mut e.placeholders),
            Event::WaitStarted(e) => Some(&mut e.placeholders),
            Event::OrderCompleted(e) => Some(&mut e.placeholders),
            Event::OrderPlaced(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
            | Event::StepSkipped(_)
            | Event::StatusChanged(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationStarted(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCanceled(_)
            | Event::OrderStuck(_)
            | Event::DecisionSplit(_) => None,
        }
    }

    /// The name in the log.
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
            Event::OrderNoted(_) => "OrderNoted",
            Event::OperationRequested(_) => "OperationRequested",
            Event::RequestSettled(_) => "RequestSettled",
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
            Event::OrderNoted(e) => e.at,
            Event::OperationRequested(e) => e.at,
            Event::RequestSettled(e) => e.at,
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

    /// The step that it names, if any.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Event::StatusChanged(e) => Some(&e.step),
            Event::CompensationStarted(e) => e.step.as_ref(),
            Event::OrderStuck(e) => Some(&e.step),
            Event::OrderPlaced(_)
            | Event::StepStarted(_)
            | Event::WaitStarted(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
            | Event::StepSkipped(_)
            | Event::OrderNoted(_)
            | Event::OperationRequested(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCompleted(_)
            | Event::OrderCanceled(_)
            | Event::DecisionSplit(_) => self.moved_step(),
        }
    }

    /// The request or the wait that it begins, if it begins one.
    pub fn start(&self) -> Option<Start<'_>> {
        match self {
            Event::StepStarted(e) => Some(Start { step: &e.step, direction: e.direction, input: e.input.as_ref() }),
            Event::WaitStarted(e) => Some(Start { step: &e.step, direction: Direction::Do, input: e.input.as_ref() }),
            Event::OrderPlaced(_)
            | Event::StepAccepted(_)
            | Event::StepCompleted(_)
            | Event::StepAttemptFailed(_)
            | Event::StepFailed(_)
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
            | Event::DecisionSplit(_) => None,
        }
    }

    /// The step whose stage it changes, if any.
    pub(in crate::order) fn moved_step(&self) -> Option<&StepId> {
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
            | Event::DecisionSplit(_) => None,
        }
    }
}

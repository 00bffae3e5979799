//! What operators do to orders.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::StepId;

/// An operator's operation on an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "lowercase")]
pub enum Operation {
    /// Compensate the order and end it. Waits are given up at once; attempts in flight are
    /// concluded first.
    Cancel,
    /// Leave a note for other people: the reason is its text. It changes nothing about the order.
    Note,
    /// Pause the order: no step starts, no deadline passes; answers are recorded.
    Pause,
    /// Resume the order.
    Resume,
    /// Try again now: steps that wait for their next attempt, or at which the order is stuck.
    Retry {
        /// The step; `None`: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
    },
    /// Assume a step's answer: the order no longer waits for it or requests it.
    Skip {
        /// The step.
        step: StepId,
        /// The assumed outcome. `None`: `done`, if the step declares no outcomes. An undo has no
        /// outcomes, so it is skipped without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<String>,
        /// The assumed data.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        data: Value,
    },
}

impl Operation {
    /// The name of the operation.
    pub fn as_str(&self) -> &'static str {
        match self {
            Operation::Cancel => "cancel",
            Operation::Note => "note",
            Operation::Pause => "pause",
            Operation::Resume => "resume",
            Operation::Retry { .. } => "retry",
            Operation::Skip { .. } => "skip",
        }
    }

    /// The step that it names, if any.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Operation::Cancel | Operation::Note | Operation::Pause | Operation::Resume => None,
            Operation::Retry { step } => step.as_ref(),
            Operation::Skip { step, .. } => Some(step),
        }
    }
}

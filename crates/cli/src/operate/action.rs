//! What an operator can do to an order.

use crate::views::State;

/// What an operator can do to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorAction {
    /// Undo what was done, and end.
    Cancel,
    /// Begin nothing new.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Try again now.
    Retry,
    /// Assume the answer of a step.
    Skip,
}

impl OperatorAction {
    /// As the server spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Skip => "skip",
        }
    }

    /// What has been done, when it has.
    pub fn done(self) -> &'static str {
        match self {
            Self::Cancel => "canceled now",
            Self::Pause => "held now",
            Self::Resume => "goes on now",
            Self::Retry => "tried again now",
            Self::Skip => "skipped now",
        }
    }

    /// Whether an order that stands there needs it no more.
    pub fn is_fulfilled_by(self, state: State) -> bool {
        match self {
            Self::Cancel => matches!(state, State::Compensating | State::Canceled),
            Self::Pause => state == State::Paused,
            Self::Resume => matches!(state, State::Running | State::Waiting | State::Compensating),
            Self::Retry | Self::Skip => false,
        }
    }
}

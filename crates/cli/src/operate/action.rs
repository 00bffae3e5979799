//! The actions of an operator on an order.

use crate::views::State;

/// An action of an operator on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorAction {
    /// Undo completed steps, and end.
    Cancel,
    /// Leave a note.
    Note,
    /// Start no new step.
    Pause,
    /// Continue after a pause.
    Resume,
    /// Try again now.
    Retry,
    /// Assume the answer of a step.
    Skip,
}

impl OperatorAction {
    /// Its name in the server's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Note => "note",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Skip => "skip",
        }
    }

    /// The past tense, for results.
    pub fn done(self) -> &'static str {
        match self {
            Self::Cancel => "canceled now",
            Self::Note => "noted now",
            Self::Pause => "held now",
            Self::Resume => "goes on now",
            Self::Retry => "tried again now",
            Self::Skip => "skipped now",
        }
    }

    /// Whether an order in this state has the result of the action already.
    pub fn is_fulfilled_by(self, state: State) -> bool {
        match self {
            Self::Cancel => matches!(state, State::Compensating | State::Canceled),
            Self::Pause => state == State::Paused,
            Self::Resume => matches!(state, State::Running | State::Waiting | State::Compensating),
            Self::Note | Self::Retry | Self::Skip => false,
        }
    }
}

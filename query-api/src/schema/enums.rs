//! The enumerations. Their values have the same names as in the views.

use async_graphql::Enum;
use domain::order;
use views::ViewsError;

use crate::error::QueryError;

/// Declares a GraphQL enumeration whose values have the same names in the views.
macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal),* $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
        $(#[$doc])*
        pub enum $name {
            $($(#[$value_doc])* #[graphql(name = $text)] $value),*
        }

        impl $name {
            /// Every value.
            #[allow(dead_code, reason = "not wanted of every enumeration")]
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// Its name in the views.
            #[allow(dead_code, reason = "not wanted of every enumeration")]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),* }
            }

            /// Reads the name in the views.
            #[allow(dead_code, reason = "not wanted of every enumeration")]
            pub fn read(text: &str) -> Result<Self, QueryError> {
                match text {
                    $($text => Ok(Self::$value),)*
                    unknown => {
                        tracing::error!(value = unknown, concat!("the views hold an unknown ", stringify!($name)));
                        Err(ViewsError::Internal.into())
                    }
                }
            }
        }
    };
}

enumeration! {
    /// The state of an order's execution.
    #[graphql(name = "OrderState")]
    State {
        /// A step is being carried out, or waits for its next attempt.
        Running = "RUNNING",
        /// It waits for an answer.
        Waiting = "WAITING",
        /// An operator has paused it.
        Paused = "PAUSED",
        /// It is being undone.
        Compensating = "COMPENSATING",
        /// It has ended as planned.
        Completed = "COMPLETED",
        /// It has ended, and its steps are undone.
        Canceled = "CANCELED",
        /// It waits for an operator.
        Stuck = "STUCK",
    }
}

enumeration! {
    /// The status of a step.
    StepStatus {
        /// It has not begun.
        Pending = "PENDING",
        /// An attempt is being made.
        Running = "RUNNING",
        /// It waits for an answer, or for the end of its wait.
        Waiting = "WAITING",
        /// An attempt failed, and the next one is due later.
        Retrying = "RETRYING",
        /// It has an answer.
        Completed = "COMPLETED",
        /// It is not needed, or no longer.
        Skipped = "SKIPPED",
        /// It failed for good.
        Failed = "FAILED",
        /// It is being undone.
        Compensating = "COMPENSATING",
        /// It is undone.
        Compensated = "COMPENSATED",
        /// Its undo failed for good.
        Stuck = "STUCK",
    }
}

enumeration! {
    /// How a step gets its answer.
    StepMode {
        /// The participant answers in the same exchange.
        Call = "CALL",
        /// The participant accepts the request, and answers later.
        Request = "REQUEST",
        /// No participant is asked: the step waits for a time.
        Wait = "WAIT",
        /// A person answers.
        Await = "AWAIT",
    }
}

enumeration! {
    /// What a person may do to an order or to one of its steps.
    #[graphql(name = "OrderOperationKind")]
    OperationKind {
        /// Undo what was done, and end the order.
        Cancel = "CANCEL",
        /// Leave a note for other people; nothing else changes.
        Note = "NOTE",
        /// Start nothing new; answers are recorded.
        Pause = "PAUSE",
        /// Continue a paused order.
        Resume = "RESUME",
        /// Make the next attempt now, or try a stuck step again.
        Retry = "RETRY",
        /// Assume an answer of a step, or that its undo is done.
        Skip = "SKIP",
        /// Answer a step in place of its participant, or as the person that it waits for.
        Answer = "ANSWER",
    }
}

enumeration! {
    /// Why orders need attention.
    #[derive(PartialOrd, Ord)]
    TroubleKind {
        /// They wait for an operator.
        Stuck = "STUCK",
        /// Their work is due, and no command handler has taken it up.
        Overdue = "OVERDUE",
        /// They should have ended by now, as long as such orders take.
        Late = "LATE",
    }
}

impl OperationKind {
    /// The same in GraphQL.
    pub fn of(kind: order::OperationKind) -> Self {
        match kind {
            order::OperationKind::Cancel => Self::Cancel,
            order::OperationKind::Note => Self::Note,
            order::OperationKind::Pause => Self::Pause,
            order::OperationKind::Resume => Self::Resume,
            order::OperationKind::Retry => Self::Retry,
            order::OperationKind::Skip => Self::Skip,
            order::OperationKind::Answer => Self::Answer,
        }
    }
}

impl State {
    /// Whether an order in this state has ended.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled)
    }

    /// The same of the domain.
    pub fn to_domain(self) -> order::State {
        match self {
            Self::Running => order::State::Running,
            Self::Waiting => order::State::Waiting,
            Self::Paused => order::State::Paused,
            Self::Compensating => order::State::Compensating,
            Self::Completed => order::State::Completed,
            Self::Canceled => order::State::Canceled,
            Self::Stuck => order::State::Stuck,
        }
    }
}

impl StepStatus {
    /// The same of the domain.
    pub fn to_domain(self) -> order::StepStatus {
        match self {
            Self::Pending => order::StepStatus::Pending,
            Self::Running => order::StepStatus::Running,
            Self::Waiting => order::StepStatus::Waiting,
            Self::Retrying => order::StepStatus::Retrying,
            Self::Completed => order::StepStatus::Completed,
            Self::Skipped => order::StepStatus::Skipped,
            Self::Failed => order::StepStatus::Failed,
            Self::Compensating => order::StepStatus::Compensating,
            Self::Compensated => order::StepStatus::Compensated,
            Self::Stuck => order::StepStatus::Stuck,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::order::StepStatus as DomainStatus;

    #[test]
    fn the_values_are_those_of_the_domain() {
        let states = [
            order::State::Running,
            order::State::Waiting,
            order::State::Paused,
            order::State::Compensating,
            order::State::Completed,
            order::State::Canceled,
            order::State::Stuck,
        ];
        assert_eq!(
            states.map(order::State::as_str).to_vec(),
            State::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>()
        );
        assert!(State::ALL.iter().all(|s| s.to_domain().as_str() == s.as_str()));
        assert!(StepStatus::ALL.iter().all(|s| s.to_domain().as_str() == s.as_str()));
        let statuses = [
            DomainStatus::Pending,
            DomainStatus::Running,
            DomainStatus::Waiting,
            DomainStatus::Retrying,
            DomainStatus::Completed,
            DomainStatus::Skipped,
            DomainStatus::Failed,
            DomainStatus::Compensating,
            DomainStatus::Compensated,
            DomainStatus::Stuck,
        ];
        assert_eq!(
            statuses.map(DomainStatus::as_str).to_vec(),
            StepStatus::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn an_unknown_word_is_an_error() {
        assert_eq!(State::read("DANCING"), Err(ViewsError::Internal.into()));
        assert_eq!(State::read("STUCK"), Ok(State::Stuck));
    }
}

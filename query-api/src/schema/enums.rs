//! The enumerations, as the views spell them.

use async_graphql::Enum;
use domain::order;

use crate::error::StoreError;

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

            /// As the views spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),* }
            }

            /// Reads the views' spelling.
            pub fn read(text: &str) -> Result<Self, StoreError> {
                match text {
                    $($text => Ok(Self::$value),)*
                    unknown => {
                        tracing::error!(value = unknown, concat!("the views hold an unknown ", stringify!($name)));
                        Err(StoreError::Internal)
                    }
                }
            }
        }
    };
}

enumeration! {
    /// Where an order's execution stands.
    #[graphql(name = "OrderState")]
    State {
        /// Something is being done, or about to be tried again.
        Running = "RUNNING",
        /// Nothing to do until an answer comes.
        Waiting = "WAITING",
        /// Held by an operator.
        Paused = "PAUSED",
        /// Being undone.
        Compensating = "COMPENSATING",
        /// Ended as planned.
        Completed = "COMPLETED",
        /// Ended undone.
        Canceled = "CANCELED",
        /// Waits for an operator.
        Stuck = "STUCK",
    }
}

enumeration! {
    /// Where a step stands.
    StepStatus {
        /// Has not begun.
        Pending = "PENDING",
        /// An attempt is being made.
        Running = "RUNNING",
        /// An answer, or the end of a wait, is still to come.
        Waiting = "WAITING",
        /// An attempt failed, the next one waits.
        Retrying = "RETRYING",
        /// Answered.
        Completed = "COMPLETED",
        /// Not needed, or no longer.
        Skipped = "SKIPPED",
        /// Failed for good.
        Failed = "FAILED",
        /// Being undone.
        Compensating = "COMPENSATING",
        /// Undone.
        Compensated = "COMPENSATED",
        /// Its undo failed for good.
        Stuck = "STUCK",
    }
}

enumeration! {
    /// How a step comes to its answer.
    StepMode {
        /// Answered in the same exchange.
        Call = "CALL",
        /// Accepted now, answered later.
        Request = "REQUEST",
        /// Nobody is asked: time has to pass.
        Wait = "WAIT",
        /// A person answers.
        Await = "AWAIT",
    }
}

impl State {
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
        assert_eq!(State::read("DANCING"), Err(StoreError::Internal));
        assert_eq!(State::read("STUCK"), Ok(State::Stuck));
    }
}

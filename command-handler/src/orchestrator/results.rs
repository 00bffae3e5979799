//! What comes of an order or of a command: it is accepted, or it is not taken.

use domain::ids::OrderId;
use domain::order::{PersonalData, Refusal};
use event_store::Position;

use crate::orders::LoadError;
use crate::participants::NoAddress;

/// What an acknowledged command left in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The order.
    pub order_id: OrderId,
    /// The revision after it.
    pub revision: u64,
    /// The position after it.
    pub position: Position,
}

/// The personal data of an order, for a participant that was told placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Here they are.
    Readable(PersonalData),
    /// They were erased.
    Erased,
    /// Their key is missing, or wrong: a person has to bring it back.
    Unreadable(String),
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// No workflow of that name.
    #[error("there is no workflow {0:?}")]
    UnknownWorkflow(String),
    /// A participant of the workflow cannot be asked here, so that the order would only wait.
    #[error("no order of workflow {workflow:?} is taken here now: {cannot}")]
    NoAddress {
        /// Its name.
        workflow: String,
        /// Which participant, and why.
        cannot: NoAddress,
    },
    /// Another order has that id.
    #[error("order {0} exists, with other content")]
    OtherContent(OrderId),
    /// An order with that id exists, and its content cannot be compared with this one's.
    #[error(
        "order {0} exists, and whether with this content cannot be told, since its personal data cannot be read: {1}"
    )]
    Unreadable(OrderId, String),
    /// The decider refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log does not take that much at once.
    #[error("{0}")]
    TooLarge(String),
    /// An order with that id was placed, and its history is incomplete. A new order does not take its place.
    #[error("{0}")]
    Incomplete(String),
    /// An order with that id exists, and its history holds events that are not Tenuto's, or that cannot have happened.
    #[error("{0}")]
    Foreign(String),
    /// Too much is going on.
    #[error("too many orders are being driven")]
    Overloaded,
    /// The log is not there, or something in it is wrong. Nothing was acknowledged; the same request may be sent again.
    #[error("{0}")]
    Failed(String),
}

/// Why a command about an order that was placed was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No such order.
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    /// The decider refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too much is going on.
    #[error("too many orders are being driven")]
    Overloaded,
    /// The log is not there, or something in it is wrong. Nothing was acknowledged; the same request may be sent again.
    #[error("{0}")]
    Failed(String),
    /// The order's history is incomplete: it is refused until an operator of the log has restored it.
    #[error("{0}")]
    Incomplete(String),
    /// Others have written to the order's history, or what stands there cannot have happened.
    #[error("{0}")]
    Foreign(String),
    /// Tenuto cannot read the order's history, or cannot use its workflow definition. The same
    /// command fails again until an operator has repaired the cause.
    #[error("the order is broken: {0}")]
    Broken(String),
}

impl CommandError {
    /// Whether the same command may fare better later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Overloaded | Self::Failed(_) | Self::Broken(_) => true,
            Self::UnknownOrder(_) | Self::Refused(_) | Self::Incomplete(_) | Self::Foreign(_) => false,
        }
    }
}

impl From<LoadError> for PlaceError {
    fn from(error: LoadError) -> Self {
        match CommandError::from(&error) {
            CommandError::Incomplete(reason) => Self::Incomplete(reason),
            CommandError::Foreign(reason) => Self::Foreign(reason),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<&LoadError> for CommandError {
    fn from(error: &LoadError) -> Self {
        let reason = error.to_string();
        match error {
            LoadError::Incomplete { .. } => Self::Incomplete(reason),
            LoadError::Foreign { .. } | LoadError::IllegalTransition { .. } => Self::Foreign(reason),
            LoadError::Wire { .. } => Self::Broken(reason),
            LoadError::Read(_) | LoadError::Keys(_) => Self::Failed(reason),
        }
    }
}

//! The results of placing an order and of a command: accepted, or why not.

use domain::Timestamp;
use domain::ids::{OrderId, RequestId};
use domain::order::{PersonalData, Refusal};
use event_store::Position;

use crate::orders::LoadError;
use crate::participants::NoAddress;

/// The record of an acknowledged command in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The order.
    pub order_id: OrderId,
    /// The revision after the command.
    pub revision: u64,
    /// The position after the command.
    pub position: Position,
    /// The request, if the command was asked for and waits for a second person.
    pub request: Option<WaitingRequest>,
}

/// An operation that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRequest {
    /// The id of the request.
    pub id: RequestId,
    /// After this time it cannot be approved.
    pub expires_at: Timestamp,
}

/// The personal data of an order, for a participant that received placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The data.
    Readable(PersonalData),
    /// They were erased.
    Erased,
    /// Their key is missing, or wrong: an operator has to restore it.
    Unreadable(String),
}

/// Why an order was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// No workflow of that name.
    #[error("there is no workflow {0:?}")]
    UnknownWorkflow(String),
    /// A participant of the workflow has no address here, so the order would only wait.
    #[error("no order of workflow {workflow:?} is taken here now: {cannot}")]
    NoAddress {
        /// Its name.
        workflow: String,
        /// Which participant, and why.
        cannot: NoAddress,
    },
    /// Another order has this id.
    #[error("order {0} exists, with other content")]
    OtherContent(OrderId),
    /// An order with this id exists, and its content cannot be read for the comparison.
    #[error(
        "order {0} exists, and whether with this content cannot be told, since its personal data cannot be read: {1}"
    )]
    Unreadable(OrderId, String),
    /// The decider refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The order is too large for one append to the log.
    #[error("{0}")]
    TooLarge(String),
    /// An order with this id was placed, and its history is incomplete. A new order does not
    /// replace it.
    #[error("{0}")]
    Incomplete(String),
    /// An order with this id exists, and its history has events that are not Tenuto's, or that do
    /// not fit.
    #[error("{0}")]
    Foreign(String),
    /// The instance is at its limit of drivers, or leaves.
    #[error(transparent)]
    NoDriver(#[from] NoDriver),
    /// The log does not answer, or has a fault. Nothing was acknowledged; the caller may send the
    /// same request again.
    #[error("{0}")]
    Failed(String),
}

/// Why an order gets no driver here. The sender repeats what it sent, here or at another instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDriver {
    /// All of them are in use, or that of the order has too much to do.
    #[error("too many orders are being driven")]
    Full,
    /// The instance leaves.
    #[error("this instance stops; send the same request again")]
    Leaving,
}

/// Why a command about a placed order was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No such order.
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    /// The decider refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A participant answers for another one, or for a person.
    #[error("step {step:?} is not a request to participant {participant}, which cannot answer it")]
    OtherParticipant {
        /// The step.
        step: String,
        /// The participant that answered.
        participant: String,
    },
    /// The instance is at its limit of drivers, or leaves.
    #[error(transparent)]
    NoDriver(#[from] NoDriver),
    /// The log does not answer, or has a fault. Nothing was acknowledged; the caller may send the
    /// same request again.
    #[error("{0}")]
    Failed(String),
    /// The order's history is incomplete. Commands are refused until an operator of the log has
    /// restored it.
    #[error("{0}")]
    Incomplete(String),
    /// Another application has written to the order's history, or an event does not fit.
    #[error("{0}")]
    Foreign(String),
    /// Tenuto cannot read the order's history, or cannot use its workflow definition. The same
    /// command fails again until an operator has repaired the cause.
    #[error("the order is broken: {0}")]
    Broken(String),
}

impl CommandError {
    /// Whether the same command may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::NoDriver(_) | Self::Failed(_) | Self::Broken(_) => true,
            Self::UnknownOrder(_)
            | Self::Refused(_)
            | Self::OtherParticipant { .. }
            | Self::Incomplete(_)
            | Self::Foreign(_) => false,
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

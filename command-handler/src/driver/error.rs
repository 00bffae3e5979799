//! Why a driver cannot continue an order, and the error that the caller of a command receives.

use domain::ids::{OrderId, StepId};
use domain::order::{DecideError, Refusal, WorkflowRef};
use event_store::AppendError;

use crate::orchestrator::results::CommandError;
use crate::orders::{LoadError, SaveError};
use crate::workflows::LookupError;

/// How often a command is decided again because another instance decided first.
pub(super) const MAX_CONFLICTS: usize = 20;

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriveError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error("there is no such order")]
    Unknown,
    #[error("step {step:?} is not a request to participant {participant}")]
    OtherParticipant { step: StepId, participant: String },
    #[error("workflow {0:?} of the order is not registered")]
    NoWorkflow(WorkflowRef),
    #[error("{0}")]
    Inconsistent(#[source] DecideError),
    #[error("others decided first, {MAX_CONFLICTS} times")]
    Conflicts,
}

impl DriveError {
    /// Whether an operator of the log has changed the order's history. The order stops until the
    /// history is restored.
    pub fn is_of_the_history(&self) -> bool {
        matches!(
            self,
            DriveError::Load(
                LoadError::Incomplete { .. } | LoadError::Foreign { .. } | LoadError::IllegalTransition { .. }
            ) | DriveError::Save(SaveError::Append(AppendError::StreamDeleted(_)))
        )
    }

    /// Whether the log will never accept the decision.
    pub fn is_for_good(&self) -> bool {
        matches!(self, DriveError::Save(SaveError::Append(AppendError::TooLarge(_) | AppendError::Refused(_))))
    }
}

/// The error that the caller of a command receives.
pub(super) fn command_error(id: &OrderId, error: &DriveError) -> CommandError {
    let reason = error.to_string();
    match error {
        DriveError::Unknown => CommandError::UnknownOrder(id.clone()),
        DriveError::Refused(refusal) => CommandError::Refused(refusal.clone()),
        DriveError::OtherParticipant { step, participant } => {
            CommandError::OtherParticipant { step: step.clone(), participant: participant.clone() }
        }
        DriveError::Load(error) => CommandError::from(error),
        DriveError::Save(SaveError::Append(AppendError::StreamDeleted(_))) => CommandError::Incomplete(reason),
        DriveError::NoWorkflow(_) | DriveError::Inconsistent(_) | DriveError::Save(SaveError::Encode(_)) => {
            CommandError::Broken(reason)
        }
        DriveError::Save(SaveError::Append(_)) if error.is_for_good() => CommandError::Broken(reason),
        DriveError::Lookup(_) | DriveError::Save(SaveError::Append(_) | SaveError::Keys(_)) | DriveError::Conflicts => {
            CommandError::Failed(reason)
        }
    }
}

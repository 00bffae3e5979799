//! Errors of commands about an order, as problems: the one mapping.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use domain::ids::{InvalidOrderId, OrderId};
use domain::order::Refusal;
use http_problem::{Kind, Problem};
use tracing::warn;

use crate::orchestrator::CommandError;

/// The problem of a command that was not taken. `at` is the pointer to its fields in the body.
pub(super) fn problem(error: CommandError, at: &str) -> Problem {
    match error {
        CommandError::UnknownOrder(_) => Problem::not_found(error.to_string()),
        CommandError::OtherParticipant { .. } => Problem::forbidden(error.to_string()),
        CommandError::Incomplete(_) => Problem::gone(error.to_string()),
        CommandError::Foreign(_) => Problem::conflict(error.to_string()),
        CommandError::NoDriver(_) => Problem::later(error.to_string()),
        CommandError::Failed(ref reason) | CommandError::Broken(ref reason) => {
            warn!(reason, "a command could not be taken");
            Problem::later(format!("what was asked could not be recorded: {reason}; send the same request again"))
        }
        CommandError::Refused(refusal) => match refusal {
            Refusal::UnknownStep { .. } => Problem::not_found(refusal.to_string()),
            Refusal::SamePerson { .. } | Refusal::NotAnApprover { .. } | Refusal::NotTheRequester { .. } => {
                Problem::forbidden(refusal.to_string())
            }
            Refusal::UnknownOutcome { .. } => Problem::at(&format!("{at}/outcome"), refusal.to_string()),
            Refusal::OtherAnswer { .. } => Problem::new(Kind::Invalid, refusal.to_string()),
            Refusal::NotWaiting { state, .. }
            | Refusal::TooLate { state, .. }
            | Refusal::Contradicts { state, .. }
            | Refusal::NotNow { state, .. }
            | Refusal::UndoneAlready { state }
            | Refusal::NeverAsked { state, .. }
            | Refusal::StepNotNow { state, .. }
            | Refusal::NothingToRetry { state } => Problem::conflict(refusal.to_string()).with_state(state),
            Refusal::TooManyAnswers { .. }
            | Refusal::TooManyNotes { .. }
            | Refusal::RequestedAlready { .. }
            | Refusal::TooManyRequests { .. }
            | Refusal::NoOpenRequest { .. }
            | Refusal::RequestExpired { .. }
            | Refusal::TooManyPauses { .. }
            | Refusal::TooManyAttempts { .. }
            | Refusal::AlreadyPlaced
            | Refusal::NotPlaced
            | Refusal::TotalTooLarge
            | Refusal::TooLarge { .. } => Problem::conflict(refusal.to_string()),
        },
    }
}

/// The order id of a path, if it is valid, and all its parameters.
pub(super) fn named<T>(
    path: Result<Path<T>, PathRejection>,
    id: impl FnOnce(&T) -> &str,
) -> Result<(OrderId, T), Problem> {
    let Path(path) = path.map_err(|error| Problem::not_found(error.body_text()))?;
    let order_id = order_id(id(&path))?;
    Ok((order_id, path))
}

/// A text as an order's id. An invalid id is an unknown order.
pub(super) fn order_id(text: &str) -> Result<OrderId, Problem> {
    OrderId::new(text).map_err(no_such_id)
}

pub(super) fn no_such_id(error: InvalidOrderId) -> Problem {
    Problem::not_found(format!("there is no such order: the id {error}"))
}

//! What the handlers of webhooks share.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use domain::webhook::{Refusal, WebhookId};
use http_problem::Problem;
use tracing::warn;

use crate::webhooks::{Registry, RegistryError, Sender};

/// The state of the handlers.
pub(super) struct Hooks {
    pub registry: Registry,
    pub sender: Sender,
}

pub(super) type Handle = State<Arc<Hooks>>;
pub(super) type Id = Result<Path<String>, PathRejection>;

/// The webhook in the path.
pub(super) fn named(id: Id) -> Result<WebhookId, Problem> {
    let Path(id) = id.map_err(|error| Problem::not_found(error.body_text()))?;
    id.parse().map_err(|()| problem(&Refusal::Unknown.into()))
}

pub(super) fn problem(error: &RegistryError) -> Problem {
    match error {
        RegistryError::Refused(refusal @ Refusal::Unknown) => Problem::not_found(refusal.to_string()),
        RegistryError::Refused(refusal) => Problem::conflict(refusal.to_string()),
        RegistryError::Read(_)
        | RegistryError::Append(_)
        | RegistryError::Wire(_)
        | RegistryError::Encode(_)
        | RegistryError::Database(_)
        | RegistryError::Contended => {
            warn!(%error, "a webhook cannot be read or changed");
            Problem::later(format!("the webhook cannot be read or changed now: {error}; send the same request again"))
        }
    }
}

//! The command endpoint.

mod body;
mod idempotency;
mod openapi;
mod outcome;
mod place;
mod problem;
mod workflows;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};

use self::idempotency::Keys;
use self::problem::Problem;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::AllParticipants;

/// What every handler reaches.
#[derive(Debug)]
struct Endpoint<L, C> {
    orchestrator: Orchestrator<L, AllParticipants<L>, C>,
    keys: Keys<L>,
}

type Handle<L, C> = Arc<Endpoint<L, C>>;

/// `POST /orders`, `POST /orders/{id}/steps/{step}/outcome`, `POST /workflows`, `GET /openapi.json`.
pub fn router<L: Log, C: Clock>(orchestrator: Orchestrator<L, AllParticipants<L>, C>, log: L) -> Router {
    let endpoint = Arc::new(Endpoint { orchestrator, keys: Keys::new(log) });
    Router::new()
        .route("/orders", post(place::handle::<L, C>))
        .route("/orders/{id}/steps/{step}/outcome", post(outcome::handle::<L, C>))
        .route("/workflows", post(workflows::handle::<L, C>))
        .route("/openapi.json", get(openapi::handle))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(endpoint)
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this is not what can be done here")
}

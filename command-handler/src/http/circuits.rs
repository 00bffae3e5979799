//! `GET /circuits`: how the participants that are called over HTTP stand with this instance.

use axum::Json;
use axum::extract::State;

use super::Handle;
use crate::clock::Clock;
use crate::log::Log;
use crate::participants::ServiceState;

pub(super) async fn handle<L: Log, C: Clock>(State(endpoint): State<Handle<L, C>>) -> Json<Vec<ServiceState>> {
    Json(endpoint.orchestrator.participants().http().states())
}

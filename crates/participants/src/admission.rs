//! Admission: a limit for concurrent requests, which refuses a flood before memory grows.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_problem::Problem;
use tokio::sync::Semaphore;

#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn new(requests_in_flight_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(requests_in_flight_max.min(Semaphore::MAX_PERMITS))))
    }
}

pub(crate) async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Ok(_permit) = gate.0.try_acquire() else {
        return Problem::later("too many requests at once").into_response();
    };
    next.run(request).await
}

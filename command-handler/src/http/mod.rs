//! The command endpoint.

mod answerer;
#[cfg(test)]
mod away_tests;
mod batch;
mod circuits;
mod endpoint;
mod forget;
mod idempotency_key;
mod in_time;
mod instruction;
mod openapi;
mod operate;
mod outcome;
mod own;
mod personal_data;
mod place;
mod receipt;
mod refused;
mod requests;
#[cfg(test)]
mod size_tests;
mod webhooks;
mod workflows;

use std::sync::Arc;

use access::SecondPerson;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_problem::Problem;
use tokio_util::sync::CancellationToken;

use self::endpoint::Endpoint;
use self::instruction::OperatorAction;
use self::requests::Settle;
use crate::admission::Admission;
use crate::batches::Batches;
use crate::clock::Clock;
use crate::erasure::{CustomerOrders, Erasure};
use crate::keys::CustomerKeys;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::AllParticipants;
use crate::placing::Placing;
use crate::selection::Selection;
use crate::webhooks::Webhooks;

/// `POST /orders`, what operators do to orders, `POST /orders/{id}/steps/{step}/outcome`, `GET
/// /orders/{id}/personal-data`, `POST /customers/{id}/forget`, `POST /workflows`, `POST
/// /workflows/check`, `GET /circuits`, `GET /openapi.json`. Batches ask `views` which orders match,
/// and stop once the process is `leaving`.
pub fn router<L: Log, C: Clock, V: Selection + CustomerOrders + Clone>(
    orchestrator: Orchestrator<L, AllParticipants<L>, C>,
    log: L,
    keys: Arc<dyn CustomerKeys>,
    views: V,
    second_person: SecondPerson,
    leaving: CancellationToken,
    admission: Admission,
) -> Router {
    let erasure =
        Erasure { orchestrator: orchestrator.clone(), log: log.clone(), keys: keys.clone(), views: views.clone() };
    let erasure = Router::new().route(forget::PATH, post(forget::handle::<L, C, V>)).with_state(Arc::new(erasure));
    let batches = Batches::new(orchestrator.clone(), log.clone(), views, second_person.clone(), leaving);
    let settlements = Settle::ALL.into_iter().fold(Router::new(), |router, settle| {
        let handle = move |batches, path, request| requests::handle::<L, C, V>(settle, batches, path, request);
        router.route(&requests::path(settle), post(handle))
    });
    let batches = settlements.route(batch::PATH, post(batch::handle::<L, C, V>)).with_state(Arc::new(batches));
    let bar = middleware::from_fn_with_state(admission.clone(), unless_barred);
    let placing = Placing::new(orchestrator.clone(), log, keys);
    let endpoint = Arc::new(Endpoint { orchestrator, placing, admission, second_person });
    let operations = OperatorAction::ALL.into_iter().fold(Router::new(), |router, action| {
        let handle = move |endpoint, path, request| operate::handle::<L, C>(action, endpoint, path, request);
        router.route(&operate::path(action), post(handle))
    });
    operations
        .route(place::PATH, post(place::handle::<L, C>))
        .route(&outcome::path(), post(outcome::handle::<L, C>))
        .route(&personal_data::path(), get(personal_data::handle::<L, C>))
        .route(workflows::PATH, post(workflows::handle::<L, C>))
        .route(workflows::CHECK_PATH, post(workflows::check::<L, C>))
        .route(circuits::PATH, get(circuits::handle::<L, C>))
        .route(openapi::PATH, get(openapi::handle))
        .with_state(endpoint)
        .merge(batches)
        .merge(erasure)
        .layer(bar)
}

/// What an administrator does to webhooks: `/webhooks` and below.
pub fn webhook_router(webhooks: &Webhooks, admission: Admission) -> Router {
    webhooks::router(webhooks).layer(middleware::from_fn_with_state(admission, unless_barred))
}

/// On a log that is not the one that the views were made from, nothing is written.
async fn unless_barred(State(admission): State<Admission>, request: Request, next: Next) -> Response {
    match admission.barred().filter(|_| !request.method().is_safe()) {
        Some(reason) => Problem::later(reason).into_response(),
        None => next.run(request).await,
    }
}

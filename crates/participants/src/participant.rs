//! The common part of every participant: from a request to an effect that happens once, and its
//! answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use http_problem::Problem;
use leader_consumer::CheckpointRow;
use sqlx::{PgConnection, PgPool};

use crate::contract::{Answer, PathName, Request, WireAnswer, whole_body};
use crate::faults::Mishap;
use crate::options::Options;
use crate::problem::{invalid, of_database};
use crate::record::{Claim, Record};
use crate::signature::{self, NotSigned};
use crate::transaction::{begin, commit};

/// What the services share.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) pool: PgPool,
    pub(crate) options: Options,
}

/// A service that acts on orders.
pub(crate) trait Participant: Send + Sync + Sized + 'static {
    /// Its name in paths.
    const NAME: &'static str;
    /// The record of handled requests.
    const RECORD: Record;
    /// The checkpoint of requests by events.
    const CHECKPOINT: CheckpointRow;
    /// The lock of the one process that reads these requests. It must be unique in the database.
    const LOCK: i64;
    /// An action with its checked input.
    type Action: Send;

    /// The service with these settings.
    fn new(context: &Context) -> Self;

    /// The action of a request, if it is valid. This reads nothing but the request.
    fn understand(request: &Request) -> Result<Self::Action, Problem>;

    /// Performs the action in the transaction that also records the answer. Refusals are recorded,
    /// too, so an action must refuse before it writes anything.
    fn perform(
        &self,
        tx: &mut PgConnection,
        request: &Request,
        action: Self::Action,
    ) -> impl Future<Output = Result<Answer, sqlx::Error>> + Send;

    /// Called after the commit of an effect.
    fn committed(&self) {}
}

/// A participant and the context of its requests.
pub(crate) struct Service<P> {
    pub(crate) participant: P,
    pub(crate) context: Context,
}

impl<P: Participant> Service<P> {
    pub(crate) fn new(context: &Context) -> Self {
        Self { participant: P::new(context), context: context.clone() }
    }
}

/// `POST /{action}`
pub(crate) async fn act<P: Participant>(
    State(service): State<Arc<Service<P>>>,
    PathName(action): PathName,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let strike = service.context.options.faults.strike(P::NAME, &action);
    if let Some(mishap) = strike.instead().await {
        return mishap.into_response();
    }
    let answer = handle(&service, &action, &headers, body).await;
    strike.afterwards().map_or_else(|| answer.into_response(), Mishap::into_response)
}

async fn handle<P: Participant>(
    service: &Service<P>,
    action: &str,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<WireAnswer, Refused> {
    let body = whole_body(body)?;
    if let Some(file) = &service.context.options.secrets {
        signature::check(file.current().of(P::NAME), headers, &body)?;
    }
    Ok(answer(service, &Request::read(action, headers, &body)?).await?)
}

/// Why a request over HTTP got no answer of the service.
enum Refused {
    NotSigned(NotSigned),
    Problem(Problem),
}

impl From<NotSigned> for Refused {
    fn from(reason: NotSigned) -> Self {
        Self::NotSigned(reason)
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::NotSigned(reason) => reason.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

/// Performs a request, over HTTP or by events.
pub(crate) async fn answer<P: Participant>(service: &Service<P>, request: &Request) -> Result<WireAnswer, Problem> {
    let action = P::understand(request)?;
    let other_content = || invalid("", "this Idempotency-Key was used for a request with other content");
    once(service, request, action).await.map_err(of_database)?.ok_or_else(other_content)
}

/// Performs a request unless its key was handled; the answer is the same in both cases. `None`: the
/// key belongs to other content.
async fn once<P: Participant>(
    service: &Service<P>,
    request: &Request,
    action: P::Action,
) -> Result<Option<WireAnswer>, sqlx::Error> {
    let mut tx = begin(&service.context.pool).await?;
    let answer = match P::RECORD.claim(&mut tx, request).await? {
        Claim::Fresh => {
            let answer = service.participant.perform(&mut tx, request, action).await?.wire();
            P::RECORD.finish(&mut tx, &request.key, &answer).await?;
            Some(answer)
        }
        Claim::Repeated(answer) => Some(answer),
        Claim::OtherContent => None,
    };
    commit(tx).await?;
    service.participant.committed();
    Ok(answer)
}

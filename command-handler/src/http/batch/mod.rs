//! `POST /orders/batch`: an operator acts on many orders at once, named or matching a filter.
//!
//! The answer is a line for each order as soon as it is decided (NDJSON), in the order of their ids. So a client that loses the
//! connection goes on after the last order it was told of, and holds nothing in memory; nor does the server.

mod filter;
mod line;
mod request;
mod run;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::line::Line;
use self::request::{Batch, Which, checked};
use self::run::{Progress, Run};
use super::body;
use super::in_time::{PATIENCE, postgres_in_time};
use super::problem::Problem;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::AllParticipants;
use crate::selection::{Criteria, Selection, Unknown};

#[cfg(test)]
pub(super) use self::filter::MOST_VALUES;
#[cfg(test)]
pub(super) use self::request::MOST_ORDERS;

/// Batches that are worked on at once.
const MOST_BATCHES: usize = 4;
/// Lines that wait for a slow reader; past them, the batch waits too.
const MOST_LINES: usize = 64;
const MEDIA_TYPE: &str = "application/x-ndjson";

/// What batches share.
pub(super) struct Batches<L, C, V> {
    orchestrator: Orchestrator<L, AllParticipants<L>, C>,
    views: Arc<V>,
    leaving: CancellationToken,
    turns: Arc<Semaphore>,
}

impl<L, C, V> Batches<L, C, V> {
    /// Once `leaving`, batches stop, so that their clients go on elsewhere.
    pub fn new(
        orchestrator: Orchestrator<L, AllParticipants<L>, C>,
        views: V,
        leaving: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { orchestrator, views: Arc::new(views), leaving, turns: Arc::new(Semaphore::new(MOST_BATCHES)) })
    }
}

pub(super) async fn handle<L: Log, C: Clock, V: Selection>(
    State(batches): State<Arc<Batches<L, C, V>>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (_, value) = body::json(request, &["application/json"]).await?;
    let Batch { instruction, mut which, dry_run } = checked(value)?;
    let too_many = |_| Problem::later(format!("{MOST_BATCHES} batches are being worked on"));
    let turn = batches.turns.clone().try_acquire_owned().map_err(too_many)?;
    let answered_by = Instant::now() + PATIENCE;
    let beginning = postgres_in_time(beginning(&batches, &mut which)).await??;
    let (begun, begins) = oneshot::channel();
    let (lines, told) = mpsc::channel::<Bytes>(MOST_LINES);
    let Batches { orchestrator, views, leaving, .. } = &*batches;
    let (orchestrator, views, leaving) = (orchestrator.clone(), views.clone(), leaving.clone());
    tokio::spawn(async move {
        let _turn = turn;
        // If the caller has closed the connection, sending the first order's line fails too.
        let _ = lines.send(beginning.bytes()).await;
        let (begun, progress) = (Some(begun), Progress::default());
        let run = Run { orchestrator, views, instruction, leaving, lines, begun, progress };
        match which {
            _ if dry_run => run.named(Vec::new()).await,
            Which::Named(ids) => run.named(ids).await,
            Which::Matching { criteria, after } => run.matching(&criteria, after).await,
        }
    });
    // If the first order cannot be decided, the answer is 503. A batch that only waits for a free driver begins.
    if let Ok(Ok(Err(problem))) = timeout_at(answered_by, begins).await {
        return Err(problem);
    }
    let body =
        stream::unfold(told, |mut told| async { told.recv().await.map(|line| (Ok::<_, Infallible>(line), told)) });
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(body)).into_response())
}

/// How many orders there are. Those that are placed from now on are not among them: else a batch that is slower than customers would
/// never come to its end.
async fn beginning<L: Log, C: Clock, V: Selection>(
    batches: &Batches<L, C, V>,
    which: &mut Which,
) -> Result<Line, Problem> {
    let now = batches.orchestrator.clock().now().at;
    match which {
        Which::Named(ids) => Ok(Line::Beginning { matches: ids.len() as u64, before: now }),
        Which::Matching { criteria, after } => {
            let before = criteria.placed_at.to.map_or(now, |to| to.min(now));
            criteria.placed_at.to = Some(before);
            let matches = batches.views.count(criteria, after.as_deref()).await.map_err(|error| {
                warn!(%error, "a batch's orders could not be counted");
                Problem::later("the views cannot be read")
            })?;
            if matches == 0 && after.is_none() {
                refuse_what_is_unknown(&*batches.views, criteria).await?;
            }
            Ok(Line::Beginning { matches, before })
        }
    }
}

/// A filter that matches nothing may name what does not exist: a typing error should not look like a day without work.
async fn refuse_what_is_unknown<V: Selection>(views: &V, criteria: &Criteria) -> Result<(), Problem> {
    let unknown = views.unknown(criteria).await.map_err(|error| {
        warn!(%error, "the workflows in the views could not be read");
        Problem::later("the views cannot be read")
    })?;
    match unknown {
        None => Ok(()),
        Some(Unknown::Workflow(name)) => {
            Err(Problem::at("/where/workflow/name", format!("there is no workflow {name:?}, so no order matches")))
        }
        Some(Unknown::Version(name, version, last)) => {
            let detail = format!("workflow {name:?} has no version {version}, so no order matches; its last is {last}");
            Err(Problem::at("/where/workflow/version", detail))
        }
        Some(Unknown::Step(step, None)) => {
            Err(Problem::at("/where/step/name", format!("no workflow has a step {step:?}, so no order matches")))
        }
        Some(Unknown::Step(step, Some(name))) => {
            let detail = format!("workflow {name:?} has no step {step:?}, so no order matches");
            Err(Problem::at("/where/step/name", detail))
        }
    }
}

/// Whether a body asks for a batch.
#[cfg(test)]
pub(super) fn is_one(body: serde_json::Value) -> bool {
    checked(body).is_ok()
}

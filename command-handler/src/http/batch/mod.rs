//! `POST /orders/batch`: an operator acts on many orders at once, named or matching a filter.
//!
//! The answer is a line for each order as soon as it is decided (NDJSON), in the order of their ids. So a client that loses the
//! connection goes on after the last order it was told of, and holds nothing in memory; nor does the server.

mod filter;
mod line;
mod request;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http_problem::Problem;
use tokio::time::{Instant, timeout_at};

use self::line::Line;
use self::request::{Batch, checked};
use super::in_time::{PATIENCE, postgres_in_time};
use super::{body, refused};
use crate::batches::{Batches, MAX_BATCHES, NotBegun, NotCounted, Running, Which};
use crate::clock::Clock;
use crate::log::Log;
use crate::participants::AllParticipants;
use crate::selection::Selection;

#[cfg(test)]
pub(super) use self::request::MAX_ORDERS;

const MEDIA_TYPE: &str = "application/x-ndjson";

/// The batches of this instance.
type Shared<L, C, V> = Arc<Batches<L, AllParticipants<L>, C, V>>;

pub(super) async fn handle<L: Log, C: Clock, V: Selection>(
    State(batches): State<Shared<L, C, V>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (_, value) = body::json(request, &["application/json"]).await?;
    let Batch { instruction, mut which, dry_run } = checked(value)?;
    let too_many = || Problem::later(format!("{MAX_BATCHES} batches are being worked on"));
    let turn = batches.turn().ok_or_else(too_many)?;
    let answered_by = Instant::now() + PATIENCE;
    let beginning = postgres_in_time(batches.count(&mut which)).await?.map_err(not_counted)?;
    let which = if dry_run { Which::Named(Vec::new()) } else { which };
    let Running { reports, begins } = batches.run(turn, beginning, instruction, which);
    // If the first order cannot be decided, the answer is 503. A batch that only waits for a free driver begins.
    if let Ok(Ok(Err(error))) = timeout_at(answered_by, begins).await {
        return Err(match error {
            NotBegun::Command(error) => refused::problem(error, ""),
            NotBegun::Stopped(reason) => Problem::later(format!("{reason}; send the same request again")),
        });
    }
    let lines = stream::unfold(reports, |mut reports| async {
        let report = reports.recv().await?;
        Some((Ok::<_, Infallible>(Line::from(report).bytes()), reports))
    });
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(lines)).into_response())
}

fn not_counted(error: NotCounted) -> Problem {
    match error {
        NotCounted::Unreadable => Problem::later("the views cannot be read"),
        NotCounted::Unknown(unknown) => Problem::at(&format!("/where{}", unknown.pointer()), unknown.to_string()),
    }
}

/// Whether a body asks for a batch.
#[cfg(test)]
pub(super) fn is_one(body: serde_json::Value) -> bool {
    checked(body).is_ok()
}

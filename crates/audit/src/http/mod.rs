//! What an auditor asks a server: verify an order or everything, list the seals, export a history.
//!
//! The log is read as the commands read it. A pass through the whole log takes long, so there is
//! one verification of everything at a time, and a few other requests.

mod problem;
mod run;

use std::sync::Arc;
use std::time::Duration;

use access::{AccessCounts, Caller};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Extensions, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use clap::ValueEnum;
use command_line::progress::Progress;
use domain::ids::OrderId;
use event_store::EventStore;
use http_problem::Problem;
use serde_json::{Value, json};
use servers::log::Log;
use sqlx::PgPool;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::error::AuditError;
use crate::export::{Exported, Format, exported};
use crate::findings::Report;
use crate::seals::Seals;
use crate::verification::Verification;
use crate::walk::Walking;
use problem::problem;
use run::Runs;

/// How many requests are answered at once.
const MAX_AT_ONCE: usize = 2;
/// The time limit for one request. A pass through a larger log is a task for the command.
const PATIENCE: Duration = Duration::from_mins(2);

struct Audits {
    log: Arc<Log>,
    pool: PgPool,
    turns: Semaphore,
    runs: Runs,
}

/// The endpoints under `/audit`. A verification ends when `leaving` is cancelled.
pub fn router(store: EventStore, pool: PgPool, leaving: CancellationToken) -> Router {
    let log = Arc::new(Log::from(store));
    let audits = Audits { log, pool, turns: Semaphore::new(MAX_AT_ONCE), runs: Runs::until(leaving) };
    Router::new()
        .route("/audit/orders/{id}", get(verify_order))
        .route("/audit/orders/{id}/export", get(export_order))
        .route("/audit/seals", get(seals))
        .route("/audit/verification", get(verification).post(verify_all))
        .with_state(Arc::new(audits))
}

type Id = Result<Path<String>, PathRejection>;

fn order_id(path: Id) -> Result<OrderId, Problem> {
    let Path(id) = path.map_err(|error| Problem::not_found(error.body_text()))?;
    OrderId::new(id).map_err(|error| Problem::not_found(format!("there is no such order: the id {error}")))
}

/// `GET /audit/orders/{id}`: the report about one order.
async fn verify_order(State(audits): State<Arc<Audits>>, id: Id) -> Result<Json<Report>, Problem> {
    let order = order_id(id)?;
    let report = audits.in_time(async {
        let mut verification = Verification::with(Vec::new(), Arc::new(Progress::silent(Walking::default())));
        verification.order(&audits.log, Some(&audits.pool), &order).await?;
        verification.report()
    });
    report.await.map(Json)
}

/// `GET /audit/orders/{id}/export`: a file with an order's history.
async fn export_order(
    State(audits): State<Arc<Audits>>,
    id: Id,
    RawQuery(query): RawQuery,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let (order, format) = (order_id(id)?, format_of(query.as_deref().unwrap_or_default())?);
    let progress = Progress::silent(Walking::default());
    let Exported { text, findings } = audits.in_time(exported(&audits.log, &order, format, &progress)).await?;
    let (media_type, ending) = file_type(format);
    let principal = Caller::of(&extensions).name().map(str::to_owned);
    AccessCounts::of(&extensions).note_export();
    info!(principal, %order, format = ending, differences = findings.len(), "the history of an order was exported");
    // An order's id has no character that would have to be escaped.
    let disposition = format!("attachment; filename=\"order-{order}.{ending}\"");
    Ok(([(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text)
        .into_response())
}

fn format_of(query: &str) -> Result<Format, Problem> {
    let name = if query.is_empty() { Some("bundle") } else { query.strip_prefix("format=") };
    let format = name.and_then(|name| Format::from_str(name, false).ok());
    format.ok_or_else(|| {
        let names = Format::value_variants().iter().filter_map(Format::to_possible_value);
        let names = names.map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(", ");
        Problem::bad_request(format!("the query may be format=NAME, where NAME is one of {names}"))
    })
}

/// The media type, and the ending of a file's name.
fn file_type(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Bundle => ("application/json", "json"),
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Jsonl => ("application/jsonl", "jsonl"),
        Format::Html => ("text/html; charset=utf-8", "html"),
    }
}

/// `GET /audit/seals`: the seals in the log, the newest first, and their faults.
async fn seals(State(audits): State<Arc<Audits>>) -> Result<Json<Value>, Problem> {
    let Seals { mut known, findings, .. } = audits.in_time(Seals::read(&audits.log, &[])).await?;
    known.reverse();
    Ok(Json(json!({ "seals": known, "findings": findings })))
}

/// `POST /audit/verification`: begins to verify everything.
async fn verify_all(State(audits): State<Arc<Audits>>) -> Result<impl IntoResponse, Problem> {
    let (log, pool) = (audits.log.clone(), audits.pool.clone());
    let verifying = |progress| async move {
        let mut verification = Verification::with(Vec::new(), progress);
        verification.all(&log, Some(&pool), &[], &[]).await?;
        verification.report()
    };
    if !audits.runs.begin(verifying) {
        return Err(Problem::conflict("a verification is under way; GET /audit/verification shows its progress"));
    }
    Ok((StatusCode::ACCEPTED, Json(audits.runs.shown())))
}

/// `GET /audit/verification`: the progress, or the result, of the latest one.
async fn verification(State(audits): State<Arc<Audits>>) -> Json<Value> {
    Json(audits.runs.shown())
}

impl Audits {
    /// Does one of a few tasks, within the time limit.
    async fn in_time<T>(&self, task: impl Future<Output = Result<T, AuditError>>) -> Result<T, Problem> {
        let _turn: SemaphorePermit<'_> = self
            .turns
            .try_acquire()
            .map_err(|_| Problem::later(format!("{MAX_AT_ONCE} other audits are under way; send the request again")))?;
        match timeout(PATIENCE, Box::pin(task)).await {
            Ok(done) => done.map_err(|error| problem(&error)),
            Err(_) => Err(Problem::later(format!(
                "the log is too large for a request of {} s; use tenuto audit on the command line",
                PATIENCE.as_secs()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_one_of_the_formats() {
        for (query, expected) in
            [("", "json"), ("format=html", "html"), ("format=csv", "csv"), ("format=jsonl", "jsonl")]
        {
            assert_eq!(file_type(format_of(query).unwrap()).1, expected, "{query}");
        }
        for query in ["format=", "format=pdf", "format=HTML", "x=1", "format=html&x=1"] {
            let problem = format_of(query).unwrap_err();
            assert_eq!(problem.status(), StatusCode::BAD_REQUEST, "{query}");
            assert!(problem.detail().contains("bundle, csv, jsonl, html"), "{}", problem.detail());
        }
    }
}

//! Asks for a batch that a second person has to approve.

use access::SecondPersonRule;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use domain::batch_request::{BatchRefusal, BatchRequested};
use domain::ids::RequestId;
use http_problem::Problem;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::in_time::in_time;
use super::super::receipt::{Waits, location};
use super::super::refused::problem;
use crate::batches::{BatchError, Batches, Counted};
use crate::clock::Clock;
use crate::instruction::Instruction;
use crate::log::Log;
use crate::orchestrator::CommandError;
use crate::participants::AllParticipants;
use crate::selection::Selection;

/// The answer about a batch that waits.
#[derive(Debug, Serialize)]
struct Asked {
    #[serde(flatten)]
    waits: Waits,
    matches: u64,
}

/// Asks for a batch that a second person has to approve.
pub(super) async fn ask<L: Log, C: Clock, V: Selection>(
    batches: &Batches<L, AllParticipants<L>, C, V>,
    (instruction, selection): (Instruction, Value),
    Counted { matches, before }: Counted,
    rule: &SecondPersonRule,
    principal: &str,
) -> Result<Response, Problem> {
    let (batch, at) = (batches.new_id(), batches.now());
    let Instruction { operation, actor: requested_by, reason, .. } = instruction;
    let expires_at = at + TimeDelta::from_std(rule.expires).unwrap_or(TimeDelta::MAX);
    let requested = BatchRequested {
        batch,
        operation,
        selection,
        matches,
        before,
        requested_by,
        principal: principal.to_owned(),
        reason,
        approver: rule.approver.to_string(),
        expires_at,
        at,
    };
    let id = RequestId::Batch(batch);
    in_time(async { batches.requests.ask(requested, batches.new_id()).await.map_err(not_settled) }).await?;
    let asked = Asked { waits: Waits::new(&id, expires_at), matches };
    // One line, for clients that read an answer line by line.
    let line = format!("{}\n", json!(asked));
    let headers = [(header::LOCATION, location(&id)), (header::CONTENT_TYPE, "application/json".to_owned())];
    Ok((StatusCode::ACCEPTED, headers, line).into_response())
}

/// The problem of a batch that is not settled as asked.
pub(in super::super) fn not_settled(error: BatchError) -> Problem {
    match error {
        BatchError::Unknown(_) => Problem::not_found(error.to_string()),
        BatchError::Refused(BatchRefusal::Refused(refusal)) => problem(CommandError::Refused(refusal), ""),
        BatchError::Refused(_) | BatchError::Foreign(_) => Problem::conflict(error.to_string()),
        BatchError::Read(_) | BatchError::Append(_) | BatchError::Encode(_) => {
            Problem::later(format!("what was asked could not be recorded: {error}; send the same request again"))
        }
    }
}

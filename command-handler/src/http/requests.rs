//! `POST /requests/{id}/{approve,decline,withdraw}`: what becomes of an operation that a second
//! person has to approve.

use std::sync::Arc;

use access::{Caller, Principal};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use domain::Timestamp;
use domain::batch_request::{BatchRequest, BatchRequested, BatchSettled};
use domain::ids::{OrderId, RequestId};
use domain::order::{self, Refusal, Settlement};
use http_problem::Problem;
use http_request::{Fields, body};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::batch::{self, BatchesOf, not_settled};
use super::in_time::{PATIENCE, in_time, postgres_in_time};
use super::instruction::reason_fault;
use super::openapi::{Operation, Shared, schema_ref};
use super::receipt::Receipt;
use super::refused::problem;
use crate::batches::{BatchError, Batches, MAX_BATCHES, Which};
use crate::clock::Clock;
use crate::instruction::Instruction;
use crate::log::Log;
use crate::orchestrator::CommandError;
use crate::participants::AllParticipants;
use crate::selection::Selection;

/// How long after the approval an interrupted batch can go on.
const RESUMED_WITHIN: TimeDelta = TimeDelta::hours(1);

/// What a person does about a request: the last part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settle {
    Approve,
    Decline,
    Withdraw,
}

impl Settle {
    pub const ALL: [Self; 3] = [Self::Approve, Self::Decline, Self::Withdraw];

    fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
            Self::Withdraw => "withdraw",
        }
    }

    fn settlement(self) -> Settlement {
        match self {
            Self::Approve => Settlement::Approved,
            Self::Decline => Settlement::Declined,
            Self::Withdraw => Settlement::Withdrawn,
        }
    }
}

pub(super) fn path(settle: Settle) -> String {
    format!("/requests/{{id}}/{}", settle.as_str())
}

/// Who settles a request, and why.
struct By {
    principal: Arc<Principal>,
    reason: Option<String>,
    /// For an interrupted batch: the last order that was reported.
    after: Option<String>,
}

impl By {
    fn roles(&self) -> Vec<String> {
        self.principal.roles.iter().map(ToString::to_string).collect()
    }
}

pub(super) async fn handle<L: Log, C: Clock, V: Selection>(
    settle: Settle,
    State(batches): State<BatchesOf<L, C, V>>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|error| Problem::not_found(error.body_text()))?;
    let id = RequestId::parse(&id).ok_or_else(|| Problem::not_found(format!("there is no request {id:?}")))?;
    let caller = Caller::of(request.extensions());
    let (_, value) = body::json(request, &["application/json"]).await?;
    let by = by(settle, value, &caller)?;
    match id {
        RequestId::Order { order_id, number } => settle_order(&batches, settle, order_id, number, by).await,
        RequestId::Batch(batch) if settle == Settle::Approve => approve_batch(&batches, batch, &by).await,
        RequestId::Batch(batch) => {
            let settled = in_time(settle_batch(&batches, settle, batch, &by)).await?;
            Ok((StatusCode::OK, Json(Settled::of(batch, settled.how))).into_response())
        }
    }
}

/// Who declines something says why. An approval can have a reason.
fn by(settle: Settle, value: Value, caller: &Caller) -> Result<By, Problem> {
    let mut fields = Fields::of(value, "", "must be an object")?;
    let reason = match settle {
        Settle::Decline => Some(fields.required_text("reason", "why it is declined, for the history", reason_fault)),
        Settle::Approve | Settle::Withdraw => fields.text("reason", reason_fault),
    };
    let after = if settle == Settle::Approve { fields.text("after", |_| None) } else { None };
    fields.finish()?;
    let unknown = || Problem::conflict("callers are not authenticated here, so no request waits for a second person");
    let principal = caller.principal().cloned().ok_or_else(unknown)?;
    Ok(By { principal, reason, after })
}

async fn settle_order<L: Log, C: Clock, V: Selection>(
    batches: &Batches<L, AllParticipants<L>, C, V>,
    settle: Settle,
    order_id: OrderId,
    request: u32,
    by: By,
) -> Result<Response, Problem> {
    let orchestrator = batches.orchestrator();
    let command = order::Settle {
        request,
        how: settle.settlement(),
        by: by.principal.name.clone(),
        roles: by.roles(),
        now: orchestrator.clock().now(),
    };
    let settled = async { orchestrator.settle(order_id, command, by.reason).await.map_err(|error| problem(error, "")) };
    let accepted = in_time(settled).await?;
    Ok((StatusCode::ACCEPTED, Json(Receipt::from(&accepted))).into_response())
}

async fn settle_batch<L: Log, C: Clock, V: Selection>(
    batches: &Batches<L, AllParticipants<L>, C, V>,
    settle: Settle,
    batch: Uuid,
    by: &By,
) -> Result<BatchSettled, Problem> {
    let (now, roles) = (batches.now(), by.roles());
    let decide = |request: &BatchRequest| {
        request.settle(settle.settlement(), (&by.principal.name, &roles), by.reason.clone(), now)
    };
    let request = batches.requests.settle(batch, batches.new_id(), decide).await.map_err(not_settled)?;
    request.settled.ok_or_else(|| not_settled(BatchError::Foreign(batch)))
}

/// The orders are those that the request selected. If they have become more, no one has asked for
/// that.
async fn approve_batch<L: Log, C: Clock, V: Selection>(
    batches: &Batches<L, AllParticipants<L>, C, V>,
    batch: Uuid,
    by: &By,
) -> Result<Response, Problem> {
    let too_many = || Problem::later(format!("{MAX_BATCHES} batches are being worked on"));
    let turn = batches.turn().ok_or_else(too_many)?;
    let answered_by = Instant::now() + PATIENCE;
    let loaded = async { batches.requests.load(batch).await.map_err(not_settled) };
    let BatchRequest { requested, settled } = in_time(loaded).await?;
    let mut which = batch::selected(&requested.selection, requested.at, by.after.as_deref())?;
    if let Which::Matching { criteria, .. } = &mut which {
        criteria.placed_at.to = Some(criteria.placed_at.to.map_or(requested.before, |to| to.min(requested.before)));
    }
    let counted = postgres_in_time(batches.count(&mut which)).await?.map_err(batch::not_counted)?;
    if counted.matches > requested.matches {
        let (found, asked) = (counted.matches, requested.matches);
        let detail = format!("{found} orders match now instead of the {asked} that were asked for: ask again");
        return Err(Problem::conflict(detail));
    }
    if !goes_on(settled.as_ref(), by, batches.now()) {
        in_time(settle_batch(batches, Settle::Approve, batch, by)).await?;
    }
    let BatchRequested { operation, requested_by: actor, reason, .. } = requested;
    let approved_by = Some(by.principal.name.clone());
    let instruction = Instruction { operation, actor, reason, approved_by, asker: None };
    batch::run(batches, turn, answered_by, (counted, false), instruction, which).await
}

/// Whether this principal has approved a batch a moment ago, and lets it go on.
fn goes_on(settled: Option<&BatchSettled>, by: &By, now: Timestamp) -> bool {
    settled.is_some_and(|settled| {
        settled.how == Settlement::Approved
            && settled.by.as_ref() == Some(&by.principal.name)
            && by.after.is_some()
            && now - settled.at <= RESUMED_WITHIN
    })
}

/// The answer about a batch that is settled.
#[derive(Debug, Serialize)]
struct Settled {
    request: String,
    state: String,
}

impl Settled {
    fn of(batch: Uuid, how: Settlement) -> Self {
        Self { request: RequestId::Batch(batch).to_string(), state: how.as_str().to_uppercase() }
    }
}

pub(super) fn described(settle: Settle) -> Operation {
    let (id, summary, description) = match settle {
        Settle::Approve => (
            "approveRequest",
            "Approve what another person asked for",
            "The operation is decided on the order as it is now; 409 with the state if the order does not allow it any \
             more: the request waits on. For a batch, the answer (NDJSON) is that of `POST /orders/batch`; within an \
             hour, the same person continues an interrupted batch with `after`. 403 for the person who asked for it.",
        ),
        Settle::Decline => (
            "declineRequest",
            "Decline what another person asked for",
            "Nothing is done. `reason` is required. 403 for the person who asked for it.",
        ),
        Settle::Withdraw => {
            ("withdrawRequest", "Withdraw a request", "Nothing is done. 403 for all but the person who asked for it.")
        }
    };
    let refused = |refusal: Refusal| problem(CommandError::Refused(refusal), "");
    let body = json!({
        "required": true,
        "content": { "application/json": { "schema": schema_ref(schema(settle)), "example": { "reason": "as agreed" } } },
    });
    Operation::post(&path(settle), id, "operators", summary)
        .description(description)
        .parameter(id_parameter())
        .body(body)
        .answer_with(200, json!({ "description": "For a batch: a line for each order, or what became of it." }))
        .shared(Shared::OF_A_BODY)
        .shared([Shared::Operated, Shared::NothingToOperateOn, Shared::WrongInstruction])
        .refusal(
            "The request waits no more, or the order does not allow the operation now.",
            [("settled", refused(Refusal::NoOpenRequest { request: 1 }))],
        )
        .refusal(
            "The caller asked for it, has not the role that the request names, or may not do this at all.",
            [("same", refused(Refusal::SamePerson { by: "ann".to_owned() }))],
        )
}

/// What the query side answers of requests.
pub(super) fn described_to_read() -> [Operation; 2] {
    let one = json!({ "type": "object", "required": ["request", "operation", "state"] });
    let answer = |schema: Value| {
        let content = json!({ "application/json": { "schema": schema } });
        json!({ "description": "As in GraphQL's `OperationRequest`.", "content": content })
    };
    let list =
        Operation::get("/requests", "listRequests", "operators", "Operations that a second person has to approve")
            .description("Those that wait, the longest waiting first, at most 200. The query side answers this.")
            .answer_with(200, answer(json!({ "type": "array", "items": one })));
    let get = Operation::get("/requests/{id}", "getRequest", "operators", "One of them, also after it was settled")
        .description("The query side answers this, once the views have the request.")
        .parameter(id_parameter())
        .answer_with(200, answer(one))
        .refusal("There is no such request.", [("request", Problem::not_found("there is no such request"))]);
    [list, get]
}

fn id_parameter() -> Value {
    json!({
        "name": "id", "in": "path", "required": true, "description": "The id of the request.",
        "schema": { "type": "string", "examples": ["10248:1"] },
    })
}

/// The name of the schema of a body.
fn schema(settle: Settle) -> &'static str {
    match settle {
        Settle::Approve => "Approval",
        Settle::Decline => "Declining",
        Settle::Withdraw => "Withdrawal",
    }
}

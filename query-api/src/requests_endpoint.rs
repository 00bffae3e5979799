//! Operations that a second person has to approve, for callers that do not use GraphQL: `GET
//! /requests`, and `GET /requests/{id}`.

use access::{Caller, Operation};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Extensions;
use http_problem::Problem;
use serde_json::{Value, json};
use sqlx::PgPool;
use views::{Page, RequestRow, Store, ViewsError};

use crate::error::QueryError;
use crate::filter::comparable;
use crate::schema::requests_within;

/// How many requests one answer has.
const MAX_LISTED: u16 = 200;

/// `GET /requests`: those that wait, the longest waiting first.
pub(crate) async fn list(State(pool): State<PgPool>, extensions: Extensions) -> Result<Json<Vec<Value>>, Problem> {
    let (store, page) = (Store::new(pool), Page { after: None, before: None, size: MAX_LISTED, from_end: false });
    let rows = requests_within(Caller::of(&extensions).reach(Operation::ReadOrders), &store, &page).await;
    Ok(Json(rows.map_err(problem)?.iter().take(MAX_LISTED.into()).map(shown).collect()))
}

/// `GET /requests/{id}`: one, also after it was settled.
pub(crate) async fn get(
    State(pool): State<PgPool>,
    extensions: Extensions,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let unknown = || Problem::not_found("there is no such request, or the views do not have it yet");
    let Path(id) = id.map_err(|_| unknown())?;
    let store = Store::new(pool);
    let row = store.request(&comparable(&id)).await.map_err(problem)?.ok_or_else(unknown)?;
    let reach = Caller::of(&extensions).reach(Operation::ReadOrders);
    let placed_by = match &row.order_id {
        Some(order) => store.order(order).await.map_err(problem)?.and_then(|order| order.placed_by),
        None => None,
    };
    if reach.covers_order(placed_by.as_deref()) { Ok(Json(shown(&row))) } else { Err(unknown()) }
}

fn shown(row: &RequestRow) -> Value {
    json!({
        "request": row.id,
        "orderId": row.order_id,
        "operation": row.operation,
        "step": row.step,
        "details": row.details,
        "matches": row.matches,
        "requestedBy": row.requested_by,
        "reason": row.reason,
        "approver": row.approver,
        "previewedAt": row.previewed_at,
        "requestedAt": row.requested_at,
        "expiresAt": row.expires_at,
        "state": if row.state == "WAITING" { "WAITS_FOR_APPROVAL" } else { &row.state },
        "settledBy": row.settled_by,
        "settledReason": row.settled_reason,
        "settledAt": row.settled_at,
    })
}

fn problem(error: ViewsError) -> Problem {
    let error = QueryError::from(error);
    if error.is_temporary() {
        return Problem::later(error.to_string());
    }
    Problem::internal(error.to_string())
}

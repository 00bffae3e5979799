//! Where an order stands, for callers that do not speak GraphQL: `GET /orders/{id}`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;

use crate::error::StoreError;
use crate::filter::comparable;
use crate::store::{OrderRow, Store};

/// Where an order stands, as of the views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatus {
    /// The order.
    pub order_id: String,
    /// The business word that the workflow gives it.
    pub status: String,
    /// Where its execution stands.
    pub state: String,
    /// Index of its last event in its stream.
    pub revision: u64,
    /// Place of that event in the log; digits, because a JSON number does not hold every one.
    pub position: String,
}

/// Reads where an order stands; `None`: the views have no such order.
pub async fn order_status(pool: &PgPool, id: &str) -> Result<Option<OrderStatus>, StoreError> {
    let row = Store::new(pool.clone()).order(&comparable(id)).await?;
    Ok(row.map(OrderStatus::from))
}

impl From<OrderRow> for OrderStatus {
    fn from(row: OrderRow) -> Self {
        Self {
            order_id: row.id,
            status: row.status,
            state: row.state,
            revision: row.revision.cast_unsigned(),
            position: row.position.cast_unsigned().to_string(),
        }
    }
}

/// What is done to an order is done at the command endpoint.
pub(crate) async fn method_not_allowed() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "this is not what can be done here")
}

pub(crate) async fn get(State(pool): State<PgPool>, id: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(id)) = id else { return problem(StatusCode::NOT_FOUND, "There is no such order: its id is not UTF-8") };
    match order_status(&pool, &id).await {
        Ok(Some(status)) => Json(status).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, "There is no such order"),
        Err(error @ StoreError::Unavailable) => {
            ([(header::RETRY_AFTER, "1")], problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())).into_response()
        }
        Err(error @ StoreError::Internal) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// RFC 9457.
fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

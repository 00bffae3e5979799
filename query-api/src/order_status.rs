//! The status of an order, as the views have it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use views::StatusRow;

use crate::error::QueryError;
use crate::filter::comparable;

/// The status of an order, as the views have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatus {
    /// The order.
    pub order_id: String,
    /// The business status that the workflow gives it.
    pub status: String,
    /// The state of its execution.
    pub state: String,
    /// When it is expected to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<DateTime<Utc>>,
    /// Why the workflow's `result` has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_error: Option<String>,
    /// The principal that placed it.
    #[serde(skip)]
    pub placed_by: Option<String>,
    /// Index of its last event in its stream.
    pub revision: u64,
    /// Position of that event in the log. It is a text of digits, because a JSON number cannot hold
    /// every position.
    pub position: String,
}

impl From<StatusRow> for OrderStatus {
    fn from(row: StatusRow) -> Self {
        Self {
            order_id: row.id,
            status: row.status,
            state: row.state,
            expected_at: row.expected_at,
            result_error: row.result_error,
            placed_by: row.placed_by,
            revision: row.revision.cast_unsigned(),
            position: row.position.cast_unsigned().to_string(),
        }
    }
}

/// Reads the status of an order; `None`: the views have no such order.
pub async fn order_status(pool: &PgPool, id: &str) -> Result<Option<OrderStatus>, QueryError> {
    Ok(views::order_status(pool, &comparable(id)).await?.map(OrderStatus::from))
}

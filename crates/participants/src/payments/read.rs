//! Charges and refunds, by order and in total.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http_problem::Problem;
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::Payments;
use crate::contract::PathName;
use crate::participant::Service;
use crate::problem::of_database;

#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    order_id: String,
    state: String,
    amount: Decimal,
    currency: String,
    charge_id: Uuid,
    charged_at: DateTime<Utc>,
    refund_id: Option<Uuid>,
    refunded_at: Option<DateTime<Utc>>,
}

/// `GET /payments/{orderId}`
pub(super) async fn show(
    State(service): State<Arc<Service<Payments>>>,
    PathName(order_id): PathName,
) -> Result<Json<Payment>, Problem> {
    let payment = sqlx::query_as(
        "SELECT order_id, state, amount, currency, charge_id, charged_at, refund_id, refunded_at
         FROM participant_payments.charges WHERE order_id = $1 AND state <> 'void'",
    )
    .bind(&order_id)
    .fetch_optional(&service.context.pool)
    .await
    .map_err(of_database)?;
    payment.map(Json).ok_or_else(|| Problem::not_found(format!("order {order_id} was not charged")))
}

/// The sums of one currency. A refunded charge counts in both.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(super) struct Total {
    currency: String,
    charged: Decimal,
    refunded: Decimal,
    charges: i64,
    refunds: i64,
}

/// `GET /payments/totals`
pub(super) async fn totals(State(service): State<Arc<Service<Payments>>>) -> Result<Json<Vec<Total>>, Problem> {
    let totals = sqlx::query_as(
        "SELECT currency, sum(amount) AS charged, coalesce(sum(amount) FILTER (WHERE state = 'refunded'), 0) AS refunded,
                count(*) AS charges, count(*) FILTER (WHERE state = 'refunded') AS refunds
         FROM participant_payments.charges WHERE state <> 'void' GROUP BY currency ORDER BY currency",
    )
    .fetch_all(&service.context.pool)
    .await
    .map_err(of_database)?;
    Ok(Json(totals))
}

//! The stock, and the state of an order's shipment.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http_problem::Problem;
use serde::Serialize;
use sqlx::types::Json as Jsonb;

use super::Shipping;
use crate::contract::PathName;
use crate::participant::Service;
use crate::problem::of_database;

#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shelf {
    sku: String,
    on_hand: i64,
    reserved: i64,
}

/// `GET /shipping/stock`
pub(super) async fn stock(State(service): State<Arc<Service<Shipping>>>) -> Result<Json<Vec<Shelf>>, Problem> {
    let shelves = sqlx::query_as("SELECT sku, on_hand, reserved FROM participant_shipping.stock ORDER BY sku")
        .fetch_all(&service.context.pool)
        .await
        .map_err(of_database)?;
    Ok(Json(shelves))
}

#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shipment {
    order_id: String,
    state: String,
    tracking: Option<String>,
    requested_at: DateTime<Utc>,
    shipped_at: Option<DateTime<Utc>>,
    lines: Jsonb<serde_json::Value>,
    answers: Jsonb<serde_json::Value>,
}

/// `GET /shipping/{orderId}`
pub(super) async fn shipment(
    State(service): State<Arc<Service<Shipping>>>,
    PathName(order_id): PathName,
) -> Result<Json<Shipment>, Problem> {
    let shipment = sqlx::query_as(
        "SELECT order_id, state, tracking, requested_at, shipped_at,
                (SELECT coalesce(json_agg(json_build_object('sku', sku, 'quantity', quantity) ORDER BY sku), '[]')
                 FROM participant_shipping.shipment_lines line WHERE line.order_id = shipment.order_id) AS lines,
                (SELECT coalesce(json_agg(json_build_object('answer', body::json, 'attempts', attempts,
                                                            'settlement', settlement, 'lastError', last_error) ORDER BY id), '[]')
                 FROM participant_shipping.answers answer WHERE answer.order_id = shipment.order_id) AS answers
         FROM participant_shipping.shipments shipment WHERE order_id = $1 AND state <> 'void'",
    )
    .bind(&order_id)
    .fetch_optional(&service.context.pool)
    .await
    .map_err(of_database)?;
    shipment.map(Json).ok_or_else(|| Problem::not_found(format!("order {order_id} was not asked to be shipped")))
}

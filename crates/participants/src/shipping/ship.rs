//! The decision on a request to ship: reserve all of it, or wait for all of it, or refuse.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::lines::Lines;
use super::stock::{self, Free};
use super::{packing, queue};
use crate::contract::{Answer, AnswerTo, Request};
use crate::outbox::interval;

/// The requested shipment.
pub(crate) struct Order {
    pub(crate) lines: Lines,
    /// Whether the order waits if stock is short.
    pub(crate) backorder: bool,
    /// The receiver of the answer.
    pub(crate) answer_to: AnswerTo,
}

pub(crate) async fn ship(
    tx: &mut PgConnection,
    request: &Request,
    order: &Order,
    handling_time: Duration,
) -> Result<Answer, sqlx::Error> {
    let (skus, _) = order.lines.columns();
    let free = Free::lock(tx, &skus).await?;
    let missing = free.missing(order.lines.iter());
    let state = match (missing.is_empty(), order.backorder) {
        (true, _) => "reserved",
        (false, true) => "backordered",
        (false, false) => "out_of_stock",
    };
    if !record(tx, request, order, state, handling_time).await? {
        return Ok(Answer::conflict(format!(
            "the shipment of order {} was requested, or canceled, before",
            request.order_id
        )));
    }
    if missing.is_empty() {
        let order_ids = [request.order_id.as_str()];
        stock::reserve(tx, &order_ids).await?;
        if handling_time.is_zero() {
            packing::dispatch(tx, &order_ids).await?;
        }
    } else {
        let answer = json!({ "outcome": state, "data": { "missing": in_words(&missing) } });
        queue::push(tx, &request.order_id, &answer).await?;
    }
    Ok(Answer::Accepted)
}

fn in_words(missing: &[(&str, i64)]) -> Vec<Value> {
    missing.iter().map(|(sku, short)| json!({ "sku": sku, "short": short })).collect()
}

/// Records the shipment, unless the order has one, or was canceled before.
async fn record(
    tx: &mut PgConnection,
    request: &Request,
    order: &Order,
    state: &str,
    handling_time: Duration,
) -> Result<bool, sqlx::Error> {
    let (skus, quantities) = order.lines.columns();
    let (callback, asked_by, step) = match &order.answer_to {
        AnswerTo::Callback(url) => (Some(url.as_str()), None, None),
        AnswerTo::Replies { request, step } => (None, Some(request), Some(step)),
    };
    let recorded = sqlx::query(
        "WITH shipment AS (
             INSERT INTO participant_shipping.shipments (order_id, state, callback_url, request_id, step, traceparent,
                                                         dispatch_at)
             VALUES ($1, $2, $3, $8, $9, $4, now() + $5) ON CONFLICT (order_id) DO NOTHING RETURNING order_id)
         INSERT INTO participant_shipping.shipment_lines (order_id, sku, quantity)
         SELECT order_id, sku, quantity FROM shipment, unnest($6::text[], $7::bigint[]) AS line (sku, quantity)",
    )
    .bind(&request.order_id)
    .bind(state)
    .bind(callback)
    .bind(&request.traceparent)
    .bind(interval(handling_time))
    .bind(skus)
    .bind(quantities)
    .bind(asked_by)
    .bind(step)
    .execute(tx)
    .await?;
    Ok(recorded.rows_affected() > 0)
}

//! The queue of later answers.

use serde_json::Value;
use sqlx::PgConnection;

/// Queues an answer to the request of this order, after all queued before.
pub(crate) async fn push(tx: &mut PgConnection, order_id: &str, answer: &Value) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO participant_shipping.answers (order_id, callback_url, request_id, step, traceparent, body)
         SELECT order_id, callback_url, request_id, step, traceparent, $2
         FROM participant_shipping.shipments WHERE order_id = $1",
    )
    .bind(order_id)
    .bind(answer.to_string())
    .execute(tx)
    .await
    .map(drop)
}

//! The undo of a request to ship, possible until the goods have left.

use serde_json::json;
use sqlx::PgConnection;

use super::stock;
use crate::contract::Answer;

pub(crate) async fn cancel(tx: &mut PgConnection, order_id: &str) -> Result<Answer, sqlx::Error> {
    let never_requested = sqlx::query(
        "INSERT INTO participant_shipping.shipments (order_id, state) VALUES ($1, 'void')
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(order_id)
    .execute(&mut *tx)
    .await?;
    if never_requested.rows_affected() == 1 {
        return Ok(Answer::nothing_to_undo());
    }
    // Stock before shipment, as every transaction locks.
    stock::lock_of_order(tx, order_id).await?;
    let state: String =
        sqlx::query_scalar("SELECT state FROM participant_shipping.shipments WHERE order_id = $1 FOR UPDATE")
            .bind(order_id)
            .fetch_one(&mut *tx)
            .await?;
    match state.as_str() {
        "shipped" => return Ok(Answer::conflict(format!("order {order_id} has left the house"))),
        "reserved" => stock::release(tx, order_id).await?,
        "backordered" => {}
        _ => return Ok(Answer::nothing_to_undo()),
    }
    sqlx::query("UPDATE participant_shipping.shipments SET state = 'canceled' WHERE order_id = $1")
        .bind(order_id)
        .execute(tx)
        .await?;
    Ok(Answer::done("canceled", json!({ "orderId": order_id })))
}

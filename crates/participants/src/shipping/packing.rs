//! Reserved orders are shipped: their stock leaves the shelves, and their answer is `shipped`.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;

use super::stock;
use crate::options::Wake;
use crate::outbox::{Leader, POLL};
use crate::transaction::{begin, commit};

/// The carrier of the parcels.
const CARRIER: &str = "Tenuto Parcel";

/// Ships these orders if they are reserved. The caller has locked their stock.
pub(crate) async fn dispatch(tx: &mut PgConnection, order_ids: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH leaving AS (
             UPDATE participant_shipping.shipments
             SET state = 'shipped', shipped_at = now(),
                 tracking = 'TN' || upper(left(replace(gen_random_uuid()::text, '-', ''), 14))
             WHERE order_id = ANY($1) AND state = 'reserved'
             RETURNING order_id, callback_url, request_id, step, traceparent, tracking),
         taken AS (
             UPDATE participant_shipping.stock
             SET on_hand = on_hand - parcel.quantity, reserved = reserved - parcel.quantity
             FROM (SELECT sku, sum(quantity)::bigint AS quantity
                   FROM participant_shipping.shipment_lines JOIN leaving USING (order_id) GROUP BY sku) parcel
             WHERE stock.sku = parcel.sku)
         INSERT INTO participant_shipping.answers (order_id, callback_url, request_id, step, traceparent, body)
         SELECT order_id, callback_url, request_id, step, traceparent,
                json_build_object('outcome', 'shipped',
                                  'data', json_build_object('tracking', tracking, 'carrier', $2::text))::text
         FROM leaving",
    )
    .bind(order_ids)
    .bind(CARRIER)
    .execute(tx)
    .await
    .map(drop)
}

/// Ships every order after its handling time, until shutdown.
pub(crate) async fn pack(
    leader: &Leader,
    pool: &PgPool,
    wake: &Wake,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), sqlx::Error> {
    let mut rung = wake.parcels.listen();
    while !*shutdown.borrow() {
        let due = next_due(leader).await?;
        if let Some((order_id, 0)) = due {
            dispatch_one(pool, &order_id).await?;
            wake.answers.ring();
            continue;
        }
        let pause =
            due.and_then(|(_, wait_ms)| u64::try_from(wait_ms).ok()).map_or(POLL, Duration::from_millis).min(POLL);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = rung.changed() => {}
            _ = shutdown.changed() => {}
        }
    }
    Ok(())
}

/// The next reserved order to ship, and in how many milliseconds.
async fn next_due(leader: &Leader) -> Result<Option<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT order_id, greatest(0, ceil(extract(epoch FROM dispatch_at - clock_timestamp()) * 1000))::bigint
         FROM participant_shipping.shipments WHERE state = 'reserved' ORDER BY dispatch_at LIMIT 1",
    )
    .fetch_optional(&mut *leader.connection().await)
    .await
}

async fn dispatch_one(pool: &PgPool, order_id: &str) -> Result<(), sqlx::Error> {
    let mut tx = begin(pool).await?;
    stock::lock_of_order(&mut tx, order_id).await?;
    dispatch(&mut tx, &[order_id]).await?;
    commit(tx).await
}

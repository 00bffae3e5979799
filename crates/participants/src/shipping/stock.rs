//! The stock on the shelves, and the part of it that is promised.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::lines::Lines;

/// The free quantity of each SKU; an unknown SKU has none.
#[derive(Debug, Default)]
pub(crate) struct Free(HashMap<String, i64>);

impl Free {
    /// Locks the rows of these SKUs, in their order, and reads the free quantities.
    pub(crate) async fn lock(tx: &mut PgConnection, skus: &[&str]) -> Result<Self, sqlx::Error> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT sku, on_hand - reserved FROM participant_shipping.stock WHERE sku = ANY($1) ORDER BY sku FOR UPDATE",
        )
        .bind(skus)
        .fetch_all(tx)
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// The missing quantities for these lines, by SKU.
    pub(crate) fn missing<'l>(&self, lines: impl Iterator<Item = (&'l str, i64)>) -> Vec<(&'l str, i64)> {
        let short = |(sku, wanted)| (sku, wanted - self.0.get(sku).copied().unwrap_or(0));
        lines.map(short).filter(|(_, short)| *short > 0).collect()
    }

    /// Reserves stock for these lines. The caller has checked that nothing is missing.
    pub(crate) fn take<'l>(&mut self, lines: impl Iterator<Item = (&'l str, i64)>) {
        for (sku, quantity) in lines {
            if let Some(free) = self.0.get_mut(sku) {
                *free -= quantity;
            }
        }
    }
}

impl FromIterator<(String, i64)> for Free {
    fn from_iter<I: IntoIterator<Item = (String, i64)>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

/// Reserves the stock of these orders. The caller has locked it, and it suffices.
pub(crate) async fn reserve(tx: &mut PgConnection, order_ids: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE participant_shipping.stock SET reserved = reserved + needed.quantity
         FROM (SELECT sku, sum(quantity)::bigint AS quantity FROM participant_shipping.shipment_lines
               WHERE order_id = ANY($1) GROUP BY sku) needed
         WHERE stock.sku = needed.sku",
    )
    .bind(order_ids)
    .execute(tx)
    .await
    .map(drop)
}

/// Releases a reservation.
pub(crate) async fn release(tx: &mut PgConnection, order_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE participant_shipping.stock SET reserved = reserved - line.quantity
         FROM participant_shipping.shipment_lines line WHERE line.order_id = $1 AND stock.sku = line.sku",
    )
    .bind(order_id)
    .execute(tx)
    .await
    .map(drop)
}

/// Locks the stock of an order's lines.
pub(crate) async fn lock_of_order(tx: &mut PgConnection, order_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT 1 FROM participant_shipping.stock
         WHERE sku IN (SELECT sku FROM participant_shipping.shipment_lines WHERE order_id = $1) ORDER BY sku FOR UPDATE",
    )
    .bind(order_id)
    .execute(tx)
    .await
    .map(drop)
}

/// Locks all stock until the transaction ends: no order is decided meanwhile. Reads continue.
pub(crate) async fn close_shelves(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("LOCK TABLE participant_shipping.stock IN EXCLUSIVE MODE").execute(tx).await.map(drop)
}

/// Adds to the stock.
pub(crate) async fn add(tx: &mut PgConnection, lines: &Lines) -> Result<(), sqlx::Error> {
    let (skus, quantities) = lines.columns();
    sqlx::query(
        "INSERT INTO participant_shipping.stock AS shelf (sku, on_hand) SELECT * FROM unnest($1::text[], $2::bigint[])
         ON CONFLICT (sku) DO UPDATE SET on_hand = shelf.on_hand + excluded.on_hand",
    )
    .bind(skus)
    .bind(quantities)
    .execute(tx)
    .await
    .map(drop)
}

/// Sets the stock after a count. Changes nothing if reservations exceed the count; then it returns
/// those SKUs.
pub(crate) async fn set(tx: &mut PgConnection, counts: &Lines) -> Result<Vec<String>, sqlx::Error> {
    let (skus, quantities) = counts.columns();
    let promised: Vec<String> = sqlx::query_scalar(
        "SELECT sku FROM participant_shipping.stock JOIN unnest($1::text[], $2::bigint[]) AS count (sku, quantity) USING (sku)
         WHERE reserved > quantity ORDER BY sku",
    )
    .bind(&skus)
    .bind(&quantities)
    .fetch_all(&mut *tx)
    .await?;
    if promised.is_empty() {
        sqlx::query(
            "INSERT INTO participant_shipping.stock (sku, on_hand) SELECT * FROM unnest($1::text[], $2::bigint[])
             ON CONFLICT (sku) DO UPDATE SET on_hand = excluded.on_hand",
        )
        .bind(&skus)
        .bind(&quantities)
        .execute(tx)
        .await?;
    }
    Ok(promised)
}

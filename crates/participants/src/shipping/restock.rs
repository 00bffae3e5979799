//! Stock arrives or is counted. Then back-orders that can be filled completely are shipped, the
//! oldest first.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use http_problem::Problem;
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;

use super::lines::{Counts, Lines};
use super::stock::{self, Free};
use super::{Shipping, packing};
use crate::contract::{json_body, whole_body};
use crate::outbox::interval;
use crate::participant::{Participant, Service};
use crate::problem::of_database;
use crate::transaction::{begin, commit};

/// How many back-orders one query reads.
const BATCH: i64 = 1000;

/// The result for the back-orders.
#[derive(Debug, Serialize)]
pub(crate) struct Restocked {
    /// The filled orders, the oldest first.
    filled: Vec<String>,
}

/// `POST /shipping/restock`: adds to the stock.
pub(crate) async fn add(
    State(service): State<Arc<Service<Shipping>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Restocked>, Problem> {
    let lines: Lines = json_body(&headers, &whole_body(body)?)?;
    let mut tx = begin(&service.context.pool).await.map_err(of_database)?;
    stock::close_shelves(&mut tx).await.map_err(of_database)?;
    stock::add(&mut tx, &lines).await.map_err(of_database)?;
    let filled = fill(&mut tx, service.participant.handling_time).await.map_err(of_database)?;
    commit(tx).await.map_err(of_database)?;
    service.participant.committed();
    Ok(Json(Restocked { filled }))
}

/// `POST /shipping/stock`: sets the stock.
pub(crate) async fn set(
    State(service): State<Arc<Service<Shipping>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Restocked>, Problem> {
    let Counts(counts) = json_body(&headers, &whole_body(body)?)?;
    let mut tx = begin(&service.context.pool).await.map_err(of_database)?;
    stock::close_shelves(&mut tx).await.map_err(of_database)?;
    let promised = stock::set(&mut tx, &counts).await.map_err(of_database)?;
    if !promised.is_empty() {
        return Err(Problem::conflict(format!("more than that is promised to orders: {}", promised.join(", "))));
    }
    let filled = fill(&mut tx, service.participant.handling_time).await.map_err(of_database)?;
    commit(tx).await.map_err(of_database)?;
    service.participant.committed();
    Ok(Json(Restocked { filled }))
}

/// Fills back-orders. The table of stock is locked, so queue and stock do not change.
async fn fill(tx: &mut PgConnection, handling_time: Duration) -> Result<Vec<String>, sqlx::Error> {
    let mut free = whole_stock(tx).await?;
    let mut filled = Vec::new();
    let mut last_seen = 0;
    loop {
        let waiting = waiting_after(tx, last_seen).await?;
        let Some(last) = waiting.last() else { return Ok(filled) };
        last_seen = last.request_no;
        let fillable = choose(&mut free, &waiting);
        reserve(tx, &fillable, handling_time).await?;
        filled.extend(fillable.into_iter().map(str::to_owned));
    }
}

/// An order in the queue of back-orders.
#[derive(Debug, sqlx::FromRow)]
struct Waiting {
    order_id: String,
    request_no: i64,
    skus: Vec<String>,
    quantities: Vec<i64>,
}

impl Waiting {
    fn lines(&self) -> impl Iterator<Item = (&str, i64)> {
        self.skus.iter().map(String::as_str).zip(self.quantities.iter().copied())
    }
}

/// Goes through the queue, the oldest first, and takes every order that the remaining stock fills
/// completely.
fn choose<'w>(free: &mut Free, waiting: &'w [Waiting]) -> Vec<&'w str> {
    let mut chosen = Vec::new();
    for order in waiting {
        if free.missing(order.lines()).is_empty() {
            free.take(order.lines());
            chosen.push(order.order_id.as_str());
        }
    }
    chosen
}

async fn whole_stock(tx: &mut PgConnection) -> Result<Free, sqlx::Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT sku, on_hand - reserved FROM participant_shipping.stock").fetch_all(tx).await?;
    Ok(rows.into_iter().collect())
}

async fn waiting_after(tx: &mut PgConnection, request_no: i64) -> Result<Vec<Waiting>, sqlx::Error> {
    // Locked before the lines are gathered: an order that is being canceled right now is waited
    // for, and then left out.
    sqlx::query_as(
        "WITH waiting AS (
             SELECT order_id, request_no FROM participant_shipping.shipments
             WHERE state = 'backordered' AND request_no > $1 ORDER BY request_no LIMIT $2 FOR UPDATE)
         SELECT order_id, request_no, array_agg(sku) AS skus, array_agg(quantity) AS quantities
         FROM waiting JOIN participant_shipping.shipment_lines USING (order_id)
         GROUP BY order_id, request_no ORDER BY request_no",
    )
    .bind(request_no)
    .bind(BATCH)
    .fetch_all(tx)
    .await
}

async fn reserve(tx: &mut PgConnection, order_ids: &[&str], handling_time: Duration) -> Result<(), sqlx::Error> {
    if order_ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE participant_shipping.shipments SET state = 'reserved', dispatch_at = now() + $2 WHERE order_id = ANY($1)",
    )
    .bind(order_ids)
    .bind(interval(handling_time))
    .execute(&mut *tx)
    .await?;
    stock::reserve(tx, order_ids).await?;
    if handling_time.is_zero() {
        packing::dispatch(tx, order_ids).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(order_id: &str, lines: &[(&str, i64)]) -> Waiting {
        let (skus, quantities) = lines.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).unzip();
        Waiting { order_id: order_id.to_owned(), request_no: 1, skus, quantities }
    }

    #[test]
    fn the_oldest_order_that_can_be_filled_completely_goes_first() {
        let mut free: Free = [("a".to_owned(), 5), ("b".to_owned(), 1)].into_iter().collect();
        let queue = [
            waiting("too-much", &[("a", 6)]),
            waiting("half", &[("a", 1), ("b", 2)]),
            waiting("first", &[("a", 3), ("b", 1)]),
            waiting("none-left", &[("a", 3)]),
            waiting("second", &[("a", 2)]),
            waiting("unknown", &[("c", 1)]),
        ];
        assert_eq!(choose(&mut free, &queue), ["first", "second"]);
    }
}

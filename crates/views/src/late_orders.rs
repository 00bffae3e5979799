//! The late orders that webhooks are notified of. Of which they were, is no view: only command
//! handlers write it.

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::webhook::{Topic, WebhookId};
use sqlx::{FromRow, PgConnection};

/// An order that is late, and of which a webhook was not notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateOrder {
    /// The order.
    pub order_id: OrderId,
    /// Its last event, as far as the views know.
    pub revision: u64,
    /// When it was expected to end.
    pub expected_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct Row {
    order_id: String,
    revision: i64,
    expected_at: DateTime<Utc>,
}

/// The orders that a webhook is to be notified of, at most so many: those that became late since it
/// was created, the longest late first. The row of an order with an event that is set aside is
/// behind the log, and says nothing.
pub async fn unnoticed(db: &mut PgConnection, webhook: WebhookId, most: usize) -> Result<Vec<LateOrder>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT orders.id AS order_id, orders.revision, expected_at
         FROM webhooks AS webhook, expectations JOIN orders ON orders.id = expectations.order_id
         WHERE webhook.id = $1 AND $2 = ANY (webhook.events) AND expected_at < now() AND expected_at >= webhook.created_at
           AND NOT orders.parked
           AND (webhook.workflow IS NULL OR webhook.workflow = orders.workflow)
           AND (webhook.placed_by IS NULL OR webhook.placed_by = orders.placed_by)
           AND NOT EXISTS (SELECT FROM webhook_late_orders AS noticed
                           WHERE noticed.webhook_id = $1 AND noticed.order_id = orders.id)
         ORDER BY expected_at LIMIT $3",
    )
    .bind(webhook.to_string())
    .bind(Topic::Late.as_str())
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    let late = rows.into_iter().filter_map(|Row { order_id, revision, expected_at }| {
        Some(LateOrder { order_id: OrderId::new(order_id).ok()?, revision: revision.cast_unsigned(), expected_at })
    });
    Ok(late.collect())
}

/// Notes that a webhook is notified of an order, and forgets those that have ended: they are not
/// late again.
pub async fn notice(db: &mut PgConnection, webhook: WebhookId, order: &OrderId) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO webhook_late_orders (webhook_id, order_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(webhook.to_string())
        .bind(order.as_str())
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "DELETE FROM webhook_late_orders USING orders
         WHERE webhook_id = $1 AND orders.id = order_id AND orders.ended_at IS NOT NULL",
    )
    .bind(webhook.to_string())
    .execute(db)
    .await
    .map(drop)
}

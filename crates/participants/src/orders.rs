//! Orders: the record of an order and its status.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use http_problem::Problem;
use leader_consumer::{CheckpointRow, checkpoint_in};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::contract::{Answer, PathName, Request, check_text};
use crate::participant::{Context, Participant, Service, act};
use crate::problem::of_database;
use crate::record::{Record, record_in};

/// The limit for a status, in characters.
const STATUS_LENGTH_MAX: usize = 64;

pub(crate) struct Orders;

impl Orders {
    pub(crate) const ACTIONS: &[&str] = &["create", "cancel", "update_status"];
}

pub(crate) enum Action {
    /// Records the order with all its input.
    Create,
    /// Undoes the creation: the order stays on record, as canceled.
    Cancel,
    UpdateStatus(String),
}

#[derive(Deserialize)]
struct StatusInput {
    status: String,
}

impl Participant for Orders {
    const NAME: &'static str = "orders";
    const RECORD: Record = record_in!("participant_orders");
    const CHECKPOINT: CheckpointRow = checkpoint_in!("participant_orders.request_checkpoints", "requests");
    const LOCK: i64 = 0x7465_6e75_746f_0010;
    type Action = Action;

    fn new(_context: &Context) -> Self {
        Self
    }

    fn understand(request: &Request) -> Result<Action, Problem> {
        match request.action.as_str() {
            "create" => Ok(Action::Create),
            "cancel" => Ok(Action::Cancel),
            "update_status" => {
                let StatusInput { status } = request.input()?;
                check_text("/input/status", &status, STATUS_LENGTH_MAX)?;
                Ok(Action::UpdateStatus(status))
            }
            _ => Err(request.unknown_action()),
        }
    }

    async fn perform(&self, tx: &mut PgConnection, request: &Request, action: Action) -> Result<Answer, sqlx::Error> {
        match action {
            Action::Create => create(tx, &request.order_id, &request.input).await,
            Action::Cancel => cancel(tx, &request.order_id).await,
            Action::UpdateStatus(status) => update_status(tx, &request.order_id, &status).await,
        }
    }
}

async fn create(tx: &mut PgConnection, order_id: &str, details: &Value) -> Result<Answer, sqlx::Error> {
    let created = sqlx::query(
        "INSERT INTO participant_orders.orders (order_id, status, details) VALUES ($1, 'Placed', $2)
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(order_id)
    .bind(details)
    .execute(tx)
    .await?;
    Ok(match created.rows_affected() {
        0 => Answer::conflict(format!("order {order_id} was created, or canceled, before")),
        _ => Answer::done("created", json!({ "orderId": order_id })),
    })
}

async fn cancel(tx: &mut PgConnection, order_id: &str) -> Result<Answer, sqlx::Error> {
    let never_created = sqlx::query(
        "INSERT INTO participant_orders.orders (order_id, status, canceled_at) VALUES ($1, 'Canceled', now())
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(order_id)
    .execute(&mut *tx)
    .await?;
    if never_created.rows_affected() == 1 {
        return Ok(Answer::nothing_to_undo());
    }
    let canceled = sqlx::query(
        "UPDATE participant_orders.orders SET status = 'Canceled', canceled_at = now(), updated_at = now()
         WHERE order_id = $1 AND canceled_at IS NULL",
    )
    .bind(order_id)
    .execute(tx)
    .await?;
    Ok(match canceled.rows_affected() {
        0 => Answer::nothing_to_undo(),
        _ => Answer::done("canceled", json!({ "orderId": order_id })),
    })
}

/// An order that was never created has no status to set. That is no reason to refuse: a workflow
/// records the end of an order also if its creation failed.
async fn update_status(tx: &mut PgConnection, order_id: &str, status: &str) -> Result<Answer, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE participant_orders.orders SET status = $2, updated_at = now()
         WHERE order_id = $1 AND details IS NOT NULL",
    )
    .bind(order_id)
    .bind(status)
    .execute(tx)
    .await?;
    Ok(match updated.rows_affected() {
        0 => Answer::done("nothing_to_update", json!({})),
        _ => Answer::done("updated", json!({ "status": status })),
    })
}

#[derive(Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
struct OrderRecord {
    order_id: String,
    status: String,
    details: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    canceled_at: Option<DateTime<Utc>>,
}

async fn show(
    State(service): State<Arc<Service<Orders>>>,
    PathName(order_id): PathName,
) -> Result<Json<OrderRecord>, Problem> {
    let record = sqlx::query_as(
        "SELECT order_id, status, details, created_at, updated_at, canceled_at FROM participant_orders.orders
         WHERE order_id = $1 AND details IS NOT NULL",
    )
    .bind(&order_id)
    .fetch_optional(&service.context.pool)
    .await
    .map_err(of_database)?;
    record.map(Json).ok_or_else(|| Problem::not_found(format!("there is no order {order_id}")))
}

pub(crate) fn routes(context: &Context) -> Router {
    let service = Service::<Orders>::new(context);
    Router::new().route("/{name}", post(act::<Orders>).get(show)).with_state(Arc::new(service))
}

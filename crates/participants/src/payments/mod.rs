//! Payments: charges and refunds. An order is charged once, and refunded in full.

mod amount;
mod read;
mod routes;

use http_problem::Problem;
use leader_consumer::{CheckpointRow, checkpoint_in};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::contract::{Answer, Request};
use crate::participant::{Context, Participant};
use crate::problem::invalid;
use crate::record::{Record, record_in};

pub(crate) use routes::routes;

use amount::Amount;

pub(crate) struct Payments;

impl Payments {
    pub(crate) const ACTIONS: &[&str] = &["charge", "refund"];
}

pub(crate) enum Action {
    Charge(Charge),
    /// Undoes the charge.
    Refund,
}

#[derive(Deserialize)]
pub(crate) struct Charge {
    amount: Amount,
    currency: String,
}

impl Participant for Payments {
    const NAME: &'static str = "payments";
    const RECORD: Record = record_in!("participant_payments");
    const CHECKPOINT: CheckpointRow = checkpoint_in!("participant_payments.request_checkpoints", "requests");
    const LOCK: i64 = 0x7465_6e75_746f_0011;
    type Action = Action;

    fn new(_context: &Context) -> Self {
        Self
    }

    fn understand(request: &Request) -> Result<Action, Problem> {
        match request.action.as_str() {
            "charge" => {
                let charge: Charge = request.input()?;
                if charge.currency.len() != 3 || !charge.currency.bytes().all(|b| b.is_ascii_uppercase()) {
                    return Err(invalid("/input/currency", "must be three capital letters (ISO 4217)"));
                }
                Ok(Action::Charge(charge))
            }
            "refund" => Ok(Action::Refund),
            _ => Err(request.unknown_action()),
        }
    }

    async fn perform(&self, tx: &mut PgConnection, request: &Request, action: Action) -> Result<Answer, sqlx::Error> {
        match action {
            Action::Charge(charge) => charge_order(tx, &request.order_id, &charge).await,
            Action::Refund => refund_order(tx, &request.order_id).await,
        }
    }
}

async fn charge_order(tx: &mut PgConnection, order_id: &str, charge: &Charge) -> Result<Answer, sqlx::Error> {
    let (charge_id, amount) = (Uuid::now_v7(), charge.amount.value());
    let charged = sqlx::query(
        "INSERT INTO participant_payments.charges (order_id, state, charge_id, amount, currency, charged_at)
         VALUES ($1, 'charged', $2, $3, $4, now()) ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(order_id)
    .bind(charge_id)
    .bind(amount)
    .bind(&charge.currency)
    .execute(tx)
    .await?;
    Ok(match charged.rows_affected() {
        0 => Answer::conflict(format!("order {order_id} was charged, or its charge undone, before")),
        _ => Answer::done("charged", json!({ "chargeId": charge_id, "amount": amount })),
    })
}

async fn refund_order(tx: &mut PgConnection, order_id: &str) -> Result<Answer, sqlx::Error> {
    let never_charged = sqlx::query(
        "INSERT INTO participant_payments.charges (order_id, state) VALUES ($1, 'void')
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(order_id)
    .execute(&mut *tx)
    .await?;
    if never_charged.rows_affected() == 1 {
        return Ok(Answer::nothing_to_undo());
    }
    let refunded: Option<(Uuid, Decimal)> = sqlx::query_as(
        "UPDATE participant_payments.charges SET state = 'refunded', refund_id = $2, refunded_at = now()
         WHERE order_id = $1 AND state = 'charged' RETURNING refund_id, amount",
    )
    .bind(order_id)
    .bind(Uuid::now_v7())
    .fetch_optional(tx)
    .await?;
    Ok(match refunded {
        None => Answer::nothing_to_undo(),
        Some((refund_id, amount)) => Answer::done("refunded", json!({ "refundId": refund_id, "amount": amount })),
    })
}

//! Shipping: stock, shipments, and back-orders that wait for stock.
//!
//! A request is decided at once, in one transaction, and answered later through the outbox of
//! `answers`. All transactions lock in one order, so they cannot wait for each other in a circle:
//! rows of stock by SKU, then the shipment.

mod answers;
mod cancel;
mod lines;
mod packing;
mod queue;
mod read;
mod restock;
mod routes;
mod ship;
mod stock;

use std::time::Duration;

use http_problem::Problem;
use leader_consumer::{CheckpointRow, checkpoint_in};
use serde::Deserialize;
use sqlx::PgConnection;

use crate::contract::{Answer, Request};
use crate::options::Wake;
use crate::participant::{Context, Participant};
use crate::record::{Record, record_in};

pub(crate) use answers::Answers;
pub(crate) use packing::pack;
pub(crate) use routes::routes;

use lines::Lines;
use ship::Order;

pub(crate) struct Shipping {
    handling_time: Duration,
    wake: Wake,
}

impl Shipping {
    pub(crate) const ACTIONS: &[&str] = &["ship", "cancel_shipment"];
}

pub(crate) enum Action {
    Ship(Order),
    /// Undoes the request to ship, until the goods have left.
    CancelShipment,
}

#[derive(Deserialize)]
struct ShipInput {
    lines: Lines,
    #[serde(default = "wait_by_default")]
    backorder: bool,
}

fn wait_by_default() -> bool {
    true
}

impl Participant for Shipping {
    const NAME: &'static str = "shipping";
    const RECORD: Record = record_in!("participant_shipping");
    const CHECKPOINT: CheckpointRow = checkpoint_in!("participant_shipping.request_checkpoints", "requests");
    const LOCK: i64 = 0x7465_6e75_746f_0012;
    type Action = Action;

    fn new(context: &Context) -> Self {
        let options = &context.options;
        Self { handling_time: options.handling_time, wake: options.wake.clone() }
    }

    fn understand(request: &Request) -> Result<Action, Problem> {
        match request.action.as_str() {
            "ship" => {
                let ShipInput { lines, backorder } = request.input()?;
                let answer_to = request.answer_to.clone();
                let answer_to =
                    answer_to.ok_or_else(|| Problem::bad_request("the header Tenuto-Callback is missing"))?;
                Ok(Action::Ship(Order { lines, backorder, answer_to }))
            }
            "cancel_shipment" => Ok(Action::CancelShipment),
            _ => Err(request.unknown_action()),
        }
    }

    async fn perform(&self, tx: &mut PgConnection, request: &Request, action: Action) -> Result<Answer, sqlx::Error> {
        match action {
            Action::Ship(order) => ship::ship(tx, request, &order, self.handling_time).await,
            Action::CancelShipment => cancel::cancel(tx, &request.order_id).await,
        }
    }

    fn committed(&self) {
        self.wake.answers.ring();
        self.wake.parcels.ring();
    }
}

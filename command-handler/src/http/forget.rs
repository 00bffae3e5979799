//! `POST /customers/{id}/forget`: an operator has a customer's personal data erased.

use std::sync::Arc;

use access::{AccessCounts, Caller};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Request;
use http_problem::Problem;
use http_request::{Fields, body};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};

use super::in_time::PATIENCE;
use super::instruction::attribution;
use super::openapi::{Operation, Shared, example};
use crate::clock::Clock;
use crate::erasure::{CustomerOrders, Erasure, ForgetError, Forgotten, Progress, Unfinished};
use crate::log::Log;
use crate::participants::AllParticipants;

pub(super) const PATH: &str = "/customers/{id}/forget";

/// The state of the handler.
pub(super) type Eraser<L, C, V> = Arc<Erasure<L, AllParticipants<L>, C, V>>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Erased {
    customer_id: String,
    /// The number of orders whose personal data are erased.
    orders: usize,
    /// How many of them remain in the log in plain text, from before personal data were sealed.
    in_the_clear: u64,
    /// The first ten orders that have not ended.
    open_orders: Vec<String>,
    /// A decimal number, as text: it may exceed what a JSON reader keeps exactly.
    position: String,
}

pub(super) async fn handle<L: Log, C: Clock, V: CustomerOrders>(
    State(eraser): State<Eraser<L, C, V>>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Result<Json<Erased>, Problem> {
    let Path(customer_id) = path.map_err(|error| Problem::not_found(error.body_text()))?;
    let (caller, counts) = (Caller::of(request.extensions()), AccessCounts::of(request.extensions()));
    let (_, value) = body::json(request, &["application/json"]).await?;
    let mut fields = Fields::of(value, "", "must be an object with \"reason\"")?;
    let attribution = attribution(&mut fields, &caller);
    fields.finish()?;
    // Postgres cannot compare with a NUL, and no customer id has one.
    if customer_id.contains('\0') {
        let (error, progress) = (ForgetError::Unknown(customer_id), Progress::Nothing);
        return Err(problem(&Unfinished { error, progress }));
    }
    // In a box, a request does not hold this while its body arrives.
    let forgotten = Box::pin(eraser.forget(&customer_id, &attribution, Instant::now() + PATIENCE));
    let Forgotten { orders, in_the_clear, open: open_orders, position } =
        forgotten.await.map_err(|error| problem(&error))?;
    counts.note_erasure();
    info!(principal = caller.name(), orders, "the personal data of a customer were erased");
    Ok(Json(Erased { customer_id, orders, in_the_clear, open_orders, position: position.to_string() }))
}

fn problem(Unfinished { error, progress }: &Unfinished) -> Problem {
    match error {
        ForgetError::Unknown(_) => Problem::not_found(error.to_string()),
        ForgetError::OrdersOpen(_) => Problem::conflict(error.to_string()),
        ForgetError::ViewsBehind
        | ForgetError::Silent(_)
        | ForgetError::Keys(_)
        | ForgetError::Views(_)
        | ForgetError::Append(_)
        | ForgetError::Encode(_) => {
            let done = progress.as_str();
            warn!(%error, done, "a customer could not be forgotten");
            Problem::later(format!("the customer is not forgotten yet: {error}; {done}; send the same request again"))
        }
    }
}

pub(super) fn described() -> Operation {
    let erased = Erased {
        customer_id: "VINET".to_owned(),
        orders: 2,
        in_the_clear: 0,
        open_orders: Vec::new(),
        position: "4711".to_owned(),
    };
    let refused = |error| problem(&Unfinished { error, progress: Progress::Nothing });
    Operation::post(PATH, "forgetCustomer", "operators", "Erase a customer's personal data")
        .description(
            "Tenuto destroys the keys that seal the data. The log, the views and their copies remain as they are, and the \
             data in them can no longer be read. This cannot be reversed. The stream `erasures` informs holders of \
             copies. A repetition is safe, and erases data that were recorded since. 409 while an order of the customer \
             has not ended.",
        )
        .parameter(json!({
            "name": "id",
            "in": "path",
            "required": true,
            "description": "The shop's id of the customer.",
            "schema": { "type": "string", "minLength": 1 },
            "example": "VINET",
        }))
        .body(json!({ "$ref": "#/components/requestBodies/Instruction" }))
        .answer(
            200,
            "The data are erased. Other instances use a key that they have in memory for at most ten seconds.",
            "Forgotten",
            &erased,
        )
        .refusal("No order has this customer id.", [("customer", refused(ForgetError::Unknown("VINTE".to_owned())))])
        .refusal("Orders still need the data.", [(
            "orders",
            refused(ForgetError::OrdersOpen(vec![example::ORDER.to_owned()])),
        )])
        .shared(Shared::OF_A_BODY).shared([Shared::WrongInstruction])
}

//! `GET /audit/repeats`: how many requests were handled, and how many calls repeated one of them
//! without effect.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http_problem::Problem;
use serde::Serialize;
use sqlx::PgPool;

use crate::notifications::Notifications;
use crate::orders::Orders;
use crate::participant::{Context, Participant};
use crate::payments::Payments;
use crate::problem::of_database;
use crate::record::Record;
use crate::shipping::Shipping;

#[derive(Debug, Serialize)]
struct Tally {
    participant: &'static str,
    action: String,
    /// The number of different keys.
    handled: i64,
    /// The number of calls with a handled key.
    repeated: i64,
}

pub(crate) fn routes(context: &Context) -> Router {
    Router::new().route("/audit/repeats", get(repeats)).with_state(context.pool.clone())
}

async fn repeats(State(pool): State<PgPool>) -> Result<Json<Vec<Tally>>, Problem> {
    Ok(Json(tally(&pool).await.map_err(of_database)?))
}

async fn tally(pool: &PgPool) -> Result<Vec<Tally>, sqlx::Error> {
    const RECORDS: [(&str, Record); 4] = [
        (Orders::NAME, Orders::RECORD),
        (Payments::NAME, Payments::RECORD),
        (Shipping::NAME, Shipping::RECORD),
        (Notifications::NAME, Notifications::RECORD),
    ];
    let mut tallies = Vec::new();
    for (participant, record) in RECORDS {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(record.repeats).fetch_all(pool).await?;
        tallies.extend(rows.into_iter().map(|(action, handled, repeated)| Tally {
            participant,
            action,
            handled,
            repeated,
        }));
    }
    Ok(tallies)
}

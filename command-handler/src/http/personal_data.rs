//! `GET /orders/{id}/personal-data`: what the placeholders in a request by events stand for, as long as they can be read.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::order::PersonalData;
use http_problem::Problem;

use super::Handle;
use super::in_time::in_time;
use super::refused::{named, problem};
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Claim;

pub(super) async fn handle<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<PersonalData>, Problem> {
    let (order_id, _) = named(path, String::as_str)?;
    let read = async { endpoint.orchestrator.personal_data(&order_id).await.map_err(|error| problem(error, "")) };
    match in_time(read).await? {
        Claim::Readable(personal) => Ok(Json(personal)),
        Claim::Erased => {
            Err(Problem::new(StatusCode::GONE, format!("the personal data of order {order_id} were erased")))
        }
        Claim::Unreadable(why) => Err(Problem::new(
            StatusCode::FAILED_DEPENDENCY,
            format!("the personal data of order {order_id} cannot be read: {why}"),
        )),
    }
}

//! `POST /orders/{id}/{cancel,pause,resume,retry,skip}`: an operator acts on an order.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use http_problem::Problem;

use super::fields::Fields;
use super::in_time::in_time;
use super::instruction::{self, OperatorAction};
use super::place::Receipt;
use super::refused::{named, problem};
use super::{Handle, body};
use crate::clock::Clock;
use crate::log::Log;

pub(super) async fn handle<L: Log, C: Clock>(
    action: OperatorAction,
    State(endpoint): State<Handle<L, C>>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let (order_id, _) = named(path, String::as_str)?;
    let (_, value) = body::json(request, &["application/json"]).await?;
    let mut fields = Fields::of(value, "", "must be an object with \"reason\"")?;
    let instruction = instruction::take(action, &mut fields);
    fields.finish()?;
    let command = instruction.command(endpoint.orchestrator.clock().now());
    let operated = async { endpoint.orchestrator.operate(order_id, command).await.map_err(|error| problem(error, "")) };
    let accepted = in_time(operated).await?;
    Ok((StatusCode::ACCEPTED, Json(Receipt::from(&accepted))))
}

//! `POST /orders/{id}/{cancel,note,pause,resume,retry,skip}`: an operator acts on an order.

use access::Caller;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Request;
use axum::response::Response;
use http_problem::Problem;
use http_request::{Fields, body};
use serde_json::json;

use super::endpoint::Handle;
use super::in_time::in_time;
use super::instruction::{self, OperatorAction};
use super::openapi::{Operation, Shared, order_path, parameter_ref};
use super::own;
use super::receipt;
use super::refused::{named, problem};
use crate::clock::Clock;
use crate::instruction::Instruction;
use crate::log::Log;
use crate::second_person::Asker;

pub(super) fn path(action: OperatorAction) -> String {
    order_path(&format!("/{}", action.as_str()))
}

pub(super) async fn handle<L: Log, C: Clock>(
    action: OperatorAction,
    State(endpoint): State<Handle<L, C>>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (order_id, _) = named(path, String::as_str)?;
    let caller = Caller::of(request.extensions());
    let (_, value) = body::json(request, &["application/json"]).await?;
    let mut fields = Fields::of(value, "", "must be an object with \"reason\"")?;
    let instruction = instruction::take(action, &mut fields, &caller);
    fields.finish()?;
    let asker = Asker::of(&caller, operation(action), &endpoint.second_person);
    let instruction = Instruction { asker, ..instruction };
    let operated = async {
        own::require(&endpoint.orchestrator, &caller, operation(action), &order_id, None).await?;
        endpoint.orchestrator.carry_out(order_id, &instruction).await.map_err(|error| problem(error, ""))
    };
    Ok(receipt::accepted(&in_time(operated).await?))
}

/// What a caller must be allowed to do.
fn operation(action: OperatorAction) -> access::Operation {
    match action {
        OperatorAction::Cancel => access::Operation::CancelOrder,
        OperatorAction::Note
        | OperatorAction::Pause
        | OperatorAction::Resume
        | OperatorAction::Retry
        | OperatorAction::Skip => access::Operation::OperateOrder,
    }
}

pub(super) fn described(action: OperatorAction) -> Operation {
    let (id, summary, description, body) = match action {
        OperatorAction::Cancel => (
            "cancelOrder",
            "Cancel an order",
            "Tenuto undoes completed steps, the latest first, and the order ends `CANCELED`. Steps that wait are given up \
             at once; calls in flight are concluded first. A pause ends. 409 for an order that is being undone, or has \
             ended.",
            "Instruction",
        ),
        OperatorAction::Note => (
            "noteOrder",
            "Leave a note on an order",
            "`reason` is the text of the note. The order's history has it, with its author; nothing else about the \
             order changes. 409 for an order that has ended.",
            "Instruction",
        ),
        OperatorAction::Pause => (
            "pauseOrder",
            "Pause an order",
            "No step starts, and no deadline passes; answers are recorded. 409 for an order that is paused, stuck, or has \
             ended.",
            "Instruction",
        ),
        OperatorAction::Resume => (
            "resumeOrder",
            "Resume a paused order",
            "Deadlines are postponed by the length of the pause. 409 for an order that is not paused.",
            "Instruction",
        ),
        OperatorAction::Retry => (
            "retryOrder",
            "Try again now",
            "Tenuto tries a step now that waits for its next attempt, or that the order is stuck at; without `step`, each \
             such step. 409 if the order has no such step.",
            "RetryInstruction",
        ),
        OperatorAction::Skip => (
            "skipStep",
            "Assume the answer of a step",
            "The step counts as answered: Tenuto no longer waits for its answer, and sends no request. If the order is \
             undone, the step is undone too, because it is unknown whether it acted. 409 for a step that has not begun, \
             or has ended.",
            "SkipInstruction",
        ),
    };
    Operation::post(&path(action), id, "operators", summary)
        .description(description)
        .parameter(parameter_ref("OrderId"))
        .body(json!({ "$ref": format!("#/components/requestBodies/{body}") }))
        .shared(Shared::OF_A_BODY)
        .shared([
            Shared::Operated,
            Shared::NothingToOperateOn,
            Shared::NotNow,
            Shared::HistoryIncomplete,
            Shared::WrongInstruction,
        ])
}

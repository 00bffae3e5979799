//! `POST /orders/batch`: an operator acts on many orders at once, named or matching a filter.
//!
//! The answer (NDJSON) has a line for each order as soon as it is decided, in the order of the ids.
//! So a client that loses the connection resumes after the last reported order. Neither client nor
//! server holds the results in memory.

mod ask;
mod line;
mod request;

use std::convert::Infallible;
use std::sync::Arc;

use access::Caller;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, header};
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use domain::order::{Refusal, State as OrderState};
use futures::stream;
use http_problem::Problem;
use http_request::body;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use self::line::Line;
use self::request::{Batch, checked};
use super::in_time::{PATIENCE, postgres_in_time};
use super::openapi::{Operation, Shared, body as described_body, example, filter, json_limits, schema_ref};
use super::refused;
use crate::batches::{Batches, Counted, MAX_BATCHES, NotBegun, NotCounted, NotTaken, Report, Running, Which};
use crate::clock::Clock;
use crate::instruction::Instruction;
use crate::log::Log;
use crate::orchestrator::CommandError;
use crate::participants::AllParticipants;
use crate::second_person::Asker;
use crate::selection::Selection;

pub(super) use self::ask::not_settled;
pub(super) use self::request::{MAX_ORDERS, selected};

pub(super) const PATH: &str = "/orders/batch";

/// The media type of an answer in lines.
pub(super) const MEDIA_TYPE: &str = "application/x-ndjson";

/// The batches of this instance.
pub(super) type BatchesOf<L, C, V> = Arc<Batches<L, AllParticipants<L>, C, V>>;

pub(super) async fn handle<L: Log, C: Clock, V: Selection>(
    State(batches): State<BatchesOf<L, C, V>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let caller = Caller::of(request.extensions());
    let (_, value) = body::json(request, &["application/json"]).await?;
    let Batch { instruction, mut which, selection, dry_run } = checked(value, &caller)?;
    let too_many = || Problem::later(format!("{MAX_BATCHES} batches are being worked on"));
    let turn = batches.turn().ok_or_else(too_many)?;
    let answered_by = Instant::now() + PATIENCE;
    let counted = postgres_in_time(batches.count(&mut which)).await?.map_err(not_counted)?;
    let rule = batches.second_person.of_batch(instruction.operation.as_str(), counted.matches);
    if let (Some(rule), Some(principal), false, 2..) = (&rule, caller.principal(), dry_run, counted.matches) {
        return ask::ask(&batches, (instruction, selection), counted, rule, &principal.name).await;
    }
    // For one order alone, the rules are those of the order.
    let asker = Asker::of(&caller, access::Operation::OperateBatch, &batches.second_person);
    let instruction = Instruction { asker, ..instruction };
    let which = if dry_run { Which::Named(Vec::new()) } else { which };
    run(&batches, turn, answered_by, (counted, rule.is_some() && counted.matches > 1), instruction, which).await
}

/// Runs a batch, and answers with a line for each order.
pub(super) async fn run<L: Log, C: Clock, V: Selection>(
    batches: &Batches<L, AllParticipants<L>, C, V>,
    turn: OwnedSemaphorePermit,
    answered_by: Instant,
    (Counted { matches, before }, needs_approval): (Counted, bool),
    instruction: Instruction,
    which: Which,
) -> Result<Response, Problem> {
    let beginning = Report::Beginning { matches, before, needs_approval };
    let Running { reports, begins } = batches.run(turn, beginning, instruction, which);
    // If the first order cannot be decided, the answer is 503. A batch that only waits for a free
    // driver begins.
    if let Ok(Ok(Err(error))) = timeout_at(answered_by, begins).await {
        return Err(match error {
            NotBegun::Command(error) => refused::problem(error, ""),
            NotBegun::Stopped(reason) => Problem::later(format!("{reason}; send the same request again")),
        });
    }
    let lines = stream::unfold(reports, |mut reports| async {
        let report = reports.recv().await?;
        Some((Ok::<_, Infallible>(Line::from(report).bytes()), reports))
    });
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::from_stream(lines)).into_response())
}

pub(super) fn not_counted(error: NotCounted) -> Problem {
    match error {
        NotCounted::Unreadable => Problem::later("the views cannot be read"),
        NotCounted::Unknown(unknown) => Problem::at(&format!("/where{}", unknown.pointer()), unknown.to_string()),
    }
}

pub(super) fn described() -> Operation {
    Operation::post(PATH, "operateOnOrders", "operators", "Do the same to many orders")
        .description(&format!(
            "The orders are named (`orders`, at most {MAX_ORDERS}), or match a filter (`where`), or are all (`all`). The \
             answer (NDJSON) has a line for each order as soon as it is decided: the answer that the command for this \
             order alone would get, with its `orderId`. The first line has the number of orders, the last is `{{\"done\": \
             true}}`.\n\nThe filter matches orders as the views have them, and only orders that were placed before the \
             batch began (`before`). Each order is decided as it stands in the log: an order that has proceeded meanwhile \
             is refused with its state.\n\nLines come in the order of the ids (for named orders, in the order of the \
             request), so a client can resume an interrupted batch after the last reported order: send it again with \
             `after`, and with `before` as `where.placedAt.to` to select the same orders. A batch is interrupted when its \
             connection is, or with `{{\"stopped\": …}}`: the instance shuts down, the views cannot be read, or the last \
             100 orders all failed. An order with status 503 was not decided; send its id again in `orders`. An order \
             that was decided just before the answer was cut off is refused the next time, with the resulting state."
        ))
        .body(described_body("Batch", &json_limits(), examples()))
        .answer_with(200, json!({
            "description": "A line for each order.",
            "content": { MEDIA_TYPE: { "schema": schema_ref("BatchLine"), "example": example_of_lines() } },
        }))
        .answer_with(202, json!({
            "description": "A second person has to approve the batch. `Location` has the address of the request.",
            "content": { "application/json": { "schema": schema_ref("AskedBatch") } },
        }))
        .shared(Shared::OF_A_BODY).shared([Shared::WrongInstruction])
}

fn example_of_lines() -> String {
    let beginning = Report::Beginning { matches: 2, before: Timestamp::UNIX_EPOCH, needs_approval: false };
    let taken = example::accepted(13, 16).map(Report::Taken);
    let not_now = Refusal::NotNow { operation: "cancel", state: OrderState::Completed };
    let because = NotTaken::Command(CommandError::Refused(not_now));
    let refused = Report::Refused { order_id: "10249".to_owned(), because };
    let reports = [Some(beginning), taken, Some(refused), Some(Report::Done)].into_iter().flatten();
    reports.map(|report| String::from_utf8_lossy(&Line::from(report).bytes()).into_owned()).collect()
}

fn examples() -> [(&'static str, Value); 6] {
    let first = "1996-07-01T00:00:00Z";
    let last = "1996-08-01T00:00:00Z";
    [
        (
            "named",
            json!({
                "operation": "cancel", "reason": "recalled", "actor": "ann", "orders": [example::ORDER, "10249"],
            }),
        ),
        (
            "matching",
            json!({
                "operation": "pause",
                "reason": "the warehouse counts its stock",
                "where": {
                    "state": ["RUNNING", "WAITING"],
                    "status": ["Placed"],
                    "customer": ["VINET"],
                    "workflow": { "name": "order-fulfilment", "version": 1 },
                    "placedAt": { "from": first, "to": last },
                    "updatedAt": { "from": first },
                },
                "after": example::ORDER,
            }),
        ),
        (
            "ended",
            json!({
                "operation": "cancel", "reason": "how many are there", "dryRun": true, "where": { "endedAt": { "to": last } },
            }),
        ),
        (
            "stuck",
            json!({
                "operation": "retry",
                "reason": "payments is up again",
                "where": filter::example(),
            }),
        ),
        ("all", json!({ "operation": "retry", "reason": "payments is up again", "step": "charge", "all": true })),
        (
            "skip",
            json!({
                "operation": "skip", "reason": "sent by hand", "step": "ship", "outcome": "shipped",
                "data": { "by": "hand" }, "orders": [example::ORDER],
            }),
        ),
    ]
}

/// Whether a body asks for a batch.
#[cfg(test)]
pub(super) fn is_one(body: serde_json::Value) -> bool {
    checked(body, &Caller::Anyone).is_ok()
}

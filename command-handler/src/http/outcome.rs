//! `POST /orders/{id}/steps/{step}/outcome`: a participant answers later, or a person does.

use access::Caller;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::IntoResponse;
use domain::ids::OrderId;
use domain::order::request::Violation;
use domain::order::{Refusal, Signal, State as OrderState};
use http_problem::Problem;
use http_request::{Fields, body};
use serde_json::{Value, json};
use signing::callback::Rejected;

use super::answerer::{AnswerQuery, may_answer, prove, refused};
use super::endpoint::Handle;
use super::in_time::in_time;
use super::openapi::{Operation, Shared, content, example, json_limits, order_path, parameter_ref, schema_ref};
use super::receipt::Receipt;
use super::refused::{named, problem};
use super::{idempotency_key, instruction};
use crate::answer::{data_fault, outcome_fault};
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::CommandError;

/// The longest source and id of an event, in characters.
pub(super) const MAX_KEY: usize = 512;

const CLOUD_EVENT: &str = "application/cloudevents+json";

pub(super) async fn handle<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let (order_id, (_, step)) = named(path, |(id, _)| id.as_str())?;
    let query = AnswerQuery::read(query.as_deref())?;
    let caller = Caller::of(request.extensions());
    let orchestrator = &endpoint.orchestrator;
    let callbacks = orchestrator.participants().http().callbacks();
    let still_waits = in_time(async {
        let waits = orchestrator.waits_for(&order_id, &step, query.direction).await;
        waits.map_err(|error| problem(error, ""))
    });
    let proof = prove(callbacks, (&order_id, &step), &query, orchestrator.clock().now().at, still_waits).await?;
    in_time(may_answer(orchestrator, &caller, proof, (&order_id, &step, query.direction))).await?;
    let Received { answer: Answer { outcome, data, signature }, key, pointer } = received(request, &caller).await?;
    if signature.is_some() {
        in_time(unless_a_second_person_has_to_approve(&endpoint, &order_id, &step)).await?;
    }
    let now = orchestrator.clock().now();
    let signal = Signal { step, direction: query.direction, outcome: Some(outcome), data, key, now };
    let recorded = async {
        let answered = match signature {
            None => orchestrator.signal(order_id, signal).await,
            Some((actor, reason)) => orchestrator.signal_by(order_id, signal, actor, reason).await,
        };
        answered.map_err(|error| problem(error, pointer))
    };
    let accepted = in_time(recorded).await?;
    Ok((StatusCode::ACCEPTED, Json(Receipt::from(&accepted))))
}

/// A person who answers in place of a participant does what a skip does, which can be asked for.
async fn unless_a_second_person_has_to_approve<L: Log, C: Clock>(
    endpoint: &Handle<L, C>,
    order_id: &OrderId,
    step: &str,
) -> Result<(), Problem> {
    let needs = endpoint.orchestrator.answer_needs_approval(order_id, step, &endpoint.second_person).await;
    if needs.map_err(|error| problem(error, ""))? {
        let detail = format!(
            "step {step:?} waits for a participant, and a second person has to approve its answer: skip the step \
             instead, which asks for that"
        );
        return Err(Problem::forbidden(detail));
    }
    Ok(())
}

/// A request as it was read.
struct Received {
    answer: Answer,
    key: Option<String>,
    /// The pointer to the answer in the body.
    pointer: &'static str,
}

async fn received(request: Request<Body>, caller: &Caller) -> Result<Received, Problem> {
    let (headers, value) = body::json(request, &["application/json", CLOUD_EVENT]).await?;
    let Envelope { answer, pointer, key } = unwrapped(&headers, value)?;
    let key = idempotency_key::read(&headers)?.or(key);
    Ok(Received { answer: checked(answer, pointer, caller)?, key, pointer })
}

/// An answer, and its envelope.
struct Envelope {
    answer: Value,
    /// The pointer to the answer in the body.
    pointer: &'static str,
    key: Option<String>,
}

/// The answer itself. A `CloudEvent` (1.0, structured or binary mode) is unwrapped, and its source
/// and id are the key of the answer.
fn unwrapped(headers: &HeaderMap, value: Value) -> Result<Envelope, Problem> {
    let structured = headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|media_type| media_type.to_ascii_lowercase().starts_with(CLOUD_EVENT));
    if structured {
        let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let errors = missing(|name| text(name).map(str::to_owned), "/");
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let key = key_of(text("source"), text("id"))?;
        let answer = value.get("data").cloned().unwrap_or(Value::Null);
        return Ok(Envelope { answer, pointer: "/data", key });
    }
    let attribute = |name: &str| {
        let value = headers.get(format!("ce-{name}"))?.to_str().ok()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    if headers.keys().any(|name| name.as_str().starts_with("ce-")) {
        let errors = missing(attribute, "ce-");
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let key = key_of(attribute("source").as_deref(), attribute("id").as_deref())?;
        return Ok(Envelope { answer: value, pointer: "", key });
    }
    Ok(Envelope { answer: value, pointer: "", key: None })
}

/// The key of an event's answer, which the order's history keeps.
fn key_of(source: Option<&str>, id: Option<&str>) -> Result<Option<String>, Problem> {
    let key = source.zip(id).map(|(source, id)| format!("{source} {id}"));
    if key.as_ref().is_some_and(|key| key.chars().count() > MAX_KEY || key.chars().any(char::is_control)) {
        let detail = format!("source and id must be at most {MAX_KEY} characters together, without control characters");
        return Err(Problem::at("/id", detail));
    }
    Ok(key)
}

/// The required attributes that a `CloudEvent` lacks.
fn missing(attribute: impl Fn(&str) -> Option<String>, prefix: &str) -> Vec<Violation> {
    let violation =
        |name: &str, detail: &str| Violation { pointer: format!("{prefix}{name}"), detail: detail.to_owned() };
    let mut errors: Vec<Violation> = ["id", "source", "type"]
        .iter()
        .filter(|name| attribute(name).is_none())
        .map(|name| violation(name, "a CloudEvent must have it, as a text that is not empty"))
        .collect();
    if attribute("specversion").as_deref() != Some("1.0") {
        errors.push(violation("specversion", "must be \"1.0\""));
    }
    errors
}

/// An answer, with the person and the reason if it has them.
struct Answer {
    outcome: String,
    data: Value,
    signature: Option<(String, Option<String>)>,
}

fn checked(answer: Value, at: &str, caller: &Caller) -> Result<Answer, Problem> {
    let what = "must be an object with \"outcome\" and, if there is any, \"data\"";
    let mut fields = Fields::of(answer, at, what)?;
    let data = fields.take("data").unwrap_or_default();
    let outcome = fields.required_text("outcome", "the named answer", outcome_fault);
    if let Some(fault) = data_fault(&data) {
        fields.wrong("data", fault);
    }
    let signature = instruction::signature(&mut fields, caller);
    fields.finish()?;
    Ok(Answer { outcome, data, signature })
}

pub(super) fn path() -> String {
    order_path("/steps/{step}/outcome")
}

pub(super) fn described() -> Operation {
    Operation::post(&path(), "recordOutcome", "participants", "Answer a step's request")
        .description(
            "For a participant that accepted a request with 202 and answers later, at the URL that the request had in \
             `Tenuto-Callback`. Also for a person whose answer an `await` step waits for: `actor` and `reason` then name \
             the person and the reason, and the log records them with the answer. The body is the answer itself, or a \
             CloudEvent 1.0 in structured or binary mode.\n\nA key identifies an answer: the `Idempotency-Key`, or else \
             `source` and `id` of the CloudEvent. The same answer again under a known key is 202 and is not recorded \
             again; another answer under it is 422. Without a key, an answer that equals the last one counts as the same. \
             A 202 always means that the answer is recorded.",
        )
        .parameter(parameter_ref("OrderId"))
        .parameter(json!({
            "name": "step",
            "in": "path",
            "required": true,
            "description": "The step's name in the order's workflow.",
            "schema": schema_ref("Name"),
            "example": "ship",
        }))
        .parameter(json!({
            "name": "direction",
            "in": "query",
            "description": "`undo`: the answer to an undo that was accepted with 202. The `Tenuto-Callback` of an undo \
                            has it. Any outcome then means that the step is undone.",
            "schema": { "enum": ["do", "undo"], "default": "do" },
            "example": "do",
        }))
        .parameter(json!({
            "name": "token",
            "in": "query",
            "description": "The token of the callback. The `Tenuto-Callback` of a request has it: it lets its bearer answer \
                            that request, until 30 days after the deadline. Without authentication, an answer without a \
                            token is accepted as well.",
            "schema": { "type": "string", "maxLength": 200 },
        }))
        .parameter(parameter_ref("IdempotencyKey"))
        .parameter(event_header(
            "ce-specversion",
            "For a CloudEvent in binary mode. Any `ce-` header selects this mode; the body is then the data of the event, \
             as `application/json`.",
            &json!({ "const": "1.0" }),
            "1.0",
        ))
        .parameter(event_header("ce-id", "Required in binary mode.", &json!({ "type": "string", "minLength": 1 }), "4711"))
        .parameter(event_header(
            "ce-source",
            "Required in binary mode.",
            &json!({ "type": "string", "format": "uri-reference", "minLength": 1 }),
            "/shipping",
        ))
        .parameter(event_header(
            "ce-type",
            "Required in binary mode; not read otherwise.",
            &json!({ "type": "string", "minLength": 1 }),
            "com.example.shipping.shipped",
        ))
        .body(described_body())
        .answer(
            202,
            "The answer is in the log, and with it the events that follow at once.",
            "Receipt",
            &example::receipt(13, 16),
        )
        .refusal("The token is wrong. Nothing of the order was read.", [
            ("expired", refused(Rejected::Expired)),
            ("forged", refused(Rejected::Forged)),
            ("malformed", refused(Rejected::Malformed)),
        ])
        .refusal("The order, or the step in its workflow, does not exist.", [
            ("order", example::no_such_order()),
            ("step", example::no_such_step()),
        ])
        .refusal(
            "The step does not wait for an answer, or no longer does (`state` is the order's, `detail` describes how the \
             step ended and whether the answer contradicts it), or it has the maximum number of answers.",
            conflicts(),
        )
        .refusal(
            "The answer or its CloudEvent is wrong, the step does not have the outcome, or the key belongs to another \
             answer.",
            wrong_answers(),
        )
        .shared(Shared::OF_A_BODY).shared([Shared::HistoryIncomplete])
}

fn event_header(name: &str, description: &str, schema: &Value, example: &str) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": schema, "example": example })
}

fn described_body() -> Value {
    let event = json!({
        "specversion": "1.0",
        "id": "4711",
        "source": "/shipping",
        "type": "com.example.shipping.shipped",
        "time": "1996-07-16T09:00:00Z",
        "datacontenttype": "application/json",
        "data": { "outcome": "shipped", "data": { "tracking": "T-1" } },
    });
    let answers = [
        ("shipped", json!({ "outcome": "shipped", "data": { "tracking": "T-1" } })),
        ("withoutData", json!({ "outcome": "out_of_stock" })),
        (
            "byAPerson",
            json!({ "outcome": "shipped", "actor": "ann", "reason": "the carrier confirmed it on the phone" }),
        ),
    ];
    let mut body = json_limits();
    body["required"] = json!(true);
    body["content"] = json!({ "application/json": content("Answer", answers), CLOUD_EVENT: content("CloudEvent", [("shipped", event)]) });
    body
}

fn conflicts() -> [(&'static str, Problem); 4] {
    let refused = |refusal| problem(CommandError::Refused(refusal), "");
    let (step, recorded) = (|| "ship".to_owned(), str::to_owned);
    let (completed, canceled) = (OrderState::Completed, OrderState::Canceled);
    [
        ("notWaiting", refused(Refusal::NotWaiting { step: "charge".to_owned(), state: OrderState::Running })),
        (
            "contradicts",
            refused(Refusal::Contradicts {
                step: step(),
                state: completed,
                recorded: recorded("answered \"shipped\""),
            }),
        ),
        (
            "tooLate",
            refused(Refusal::TooLate {
                step: step(),
                state: canceled,
                recorded: recorded("failed: no answer in time"),
            }),
        ),
        ("tooManyAnswers", refused(Refusal::TooManyAnswers { step: step(), count: 100 })),
    ]
}

fn wrong_answers() -> [(&'static str, Problem); 3] {
    let refused = |refusal| problem(CommandError::Refused(refusal), "");
    let step = || "ship".to_owned();
    let known = ["shipped", "backordered", "out_of_stock"].map(str::to_owned).to_vec();
    let event = missing(|name| Some(if name == "specversion" { "0.3" } else { "4711" }.to_owned()), "/");
    let (key, recorded) = ("4711".to_owned(), "\"backordered\"".to_owned());
    [
        ("otherAnswer", refused(Refusal::OtherAnswer { step: step(), key, recorded })),
        ("unknownOutcome", refused(Refusal::UnknownOutcome { step: step(), outcome: "eaten".to_owned(), known })),
        ("cloudEvent", Problem::invalid(event)),
    ]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::answer_shapes::{golden, shapes};

    /// A body of each shape, as a later answer. The callback refuses every body that it does not
    /// accept, and guesses nothing.
    #[tokio::test]
    async fn what_the_callback_takes_is_the_golden_table() {
        let mut text =
            String::from("What the callback of a participant takes. UPDATE_GOLDEN=1 rewrites this file.\n\n");
        for shape in shapes() {
            let request = Request::post("/").header("content-type", shape.media_type).body(shape.body.into());
            let line = match received(request.unwrap(), &Caller::Anyone).await {
                Ok(Received { answer: Answer { outcome, data, .. }, .. }) => {
                    let data = data.to_string();
                    let data = if data.len() > 60 { format!("of {} bytes", data.len()) } else { data };
                    format!("taken: {}, data {data}", outcome.chars().take(70).collect::<String>())
                }
                Err(problem) => format!("{}: {}", problem.status(), problem.detail()),
            };
            let _ = writeln!(text, "{}: {line}", shape.name);
        }
        golden("callbacks.txt", &text);
    }
}

//! `POST /orders/{id}/steps/{step}/outcome`: a participant answers later.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::IntoResponse;
use domain::ids::OrderId;
use domain::order::request::Violation;
use domain::order::{Direction, Refusal, Signal};
use serde_json::Value;
use tracing::warn;

use super::place::Receipt;
use super::problem::Problem;
use super::{Handle, body, idempotency};
use crate::answer::{data_fault, outcome_fault};
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::CommandError;

/// The longest source and id of an event, in characters.
const LONGEST_KEY: usize = 512;

const CLOUD_EVENT: &str = "application/cloudevents+json";

pub(super) async fn handle<L: Log, C: Clock>(
    State(endpoint): State<Handle<L, C>>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request<Body>,
) -> Result<impl IntoResponse, Problem> {
    let Path((id, step)) = path.map_err(|error| Problem::new(StatusCode::NOT_FOUND, error.body_text()))?;
    let order_id = OrderId::new(id)
        .map_err(|error| Problem::new(StatusCode::NOT_FOUND, format!("there is no such order: the id {error}")))?;
    let (headers, value) = body::json(request, &["application/json", CLOUD_EVENT]).await?;
    let envelope = unwrapped(&headers, value)?;
    let key = idempotency::key(&headers)?.or(envelope.key);
    let (outcome, data) = checked(envelope.answer, envelope.pointer)?;
    let signal =
        Signal { step, direction: Direction::Do, outcome, data, key, now: endpoint.orchestrator.clock().now() };
    let accepted =
        endpoint.orchestrator.signal(order_id, signal).await.map_err(|error| problem(error, envelope.pointer))?;
    Ok((StatusCode::ACCEPTED, Json(Receipt::from(&accepted))))
}

/// An answer, and what came around it.
struct Envelope {
    answer: Value,
    /// Where the answer stands in the body.
    pointer: &'static str,
    key: Option<String>,
}

/// The answer itself, out of a `CloudEvent` (1.0, structured or binary mode) where it is one; an event's source and id are the
/// key of the answer.
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
    if key.as_ref().is_some_and(|key| key.chars().count() > LONGEST_KEY || key.chars().any(char::is_control)) {
        let detail =
            format!("source and id must be at most {LONGEST_KEY} characters together, without control characters");
        return Err(Problem::at("/id", detail));
    }
    Ok(key)
}

/// What a `CloudEvent` must have and this one has not.
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

fn checked(answer: Value, at: &str) -> Result<(String, Value), Problem> {
    let Value::Object(mut fields) = answer else {
        return Err(Problem::at(at, "must be an object with \"outcome\" and, if there is any, \"data\""));
    };
    let data = fields.remove("data").unwrap_or(Value::Null);
    let mut errors = Vec::new();
    let mut wrong =
        |pointer: &str, detail: String| errors.push(Violation { pointer: format!("{at}{pointer}"), detail });
    let outcome = match fields.remove("outcome") {
        None => {
            wrong("/outcome", "must be there: the named answer".to_owned());
            String::new()
        }
        Some(Value::String(outcome)) => {
            if let Some(fault) = outcome_fault(&outcome) {
                wrong("/outcome", fault);
            }
            outcome
        }
        Some(other) => {
            wrong("/outcome", format!("must be a text, found {other}"));
            String::new()
        }
    };
    if let Some(fault) = data_fault(&data) {
        wrong("/data", fault);
    }
    for unknown in fields.keys() {
        wrong(&format!("/{}", unknown.replace('~', "~0").replace('/', "~1")), "is not known here".to_owned());
    }
    if errors.is_empty() { Ok((outcome, data)) } else { Err(Problem::invalid(errors)) }
}

fn problem(error: CommandError, at: &str) -> Problem {
    match error {
        CommandError::UnknownOrder(_) => Problem::new(StatusCode::NOT_FOUND, error.to_string()),
        CommandError::Overloaded => Problem::later(error.to_string()),
        CommandError::Failed(ref reason) | CommandError::Broken(ref reason) => {
            warn!(reason, "an answer could not be taken");
            Problem::later("the answer could not be recorded; send it again")
        }
        CommandError::Refused(refusal) => match refusal {
            Refusal::UnknownStep { .. } => Problem::new(StatusCode::NOT_FOUND, refusal.to_string()),
            Refusal::UnknownOutcome { .. } => Problem::at(&format!("{at}/outcome"), refusal.to_string()),
            Refusal::NotWaiting { state, .. } => Problem::conflict(refusal.to_string(), Some(state.as_str())),
            Refusal::NotNow { state, .. } | Refusal::StepNotNow { state, .. } | Refusal::NothingToRetry { state } => {
                Problem::conflict(refusal.to_string(), Some(state.as_str()))
            }
            Refusal::TooManyAnswers { .. } | Refusal::AlreadyPlaced | Refusal::NotPlaced | Refusal::TotalTooLarge => {
                Problem::conflict(refusal.to_string(), None)
            }
        },
    }
}

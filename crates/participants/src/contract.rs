//! The contract between orchestrator and participant over HTTP. `by_events` has the same contract
//! by events.
//!
//! `POST {url}/{action}` with `{orderId, step, action, input}`. A 2xx answer means done, with its
//! outcome. 202 means that the answer comes to the callback. 400, 402, 409, 410, 422 and any 4xx
//! with `application/problem+json` refuse for good. 408, 425, 429 and 5xx mean: try again, with the
//! same `Idempotency-Key`. docs/participant/http.md has the table.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::wire::participants::ActionRequested;
use http_problem::{MEDIA_TYPE, Problem};
use reqwest::Url;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::problem::invalid;

/// A request to act.
#[derive(Debug)]
pub(crate) struct Request {
    /// The same for every attempt at one action.
    pub(crate) key: String,
    pub(crate) order_id: String,
    pub(crate) action: String,
    /// The input of the action; an empty object if it has none.
    pub(crate) input: Value,
    /// Everything that must be equal for equal keys.
    pub(crate) content: Value,
    /// The receiver of a later answer.
    pub(crate) answer_to: Option<AnswerTo>,
    /// The trace of the request, which a later answer continues.
    pub(crate) traceparent: Option<String>,
}

/// The receiver of a later answer.
#[derive(Debug, Clone)]
pub(crate) enum AnswerTo {
    /// A callback.
    Callback(Url),
    /// The stream of replies, as a reply to this request.
    Replies { request: Uuid, step: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    order_id: String,
    step: String,
    action: String,
    #[serde(default)]
    input: Value,
}

impl Request {
    pub(crate) fn read(action: &str, headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let key = idempotency_key(headers)?;
        let answer_to = callback(headers)?.map(AnswerTo::Callback);
        let traceparent = traceparent(headers);
        let content: Content = json_body(headers, body)?;
        if content.action != action {
            let stated = &content.action;
            return Err(invalid("/action", format!("is {stated:?}, but the request went to {action:?}")));
        }
        Self::of(key, content, answer_to, traceparent)
    }

    /// A request from an event with this id.
    pub(crate) fn of_event(id: Uuid, requested: &ActionRequested, traceparent: Option<&str>) -> Result<Self, Problem> {
        let ActionRequested { order_id, step, action, input, .. } = requested.clone();
        let answer_to = AnswerTo::Replies { request: id, step: step.clone() };
        let content = Content { order_id: order_id.into(), step, action, input };
        let traceparent = traceparent.filter(|value| is_traceparent(value)).map(str::to_owned);
        Self::of(requested.idempotency_key(), content, Some(answer_to), traceparent)
    }

    fn of(
        key: String,
        content: Content,
        answer_to: Option<AnswerTo>,
        traceparent: Option<String>,
    ) -> Result<Self, Problem> {
        let Content { order_id, step, action, input } = content;
        check_name("/orderId", &order_id)?;
        check_name("/step", &step)?;
        let input = match input {
            Value::Null => json!({}),
            Value::Object(_) => input,
            _ => return Err(invalid("/input", "must be an object")),
        };
        let content = json!({ "orderId": order_id, "step": step, "action": action, "input": input });
        Ok(Self { key, order_id, action, input, content, answer_to, traceparent })
    }

    /// The input in the form that an action expects.
    pub(crate) fn input<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        T::deserialize(&self.input).map_err(|error| invalid("/input", error.to_string()))
    }

    pub(crate) fn unknown_action(&self) -> Problem {
        Problem::not_found(format!("there is no action {:?}", self.action))
    }
}

/// A participant's answer to a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Done, with its outcome.
    Done { outcome: &'static str, data: Value },
    /// Accepted; the answer goes to the callback.
    Accepted,
    /// Refused for good.
    Refused(Problem),
}

impl Answer {
    pub(crate) fn done(outcome: &'static str, data: Value) -> Self {
        Self::Done { outcome, data }
    }

    /// The action was never done, or is undone already. From now on it is never done.
    pub(crate) fn nothing_to_undo() -> Self {
        Self::done("nothing_to_undo", json!({}))
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::Refused(Problem::conflict(detail))
    }

    /// The answer as it is sent, also to every repetition of the request.
    pub(crate) fn wire(&self) -> WireAnswer {
        match self {
            Self::Done { outcome, data } => {
                WireAnswer::new(StatusCode::OK, &json!({ "outcome": outcome, "data": data }))
            }
            Self::Accepted => WireAnswer::new(StatusCode::ACCEPTED, &json!({})),
            Self::Refused(problem) => WireAnswer::of(problem),
        }
    }
}

/// The status and the exact body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WireAnswer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl WireAnswer {
    fn new(status: StatusCode, body: &Value) -> Self {
        Self { status, body: body.to_string() }
    }

    pub(crate) fn of(problem: &Problem) -> Self {
        Self::new(problem.status(), &json!(problem))
    }
}

impl IntoResponse for WireAnswer {
    fn into_response(self) -> Response {
        let media_type = if self.status.is_success() { "application/json" } else { MEDIA_TYPE };
        (self.status, [(header::CONTENT_TYPE, media_type)], self.body).into_response()
    }
}

/// A name in the path: of an order or an action.
pub(crate) struct PathName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        check_name("", &name).map(|()| Self(name))
    }
}

/// The body of a request, or a problem: it is too large, or incomplete.
pub(crate) fn whole_body(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| Problem::with_status(rejection.status(), rejection.body_text()))
}

/// A JSON body in the expected form: malformed JSON is 400, another form is 422.
pub(crate) fn json_body<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    let media_type = text(headers, "content-type")?.unwrap_or_default();
    if !media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Problem::wrong_media_type("the body has to be application/json"));
    }
    serde_json::from_slice(body).map_err(|error| {
        // The parser may report a wrong value before a syntax error, so the whole text is checked.
        if error.is_data() && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
            invalid("", error.to_string())
        } else {
            Problem::bad_request(format!("the body cannot be read as JSON: {error}"))
        }
    })
}

/// The limit for a name, in characters.
const NAME_LENGTH_MAX: usize = 128;

/// Names are used in paths, keys and logs, so they consist of characters without meaning there (RFC
/// 3986, unreserved).
pub(crate) fn check_name(pointer: &str, name: &str) -> Result<(), Problem> {
    let fits = (1..=NAME_LENGTH_MAX).contains(&name.len());
    if fits && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) {
        return Ok(());
    }
    let rule = format!("must be 1 to {NAME_LENGTH_MAX} letters, digits, '-', '.', '_' and '~'");
    Err(invalid(pointer, rule))
}

/// A text for people: one line of limited length.
pub(crate) fn check_text(pointer: &str, text: &str, length_max: usize) -> Result<(), Problem> {
    if (1..=length_max).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(invalid(pointer, format!("must be 1 to {length_max} printable characters")))
}

/// The limit for an idempotency key, in characters.
const KEY_LENGTH_MAX: usize = 255;

/// `Idempotency-Key` as in the IETF draft, a quoted string (RFC 8941), or without quotes.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(value) = text(headers, "idempotency-key")? else {
        return Err(Problem::bad_request("the header Idempotency-Key is missing"));
    };
    let key = if value.starts_with('"') { quoted_string(value) } else { Some(value.to_owned()) };
    key.filter(|key| (1..=KEY_LENGTH_MAX).contains(&key.len()))
        .ok_or_else(|| Problem::bad_request("the header Idempotency-Key is not a string of 1 to 255 characters"))
}

/// The content of an RFC 8941 string.
fn quoted_string(value: &str) -> Option<String> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    let mut content = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => content.push(characters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            '"' => return None,
            _ => content.push(character),
        }
    }
    Some(content)
}

/// The limit for a callback, in characters.
const CALLBACK_LENGTH_MAX: usize = 2048;

fn callback(headers: &HeaderMap) -> Result<Option<Url>, Problem> {
    let Some(value) = text(headers, "tenuto-callback")? else { return Ok(None) };
    let url = Url::parse(value)
        .ok()
        .filter(|url| value.len() <= CALLBACK_LENGTH_MAX && matches!(url.scheme(), "http" | "https") && url.has_host());
    let refusal =
        || Problem::bad_request("the header Tenuto-Callback is not an absolute HTTP URL of at most 2048 characters");
    url.map(Some).ok_or_else(refusal)
}

/// A valid trace context. Any other value is ignored, as W3C Trace Context requires.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    is_traceparent(value).then(|| value.to_owned())
}

fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let hex = parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    hex && lengths == [2, 32, 16, 2] && parts[0] != "ff"
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let unreadable = |_| Problem::bad_request(format!("the header {name} is not plain text"));
    headers.get(name).map(|value| value.to_str().map_err(unreadable)).transpose()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn key_of(value: &'static str) -> Result<String, Problem> {
        idempotency_key(&HeaderMap::from_iter([("idempotency-key".parse().unwrap(), HeaderValue::from_static(value))]))
    }

    #[test]
    fn a_key_may_be_quoted_or_unquoted() {
        assert_eq!(key_of("\"order/1/ship\"").unwrap(), "order/1/ship");
        assert_eq!(key_of("order/1/ship").unwrap(), "order/1/ship");
        assert_eq!(key_of(r#""a\"b\\c""#).unwrap(), r#"a"b\c"#);
        for wrong in ["", "\"\"", "\"open", "\"a\"b\"", r#""a\b""#] {
            assert!(key_of(wrong).is_err(), "{wrong:?} was taken for a key");
        }
    }

    #[test]
    fn an_invalid_trace_context_is_not_forwarded() {
        let traced = |value| {
            traceparent(&HeaderMap::from_iter([("traceparent".parse().unwrap(), HeaderValue::from_static(value))]))
        };
        assert!(traced("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").is_some());
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(traced(wrong).is_none(), "{wrong:?} was handed on");
        }
    }
}

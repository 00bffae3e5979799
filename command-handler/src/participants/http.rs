//! Asking a participant over HTTP: one exchange for one recorded attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::order::{Direction, Reply};
use domain::workflow::{Final, Participant, Workflow};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::meaning::{Circumstances, Meaning, meaning};
use super::turns::{Admitted, ServiceState, Services};
use super::{Ask, NoAddress, NotSent, Participants, Settings, shortened};
use crate::answer::{data_fault, outcome_fault};

/// The largest answer that is read, in bytes: what it carries ends up in the order's history.
const LARGEST_ANSWER: usize = 256 * 1024;
/// What some write before their JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Participants over HTTP.
#[derive(Debug, Clone)]
pub struct HttpParticipants {
    client: reqwest::Client,
    settings: Settings,
    /// Where later answers are to be sent: this instance, or the load balancer before it.
    callback_base: String,
    services: Services,
}

impl HttpParticipants {
    /// Connections are kept, Nagle's algorithm is off, redirects are not followed: an answer is what the participant itself
    /// says. At most `most_calls` are made to one participant at once; an attempt waits for its turn, within its deadline.
    pub fn new(settings: Settings, callback_base: &str, most_calls: usize) -> Result<Self, reqwest::Error> {
        let client = http_client::builder()?
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let callback_base = callback_base.trim_end_matches('/').to_owned();
        Ok(Self { client, settings, callback_base, services: Services::new(most_calls) })
    }

    async fn exchange(&self, ask: &Ask, admitted: Admitted) -> Result<Reply, String> {
        let Participant::Http { url } = &ask.reach else {
            return Err("it is not reached over HTTP".to_owned());
        };
        let target = admitted.service().target(&self.settings, url, ask)?;
        let mut request = self
            .client
            .post(target)
            .timeout(ask.attempt.time_left(Utc::now()))
            .header("Idempotency-Key", format!("\"{}\"", ask.idempotency_key()))
            .header("Tenuto-Attempt", ask.attempt.number)
            .header("Tenuto-Callback", callback(&self.callback_base, ask))
            .json(&Told { order_id: &ask.order_id, step: &ask.attempt.step, action: &ask.action, input: &ask.input() });
        if let Some(undone) = ask.undone_key() {
            request = request.header("Tenuto-Undoes", format!("\"{undone}\""));
        }
        if let Some(traceparent) = &ask.traceparent {
            request = request.header("traceparent", traceparent);
        }
        let answer = async { reply(request.send().await.map_err(|error| plain(&error))?, ask).await };
        match answer.await {
            Ok((status, reply)) => {
                if is_failing(status) {
                    admitted.failed(&format!("it answered {status}"));
                } else {
                    admitted.answered();
                }
                Ok(reply)
            }
            Err(error) => {
                admitted.failed(&error);
                Err(error)
            }
        }
    }

    /// How each service that was called stands with this instance.
    pub fn states(&self) -> Vec<ServiceState> {
        self.services.states()
    }
}

/// The body of a request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    order_id: &'a OrderId,
    step: &'a str,
    action: &'a str,
    input: &'a Value,
}

impl Participants for HttpParticipants {
    type Turn = Option<Admitted>;

    async fn turn(&self, ask: &Ask, share: Option<usize>) -> Result<Self::Turn, NotSent> {
        let Participant::Http { url } = &ask.reach else { return Ok(None) };
        let service = self.services.at(url);
        service.serves(&ask.participant);
        // A setting that is missing here may be there after a restart, or at another instance: no attempt is used.
        service.target(&self.settings, url, ask).map_err(NotSent)?;
        let left = (ask.attempt.deadline - Utc::now()).to_std().unwrap_or(Duration::ZERO);
        service.admit(Instant::now() + left, share).await.map(Some)
    }

    async fn ask(&self, ask: Ask, turn: Self::Turn) -> Reply {
        let unclear = |error: &str| Reply::Unclear { error: shortened(error), retry_after: None };
        let Some(admitted) = turn else { return unclear("it is not reached over HTTP") };
        self.exchange(&ask, admitted).await.unwrap_or_else(|error| unclear(&error))
    }

    fn has_room(&self, reach: &Participant, share: usize) -> bool {
        match reach {
            Participant::Http { url } => self.services.at(url).has_room(share),
            Participant::Events => true,
        }
    }

    fn without_address(&self, workflow: &Workflow) -> Vec<NoAddress> {
        let without = |(name, participant): (&String, &Participant)| {
            let Participant::Http { url } = participant else { return None };
            let fault = self.services.at(url).address(&self.settings, url, name).err()?.clone();
            Some(NoAddress { participant: name.clone(), fault })
        };
        workflow.participants.iter().filter_map(without).collect()
    }
}

/// The status of an answer, and what it says.
async fn reply(response: Response, ask: &Ask) -> Result<(StatusCode, Reply), String> {
    let status = response.status();
    let retry_after = retry_after(response.headers(), Utc::now());
    let is_problem_type = is_problem_type(response.headers());
    let Body { bytes, broken } = limited(response).await;
    if let Some(error) = broken.filter(|_| status.is_success()) {
        return Err(error);
    }
    let circumstances = Circumstances {
        unsure: ask.attempt.unsure,
        is_problem: is_problem_type && serde_json::from_slice::<Map<String, Value>>(&bytes).is_ok(),
        is_final: is_final(status, &bytes, &ask.give_up_on),
    };
    let error = || shortened(&format!("answered {status}{}", detail(&bytes)));
    let reply = match meaning(status.as_u16(), circumstances) {
        Meaning::Done => done(&bytes),
        Meaning::Accepted => Reply::Accepted,
        Meaning::Refused => Reply::Refused { error: error() },
        Meaning::Unclear => Reply::Unclear { error: error(), retry_after },
        Meaning::Misconfigured { maybe_done } => Reply::Misconfigured { error: error(), retry_after, maybe_done },
    };
    Ok((status, reply))
}

/// Where a later answer goes. An undo's is told apart from that of what it undoes.
fn callback(base: &str, ask: &Ask) -> String {
    let direction = match ask.attempt.direction {
        Direction::Do => "",
        Direction::Undo => "?direction=undo",
    };
    format!("{base}/orders/{}/steps/{}/outcome{direction}", ask.order_id, ask.attempt.step)
}

fn is_problem_type(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/problem+json"))
}

/// Whether a status says that the service cannot act at all now. One that says "not now" of a single request can.
fn is_failing(status: StatusCode) -> bool {
    status.is_server_error()
}

/// `{outcome?, data?}`, or the data itself. The status has decided that it is done: what the history cannot keep as it came is
/// kept as a bounded text.
fn done(body: &[u8]) -> Reply {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if body.is_empty() {
        return Reply::Done { outcome: None, data: Value::Null };
    }
    let as_text = || Value::String(shortened(String::from_utf8_lossy(body).trim()));
    let Ok(value) = domain::json::parse(body) else {
        // Numbers that the history cannot keep exactly do not hide the outcome.
        let fields = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
        let outcome = fields.get("outcome").and_then(Value::as_str).filter(|outcome| outcome_fault(outcome).is_none());
        return Reply::Done { outcome: outcome.map(str::to_owned), data: as_text() };
    };
    let (outcome, data) = match value {
        Value::Object(fields) if fields.is_empty() => (None, Value::Null),
        Value::Object(mut fields) if fields.contains_key("outcome") || fields.contains_key("data") => {
            match fields.remove("outcome") {
                None | Some(Value::Null) => (None, fields.remove("data").unwrap_or(Value::Null)),
                Some(Value::String(outcome)) if outcome_fault(&outcome).is_none() => {
                    (Some(outcome), fields.remove("data").unwrap_or(Value::Null))
                }
                Some(_) => (None, as_text()),
            }
        }
        data => (None, data),
    };
    let data = if data_fault(&data).is_some() { as_text() } else { data };
    Reply::Done { outcome, data }
}

/// Whether the workflow names the answer, by its status or by the type of its problem, as one that is final.
fn is_final(status: StatusCode, body: &[u8], give_up_on: &[Final]) -> bool {
    let problem = || serde_json::from_slice::<Value>(body).ok()?.get("type")?.as_str().map(str::to_owned);
    give_up_on.iter().any(|named| match named {
        Final::Status(code) => status.as_u16() == *code,
        Final::Problem(uri) => problem().as_ref() == Some(uri),
    })
}

/// As much of a body as is read, and why it broke off, if it did.
struct Body {
    bytes: Vec<u8>,
    broken: Option<String>,
}

async fn limited(mut response: Response) -> Body {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() < LARGEST_ANSWER => {
                let room = LARGEST_ANSWER - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(_) => return Body { bytes, broken: None },
            Err(error) => return Body { bytes, broken: Some(plain(&error)) },
        }
    }
}

/// The participant's own words: of JSON what is usually said in it, otherwise the text, without the marks of HTML.
fn detail(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(said) => said_in(&said).unwrap_or_default(),
        Err(_) => without_marks(&String::from_utf8_lossy(body)),
    };
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn said_in(said: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let named = |value: &Value| ["detail", "title", "message", "error"].iter().find_map(|key| text(value.get(key)?));
    text(said)
        .or_else(|| named(said))
        .or_else(|| named(said.get("error")?))
        .or_else(|| said.get("errors")?.as_array()?.iter().find_map(|error| text(error).or_else(|| named(error))))
}

/// Plain text, with single spaces; of a page of HTML what stands between its marks.
fn without_marks(text: &str) -> String {
    let is_page = text.trim_start().starts_with('<');
    let mut within_mark = false;
    let shown: String = text
        .chars()
        .map(|c| match c {
            '<' if is_page => {
                within_mark = true;
                ' '
            }
            '>' if within_mark => {
                within_mark = false;
                ' '
            }
            _ if within_mark || c.is_control() => ' ',
            c => c,
        })
        .collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// RFC 9110: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    (date.to_utc() - now).to_std().ok()
}

/// What went wrong with an exchange, without the URL's credentials and down to the cause.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_connect() { format!("no connection: {cause}") } else { format!("the exchange broke: {cause}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = DateTime::parse_from_rfc3339("1994-11-06T08:49:00Z").unwrap().to_utc();
        let wait = |value: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers, now)
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:48:37 GMT"), None);
        assert_eq!(wait("soon"), None);
    }

    fn taken(body: &[u8]) -> (Option<String>, Value) {
        match done(body) {
            Reply::Done { outcome, data } => (outcome, data),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_body_adds_to_what_its_status_says() {
        let ok = || Some("ok".to_owned());
        assert_eq!(taken(b""), (None, Value::Null));
        assert_eq!(taken(b"{}"), (None, Value::Null));
        assert_eq!(taken(br#"{"outcome":"ok","data":{"n":1},"more":true}"#), (ok(), json!({ "n": 1 })));
        assert_eq!(taken(b"\xef\xbb\xbf{\"outcome\":\"ok\"}"), (ok(), Value::Null));
        assert_eq!(taken(br#"{"status":"declined"}"#), (None, json!({ "status": "declined" })));
        assert_eq!(taken(b"OK"), (None, json!("OK")));
        assert_eq!(taken(b"[1]"), (None, json!([1])));
        let large_number = br#"{"outcome":"ok","data":{"n":12345678901234567890123}}"#;
        assert_eq!(taken(large_number), (ok(), json!(String::from_utf8_lossy(large_number))));
    }

    #[test]
    fn what_the_history_cannot_keep_is_kept_as_a_bounded_text() {
        let deep = format!(r#"{{"data":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
        let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(70_000));
        for body in [
            &b"{"[..],
            br#"{"outcome":1}"#,
            br#"{"outcome":""}"#,
            br#"{"data":"\u0000"}"#,
            deep.as_bytes(),
            large.as_bytes(),
        ] {
            let (outcome, data) = taken(body);
            let text = data.as_str().unwrap_or_else(|| panic!("{data}"));
            assert!(outcome.is_none() && text.len() <= 500 && text.starts_with('{'), "{text}");
        }
        assert_eq!(taken(b"\xff\xfe"), (None, json!("\u{fffd}\u{fffd}")));
    }

    #[test]
    fn the_participants_own_words_are_found_wherever_they_usually_stand() {
        for body in [
            &br#"{"message":"no funds"}"#[..],
            br#"{"error":"no funds"}"#,
            br#"{"error":{"message":"no funds"}}"#,
            br#"{"errors":["no funds"]}"#,
            br#"{"errors":[{"code":1},{"detail":"no funds"}]}"#,
            br#""no funds""#,
            b"no\n\tfunds\n",
            b"<!DOCTYPE html><html><body><p>no\nfunds</p></body></html>",
        ] {
            assert_eq!(detail(body), ": no funds", "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_text_of_an_error_is_the_problems_detail() {
        assert_eq!(detail(br#"{"title":"No","detail":"Card expired"}"#), ": Card expired");
        assert_eq!(detail(b"plain"), ": plain");
        assert_eq!(detail(b"{}"), "");
    }
}

//! Asking a participant over HTTP: one exchange for one recorded attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::order::Reply;
use domain::workflow::{Final, Participant};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::turns::{Admitted, ServiceState, Services};
use super::{Ask, NotSent, Participants, Settings, shortened};
use crate::answer::{data_fault, outcome_fault};

/// The largest answer that is read, in bytes: what it carries ends up in the order's history.
const LARGEST_ANSWER: usize = 256 * 1024;

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
        let client = reqwest::Client::builder()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let callback_base = callback_base.trim_end_matches('/').to_owned();
        Ok(Self { client, settings, callback_base, services: Services::new(most_calls) })
    }

    /// What the URLs' `${NAME}` stand for.
    pub fn settings(&self) -> &Settings {
        &self.settings
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
            .header(
                "Tenuto-Callback",
                format!("{}/orders/{}/steps/{}/outcome", self.callback_base, ask.order_id, ask.attempt.step),
            )
            .json(&Told { order_id: &ask.order_id, step: &ask.attempt.step, action: &ask.action, input: &ask.input() });
        if let Some(traceparent) = &ask.traceparent {
            request = request.header("traceparent", traceparent);
        }
        let answer = async { reply(request.send().await.map_err(|error| plain(&error))?, &ask.give_up_on).await };
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
        let left = (ask.attempt.deadline - Utc::now()).to_std().unwrap_or(Duration::ZERO);
        self.services.at(url).admit(Instant::now() + left, share).await.map(Some)
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
}

/// The status of an answer, and what it says.
async fn reply(response: Response, give_up_on: &[Final]) -> Result<(StatusCode, Reply), String> {
    let status = response.status();
    let retry_after = retry_after(response.headers(), Utc::now());
    let body = limited(response).await?;
    if status == StatusCode::ACCEPTED {
        return Ok((status, Reply::Accepted));
    }
    if status.is_success() {
        let done = done(&body).map_err(|fault| format!("answered {status} with a body that cannot be taken: {fault}"));
        return done.map(|reply| (status, reply));
    }
    let error = shortened(&format!("answered {status}{}", detail(&body)));
    let reply = if is_for_good(status) || is_final(status, &body, give_up_on) {
        Reply::Refused { error }
    } else {
        Reply::Unclear { error, retry_after }
    };
    Ok((status, reply))
}

/// Whether a status says that the service cannot act at all now. One that says "not now" of a single request can.
fn is_failing(status: StatusCode) -> bool {
    status.is_server_error()
}

/// `{outcome?, data?}`; what else is in it is the participant's own affair.
fn done(body: &[u8]) -> Result<Reply, String> {
    if body.is_empty() {
        return Ok(Reply::Done { outcome: None, data: Value::Null });
    }
    let Value::Object(mut fields) = domain::json::parse(body).map_err(|error| error.to_string())? else {
        return Err("it is not an object".to_owned());
    };
    let data = fields.remove("data").unwrap_or(Value::Null);
    let outcome = match fields.remove("outcome") {
        None | Some(Value::Null) => None,
        Some(Value::String(outcome)) => Some(outcome),
        Some(_) => return Err("its outcome is not a text".to_owned()),
    };
    if let Some(fault) = outcome.as_deref().and_then(outcome_fault) {
        return Err(format!("its outcome {fault}"));
    }
    data_fault(&data).map_or(Ok(Reply::Done { outcome, data }), |fault| Err(format!("its data {fault}")))
}

/// 4xx says that asking again is in vain, except where the status itself says "later".
fn is_for_good(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// Whether the workflow names the answer, by its status or by the type of its problem, as one that is final.
fn is_final(status: StatusCode, body: &[u8], give_up_on: &[Final]) -> bool {
    let problem = || serde_json::from_slice::<Value>(body).ok()?.get("type")?.as_str().map(str::to_owned);
    give_up_on.iter().any(|named| match named {
        Final::Status(code) => status.as_u16() == *code,
        Final::Problem(uri) => problem().as_ref() == Some(uri),
    })
}

async fn limited(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| plain(&error))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(format!("answered with more than {LARGEST_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The `detail` of a problem (RFC 9457), or the text itself where it is none.
fn detail(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(problem) => {
            ["detail", "title"].iter().find_map(|key| problem.get(key)?.as_str().map(str::to_owned)).unwrap_or_default()
        }
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if text.is_empty() { String::new() } else { format!(": {text}") }
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

    #[test]
    fn an_answer_that_the_history_cannot_keep_is_not_taken() {
        let outcome = |body: &[u8]| match done(body) {
            Ok(Reply::Done { outcome, .. }) => Ok(outcome),
            other => Err(other),
        };
        assert_eq!(outcome(b""), Ok(None));
        assert_eq!(outcome(br#"{"outcome":"ok","data":{"n":1},"more":true}"#), Ok(Some("ok".to_owned())));
        let deep = format!(r#"{{"data":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
        let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(70_000));
        for body in [
            &b"[]"[..],
            b"{",
            br#"{"outcome":1}"#,
            br#"{"outcome":""}"#,
            br#"{"data":"\u0000"}"#,
            deep.as_bytes(),
            large.as_bytes(),
        ] {
            assert!(done(body).is_err(), "{}", String::from_utf8_lossy(&body[..body.len().min(60)]));
        }
    }

    #[test]
    fn the_text_of_an_error_is_the_problems_detail() {
        assert_eq!(detail(br#"{"title":"No","detail":"Card expired"}"#), ": Card expired");
        assert_eq!(detail(b"plain"), ": plain");
        assert_eq!(detail(b"{}"), "");
    }
}

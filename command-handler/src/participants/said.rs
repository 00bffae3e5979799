//! What a participant's answer says, read off its status, its headers and its body.

use std::cell::LazyCell;

use chrono::{DateTime, Utc};
use domain::json::{JsonError, JsonFault};
use domain::order::Reply;
use domain::workflow::Final;
use reqwest::StatusCode;
use serde_json::{Map, Value};

use super::meaning::{Circumstances, Meaning, meaning};
use super::shortened;
use crate::answer::{MAX_OUTCOME, data_fault, outcome_fault};

/// What some write before their JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An answer as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub status: StatusCode,
    /// `Content-Type`, or nothing.
    pub media_type: &'a str,
    /// `Retry-After`, or nothing.
    pub retry_after: &'a str,
    /// `Content-Encoding`, or nothing.
    pub encoding: &'a str,
    /// As much of the body as is read.
    pub body: &'a [u8],
}

/// What it says. `unsure`: an attempt before it may be running still.
pub(super) fn said(answer: Said<'_>, unsure: bool, give_up_on: &[Final], now: DateTime<Utc>) -> Reply {
    let Said { status, media_type, body, .. } = answer;
    let encoding = Some(answer.encoding.trim()).filter(|encoding| !is_plain(encoding) && !body.is_empty());
    let body = if encoding.is_some() { &[] } else { body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body) };
    let circumstances = Circumstances {
        unsure,
        is_problem: is_problem_type(media_type) && serde_json::from_slice::<Map<String, Value>>(body).is_ok(),
        is_final: is_final(status.as_u16(), body, give_up_on),
    };
    let error = || match encoding {
        Some(encoding) => shortened(&format!(
            "answered {status}, with a body that is not read, since it is encoded ({encoding}); have the participant heed \
             Accept-Encoding: identity"
        )),
        None => shortened(&format!("answered {status}{}", detail(body))),
    };
    let retry_after = http_client::retry_after(answer.retry_after, now.into());
    match meaning(status.as_u16(), circumstances) {
        // It has acted, and what it says of that is not known.
        Meaning::Done if encoding.is_some() => Reply::Misconfigured { error: error(), retry_after, maybe_done: true },
        Meaning::Done => done(body),
        Meaning::Accepted => Reply::Accepted,
        Meaning::Refused => Reply::Refused { error: error() },
        Meaning::Unclear => Reply::Unclear { error: error(), retry_after },
        Meaning::Misconfigured { maybe_done } => Reply::Misconfigured { error: error(), retry_after, maybe_done },
    }
}

/// Whether a body is as it is, without an encoding that would have to be undone.
fn is_plain(encoding: &str) -> bool {
    encoding.is_empty() || encoding.eq_ignore_ascii_case("identity")
}

fn is_problem_type(media_type: &str) -> bool {
    media_type.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/problem+json"))
}

/// `{outcome?, data?}`, or the data itself. The status has decided that it is done: what the
/// history cannot keep as it came is kept as a bounded text. An outcome that is not a string is
/// kept as its JSON text, which equals no outcome of a workflow.
fn done(body: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(body);
    let as_text = || Value::String(shortened(text.trim()));
    if text.trim().is_empty() {
        return Reply::Done { outcome: None, data: Value::Null };
    }
    let value = match domain::json::parse(body) {
        Ok(value) => value,
        Err(JsonError { fault: JsonFault::DuplicateKey(_), pointer, .. }) if pointer == "/outcome" => {
            return Reply::Done { outcome: Some(name_for(&text)), data: as_text() };
        }
        // Numbers that the history cannot keep exactly do not hide the outcome.
        Err(_) => {
            let fields = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
            return Reply::Done { outcome: fields.get("outcome").and_then(outcome), data: as_text() };
        }
    };
    let (outcome, data) = match value {
        Value::Object(fields) if fields.is_empty() => (None, Value::Null),
        Value::Object(mut fields) if fields.contains_key("outcome") || fields.contains_key("data") => {
            let named = fields.get("outcome").and_then(outcome);
            let is_odd = named.is_some() && named.as_deref() != fields.get("outcome").and_then(Value::as_str);
            (named, if is_odd { as_text() } else { fields.remove("data").unwrap_or(Value::Null) })
        }
        data => (None, data),
    };
    let data = if data_fault(&data).is_some() { as_text() } else { data };
    Reply::Done { outcome, data }
}

/// The outcome, if there is one.
fn outcome(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(outcome) if outcome_fault(outcome).is_none() => Some(outcome.clone()),
        odd => Some(name_for(&odd.to_string())),
    }
}

/// A name for an outcome that is not a valid one.
fn name_for(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_OUTCOME).collect()
}

/// Whether the workflow names the answer, by its status or by the type of its problem, as one that
/// is final.
fn is_final(status: u16, body: &[u8], give_up_on: &[Final]) -> bool {
    let problem =
        LazyCell::new(|| serde_json::from_slice::<Value>(body).ok()?.get("type")?.as_str().map(str::to_owned));
    give_up_on.iter().any(|named| match named {
        Final::Status(code) => status == *code,
        Final::Problem(uri) => problem.as_deref() == Some(uri.as_str()),
    })
}

/// The participant's own words: of JSON the field that usually holds a message, otherwise the text,
/// without HTML tags.
fn detail(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(said) => said_in(&said).unwrap_or_else(|| unnamed(&said)),
        Err(_) => without_marks(&String::from_utf8_lossy(body)),
    };
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// What to show of JSON in which no field is known to hold a message: the JSON itself.
fn unnamed(said: &Value) -> String {
    match said {
        Value::Null => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        Value::Array(items) if items.is_empty() => String::new(),
        said => said.to_string(),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        assert_eq!(taken(br#"{"status":"declined"}"#), (None, json!({ "status": "declined" })));
        assert_eq!(taken(b"OK"), (None, json!("OK")));
        assert_eq!(taken(b"[1]"), (None, json!([1])));
        let large_number = br#"{"outcome":"ok","data":{"n":12345678901234567890123}}"#;
        assert_eq!(taken(large_number), (ok(), json!(String::from_utf8_lossy(large_number))));
    }

    #[test]
    fn an_encoded_body_is_not_read_and_the_status_decides() {
        let answered = |status: u16, encoding, body| {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Said { status, media_type: "", retry_after: "", encoding, body };
            said(answer, false, &[], DateTime::UNIX_EPOCH)
        };
        for encoding in ["gzip", " br", "identity, gzip", "x-unknown"] {
            let reply = answered(200, encoding, br#"{"outcome":"ok"}"#);
            let Reply::Misconfigured { error, maybe_done: true, .. } = reply else { panic!("{encoding}: {reply:?}") };
            assert!(error.contains(encoding.trim()) && error.contains("Accept-Encoding"), "{error}");
            assert_eq!(answered(202, encoding, b"x"), Reply::Accepted);
            let refused = answered(422, encoding, br#"{"detail":"no funds"}"#);
            assert!(matches!(&refused, Reply::Refused { error } if !error.contains("funds")), "{refused:?}");
            assert_eq!(answered(200, encoding, b""), Reply::Done { outcome: None, data: Value::Null });
        }
        for encoding in ["", "identity", "Identity "] {
            let done = answered(200, encoding, br#"{"outcome":"ok"}"#);
            assert_eq!(done, Reply::Done { outcome: Some("ok".to_owned()), data: Value::Null });
        }
    }

    #[test]
    fn what_the_history_cannot_keep_is_kept_as_a_bounded_text() {
        let deep = format!(r#"{{"data":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
        let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(70_000));
        for body in [&b"{"[..], br#"{"data":"\u0000"}"#, deep.as_bytes(), large.as_bytes()] {
            let (outcome, data) = taken(body);
            let text = data.as_str().unwrap_or_else(|| panic!("{data}"));
            assert!(outcome.is_none() && text.len() <= 500 && text.starts_with('{'), "{text}");
        }
        assert_eq!(taken(b"\xff\xfe"), (None, json!("\u{fffd}\u{fffd}")));
    }

    #[test]
    fn an_outcome_that_is_no_text_is_named_by_its_json_so_that_no_step_takes_it_for_its_own() {
        for (body, name) in [
            (&br#"{"outcome":1}"#[..], "1"),
            (br#"{"outcome":true,"data":7}"#, "true"),
            (br#"{"outcome":""}"#, r#""""#),
            (br#"{"outcome":["declined"]}"#, r#"["declined"]"#),
            (br#"{"outcome":{"name":"declined"}}"#, r#"{"name":"declined"}"#),
            (br#"{"outcome":"ok","outcome":"declined"}"#, r#"{"outcome":"ok","outcome":"declined"}"#),
        ] {
            assert_eq!(taken(body), (Some(name.to_owned()), json!(String::from_utf8_lossy(body))));
        }
        let long = format!(r#"{{"outcome":"{}"}}"#, "k".repeat(65));
        let (outcome, _) = taken(long.as_bytes());
        assert_eq!(outcome.unwrap().chars().count(), MAX_OUTCOME);
        assert_eq!(taken(br#"{"data":{"outcome":1}}"#), (None, json!({ "outcome": 1 })));
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
        assert_eq!(detail(br#"{"code":"card_declined"}"#), r#": {"code":"card_declined"}"#);
    }
}

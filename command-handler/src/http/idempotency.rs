//! The `Idempotency-Key` header (IETF httpapi draft), and what keys were used for.
//!
//! Every keyed order leaves a record in the log, in a stream named by the key's hash, before the order itself is placed: so a
//! key means the same order for ever, whichever instance is asked. Keys do not expire.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use domain::ids::OrderId;
use domain::wire::KEY_STREAM_PREFIX;
use event_store::client::{AppendError, Expected, NewEvent};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::problem::Problem;
use crate::log::Log;
use crate::orchestrator::lock;

/// The longest key, in characters.
const LONGEST: usize = 255;

/// The request's key: a quoted string (RFC 8941), or bare.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("Idempotency-Key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad("is given more than once"));
    }
    let text = value.to_str().map_err(|_| bad("must consist of visible ASCII characters"))?.trim();
    let key = match text.contains('"') {
        true if text.starts_with('"') => unquoted(text)?,
        true => return Err(bad("ends with a quote and does not start with one")),
        false => text.to_owned(),
    };
    match key.len() {
        0 => Err(bad("must not be empty")),
        1..=LONGEST => Ok(Some(key)),
        _ => Err(bad(&format!("must be at most {LONGEST} characters"))),
    }
}

/// RFC 8941, section 3.3.3: `"` and `\` are escaped by `\`, nothing else is.
fn unquoted(text: &str) -> Result<String, Problem> {
    let unbalanced = || bad("starts with a quote and does not end with one");
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(unbalanced)?;
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            ('"', _) => return Err(bad("has a quote inside that is not escaped")),
            (_, true) => match characters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(bad("has a backslash that escapes nothing")),
            },
            (plain, false) => key.push(plain),
        }
    }
    Ok(key)
}

fn bad(what: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the Idempotency-Key header {what}"))
}

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdempotencyKeyUsed {
    order_id: OrderId,
    /// A digest of the content; in records of before, its fingerprint.
    fingerprint: String,
}

/// What a request says, for comparison.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// SHA-256 (hex), personal data among what it covers.
    pub fingerprint: String,
    /// The same under the customer's key, which is what is recorded. Once that key is destroyed, nothing equals it any more.
    pub digest: String,
}

/// The keys of a log.
#[derive(Debug, Clone)]
pub(crate) struct Keys<L> {
    log: L,
    /// Keys whose first request is being worked on here.
    running: Arc<Mutex<HashSet<String>>>,
}

/// Held while a keyed request is worked on.
pub(crate) struct Running {
    key: String,
    running: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

impl<L: Log> Keys<L> {
    pub fn new(log: L) -> Self {
        Self { log, running: Arc::default() }
    }

    /// Marks a key as being worked on; 409 if it is already.
    pub fn begin(&self, key: &str) -> Result<Running, Problem> {
        if !lock(&self.running).insert(key.to_owned()) {
            return Err(Problem::conflict("a request with this Idempotency-Key is still running", None));
        }
        Ok(Running { key: key.to_owned(), running: self.running.clone() })
    }

    /// The order that a key stands for: this one, if the key is new; 422 if it was used for other content.
    pub async fn claim(
        &self,
        key: &str,
        order_id: OrderId,
        given: bool,
        content: &Content,
    ) -> Result<OrderId, Problem> {
        let digest = Sha256::digest(key);
        let stream = format!("{KEY_STREAM_PREFIX}{digest:x}");
        let used = IdempotencyKeyUsed { order_id, fingerprint: content.digest.clone() };
        let data = serde_json::to_vec(&used).map_err(|error| Problem::later(error.to_string()))?;
        let event = NewEvent {
            id: Uuid::now_v7(),
            event_type: "IdempotencyKeyUsed".to_owned(),
            data: Bytes::from(data),
            metadata: Bytes::from_static(b"{}"),
        };
        match self.log.append(&stream, Expected::NoStream, vec![event]).await {
            Ok(_) => return Ok(used.order_id),
            Err(AppendError::WrongExpectedRevision { .. }) => {}
            Err(error) => return Err(Problem::later(error.to_string())),
        }
        let first = self.log.read(&stream, 0, 1).await.map_err(|error| Problem::later(error.to_string()))?;
        let before: IdempotencyKeyUsed = first
            .first()
            .and_then(|recorded| serde_json::from_slice(&recorded.data).ok())
            .ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the record of this key cannot be read"))?;
        let same_order = !given || before.order_id == used.order_id;
        let same_content = before.fingerprint == content.digest || before.fingerprint == content.fingerprint;
        if !same_content || !same_order {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "this Idempotency-Key was used before, with other content",
            ));
        }
        Ok(before.order_id)
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use event_store::client::EventStore;

    use super::*;

    fn read(text: &str) -> Result<Option<String>, Problem> {
        key(&HeaderMap::from_iter([("idempotency-key".parse().unwrap(), text.parse().unwrap())]))
    }

    #[test]
    fn a_key_is_taken_quoted_or_bare() {
        assert_eq!(read("\"8e03978e\"").unwrap().as_deref(), Some("8e03978e"));
        assert_eq!(read("8e03978e").unwrap().as_deref(), Some("8e03978e"));
        assert_eq!(read(r#""a\"b\\c""#).unwrap().as_deref(), Some(r#"a"b\c"#));
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_malformed_key_is_refused() {
        for text in ["", "\"\"", "\"", "a\"", "\"a", "\"a\"b\"", r#""a\b""#, &"k".repeat(256)] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_key_is_worked_on_once_at_a_time() {
        let nobody_there = EventStore::connect("esdb://127.0.0.1:9?tls=false").unwrap();
        let keys = Keys::new(nobody_there);
        let running = keys.begin("k").unwrap();
        assert_eq!(keys.begin("k").err().map(|problem| problem.into_response().status()), Some(StatusCode::CONFLICT));
        assert!(keys.begin("other").is_ok());
        drop(running);
        assert!(keys.begin("k").is_ok());
    }
}

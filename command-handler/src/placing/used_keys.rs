//! The record of idempotency keys.
//!
//! Every keyed order has a record in the log, in a stream named after the key's hash. It is written
//! before the order is placed, so a key means the same order for ever, on every instance. Keys do
//! not expire.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use domain::ids::OrderId;
use domain::wire::KEY_STREAM_PREFIX;
use event_store::{AppendError, Expected, NewEvent};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::lock::lock;
use crate::log::Log;

/// The order that a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdempotencyKeyUsed {
    order_id: OrderId,
    /// A digest of the content; in older records, its fingerprint.
    fingerprint: String,
}

/// The content of a request, for comparison.
#[derive(Debug, Clone)]
pub(super) struct Content {
    /// SHA-256 (hex) over the content, including personal data.
    pub fingerprint: String,
    /// The same under the customer's key; this is recorded. Once that key is destroyed, no content
    /// equals it.
    pub digest: String,
}

/// Why a request may not use its key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyRefused {
    /// This instance still works on the first request with the key.
    #[error("a request with this Idempotency-Key is still running")]
    Running,
    /// The key belongs to another order.
    #[error("this Idempotency-Key was used before, with other content")]
    OtherContent,
    /// The event in the log is not a valid record of a key.
    #[error("the record of this key cannot be read")]
    Unreadable,
    /// The log does not answer. The same request may be sent again.
    #[error("{0}")]
    Failed(String),
}

/// The keys of a log.
#[derive(Debug, Clone)]
pub(super) struct UsedKeys<L> {
    log: L,
    /// The keys whose first request this instance works on.
    running: Arc<Mutex<HashSet<String>>>,
}

/// Held during a keyed request.
pub(super) struct Running {
    key: String,
    running: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

impl<L: Log> UsedKeys<L> {
    pub fn new(log: L) -> Self {
        Self { log, running: Arc::default() }
    }

    /// Marks a key as in use, unless it is.
    pub fn begin(&self, key: &str) -> Result<Running, KeyRefused> {
        if !lock(&self.running).insert(key.to_owned()) {
            return Err(KeyRefused::Running);
        }
        Ok(Running { key: key.to_owned(), running: self.running.clone() })
    }

    /// The order of a key: this one, if the key is new. `given`: the client chose the order's id.
    pub async fn claim(
        &self,
        key: &str,
        order_id: OrderId,
        given: bool,
        content: &Content,
    ) -> Result<OrderId, KeyRefused> {
        let digest = Sha256::digest(key);
        let stream = format!("{KEY_STREAM_PREFIX}{digest:x}");
        let used = IdempotencyKeyUsed { order_id, fingerprint: content.digest.clone() };
        let data = serde_json::to_vec(&used).map_err(|error| KeyRefused::Failed(error.to_string()))?;
        let event = NewEvent {
            id: Uuid::now_v7(),
            event_type: "IdempotencyKeyUsed".to_owned(),
            data: Bytes::from(data),
            metadata: Bytes::from_static(b"{}"),
        };
        match self.log.append(&stream, Expected::NoStream, vec![event]).await {
            Ok(_) => return Ok(used.order_id),
            Err(AppendError::WrongExpectedRevision { .. }) => {}
            Err(error) => return Err(KeyRefused::Failed(error.to_string())),
        }
        let first = self.log.read(&stream, 0, 1).await.map_err(|error| KeyRefused::Failed(error.to_string()))?;
        let before: IdempotencyKeyUsed = first
            .first()
            .and_then(|recorded| serde_json::from_slice(&recorded.data).ok())
            .ok_or(KeyRefused::Unreadable)?;
        let same_order = !given || before.order_id == used.order_id;
        let same_content = before.fingerprint == content.digest || before.fingerprint == content.fingerprint;
        if same_content && same_order { Ok(before.order_id) } else { Err(KeyRefused::OtherContent) }
    }
}

#[cfg(test)]
mod tests {
    use event_store::EventStore;

    use super::*;

    #[tokio::test]
    async fn a_key_is_worked_on_once_at_a_time() {
        let no_server = EventStore::connect("esdb://127.0.0.1:9?tls=false").unwrap();
        let keys = UsedKeys::new(no_server);
        let running = keys.begin("k").unwrap();
        assert!(matches!(keys.begin("k"), Err(KeyRefused::Running)));
        assert!(keys.begin("other").is_ok());
        drop(running);
        assert!(keys.begin("k").is_ok());
    }
}

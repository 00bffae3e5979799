//! Recorded later answers, so that a repetition is distinguished from another answer under the
//! same key.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::event::Direction;
use crate::json::canonical;

/// SHA-256 of the content of an answer.
pub type Content = [u8; 32];

/// A recorded later answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// Do or undo.
    pub direction: Direction,
    /// Its idempotency key, or its number.
    pub key: String,
    /// The outcome; `None`: a refusal.
    pub outcome: Option<String>,
    pub(super) content: Content,
}

/// The content of an answer: equal for answers whose JSON means the same.
pub(super) fn content(outcome: &str, data: &Value) -> Content {
    Sha256::digest(format!("{}{}", Value::from(outcome), canonical(data))).into()
}

/// The content of a refusal.
pub(super) fn refusal_content(error: &str) -> Content {
    Sha256::digest(format!("no {}", Value::from(error))).into()
}

/// Whether an answer with this key is on record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OnRecord<'a> {
    /// It is not.
    No,
    /// The same answer is.
    Same,
    /// Another answer is.
    Other(&'a RecordedAnswer),
}

impl RecordedAnswer {
    pub(super) fn new(direction: Direction, key: String, outcome: Option<String>, content: Content) -> Self {
        Self { direction, key, outcome, content }
    }

    /// The outcome, for people.
    pub(super) fn outcome_text(&self) -> String {
        self.outcome.as_ref().map_or_else(|| "a refusal".to_owned(), |outcome| format!("{outcome:?}"))
    }
}

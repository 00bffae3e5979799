//! Later answers on record, so that a repetition can be distinguished from another answer under the same key.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::event::Direction;
use super::state::StepState;
use crate::json::canonical;

/// SHA-256 of what an answer says.
pub type Content = [u8; 32];

/// A later answer on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenAnswer {
    /// Doing or undoing.
    pub direction: Direction,
    /// The idempotency key that it came under, or its number.
    pub key: String,
    /// The named answer; none: it was a "no".
    pub outcome: Option<String>,
    content: Content,
}

/// What an answer says: equal for answers that JSON gives the same meaning.
pub(super) fn content(outcome: &str, data: &Value) -> Content {
    Sha256::digest(format!("{}{}", Value::from(outcome), canonical(data))).into()
}

/// What a "no" says.
pub(super) fn content_of_no(error: &str) -> Content {
    Sha256::digest(format!("no {}", Value::from(error))).into()
}

/// Whether an answer under this key is on record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OnRecord<'a> {
    /// No.
    No,
    /// This very one.
    Same,
    /// Another one.
    Other(&'a TakenAnswer),
}

impl TakenAnswer {
    pub(super) fn new(direction: Direction, key: String, outcome: Option<String>, content: Content) -> Self {
        Self { direction, key, outcome, content }
    }

    /// What it said, for people.
    pub(super) fn told(&self) -> String {
        self.outcome.as_ref().map_or_else(|| "a refusal".to_owned(), |outcome| format!("{outcome:?}"))
    }
}

impl StepState {
    /// What is on record in this direction under this key.
    pub(super) fn on_record(&self, direction: Direction, key: &str, content: Content) -> OnRecord<'_> {
        match self.answers.iter().find(|taken| taken.direction == direction && taken.key == key) {
            None => OnRecord::No,
            Some(taken) if taken.content == content => OnRecord::Same,
            Some(taken) => OnRecord::Other(taken),
        }
    }

    /// Whether an answer with this content is on record in this direction, under any key.
    pub(super) fn has_taken(&self, direction: Direction, content: Content) -> bool {
        self.answers.iter().any(|taken| taken.direction == direction && taken.content == content)
    }

    /// The keys of the later answers taken so far, in their order.
    pub fn answer_keys(&self) -> Vec<&str> {
        self.answers.iter().map(|taken| taken.key.as_str()).collect()
    }
}

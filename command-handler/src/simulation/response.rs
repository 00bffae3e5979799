//! What a participant answers over the wire, and what that means by the table that instances use.

use std::time::Duration;

use domain::order::Reply;
use serde_json::Value;

use super::bug::Bug;
use crate::participants::ActionRequest;
use crate::participants::meaning::{Circumstances, Meaning, meaning};

/// How the error of an answer begins while an earlier attempt is still running.
pub const STILL_RUNNING: &str = "answered 409: an earlier attempt is still running";
/// How the error of an answer begins that no participant gave.
pub const MISTAKE: &str = "turned away on the way: ";

/// An answer: the parts that decide what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub status: u16,
    /// It is the participant's own problem (RFC 9457).
    pub is_problem: bool,
    pub outcome: Option<String>,
    pub data: Value,
    pub error: String,
    pub retry_after: Option<Duration>,
}

impl Response {
    /// An answer that has a status and an error, and nothing else.
    pub fn error(status: u16, error: String) -> Self {
        Self { status, is_problem: false, outcome: None, data: Value::Null, error, retry_after: None }
    }

    /// "Done."
    pub fn done(outcome: Option<String>, data: Value) -> Self {
        Self { outcome, data, ..Self::error(200, String::new()) }
    }

    /// "The answer comes later."
    pub fn accepted() -> Self {
        Self::error(202, String::new())
    }

    /// "An earlier attempt is still running."
    pub fn still_running() -> Self {
        Self::error(409, STILL_RUNNING.to_owned())
    }

    /// The reply that an instance reads from it.
    pub fn read(self, ask: &ActionRequest, bug: Option<Bug>) -> Reply {
        let unsure = ask.attempt.unsure && bug != Some(Bug::TakesRunningForNo);
        let Self { status, is_problem, outcome, data, error, retry_after } = self;
        match meaning(status, Circumstances { unsure, is_problem, is_final: false }) {
            Meaning::Done => Reply::Done { outcome, data },
            Meaning::Accepted => Reply::Accepted,
            Meaning::Refused => Reply::Refused { error },
            Meaning::Unclear => Reply::Unclear { error, retry_after },
            Meaning::Misconfigured { maybe_done } => Reply::Misconfigured { error, retry_after, maybe_done },
        }
    }
}

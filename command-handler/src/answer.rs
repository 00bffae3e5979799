//! What an answer may carry, whichever way it comes: it becomes part of the order's history.

use serde_json::Value;

/// The longest name of an outcome, in characters.
pub(crate) const MAX_OUTCOME: usize = 64;
/// The most data, in bytes of JSON.
pub(crate) const LARGEST_DATA: usize = 64 * 1024;

/// What is wrong with the name of an outcome.
pub(crate) fn outcome_fault(outcome: &str) -> Option<String> {
    let fits = (1..=MAX_OUTCOME).contains(&outcome.chars().count()) && !outcome.chars().any(char::is_control);
    (!fits).then(|| format!("must be 1 to {MAX_OUTCOME} characters, none of them a control character"))
}

/// What is wrong with the data.
pub(crate) fn data_fault(data: &Value) -> Option<String> {
    let size = data.to_string().len();
    (size > LARGEST_DATA).then(|| format!("must be at most {LARGEST_DATA} bytes of JSON, found {size}"))
}

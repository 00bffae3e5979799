//! Placing one order.

use bytes::Bytes;
use domain::json;
use serde_json::Value;

use super::input::{Found, Keys};
use super::warning::Warning;
use crate::CommandError;
use crate::client::{Client, Placement};

/// The result of placing an order.
#[derive(Debug)]
pub enum Submitted {
    /// It is recorded.
    Accepted(Accepted),
    /// The order is not valid.
    Refused(Warning),
}

/// An order that is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The line it came from.
    pub line: u64,
    /// Its id.
    pub id: String,
}

/// Why an order was not placed.
#[derive(Debug)]
pub enum Failure {
    /// This order could not be placed, others may be.
    OfTheOrder(Warning),
    /// No further order can be placed.
    OfTheCommand(CommandError),
}

/// Places an order. A text that is not JSON is not sent.
pub async fn submit(client: &Client, found: Found, keys: &Keys) -> Result<Submitted, Failure> {
    let line = found.line;
    let refused = |order: Option<String>, what: String| Ok(Submitted::Refused(Warning { line, order, what }));
    let Some(text) = found.text else { return refused(None, "refused: too large for any server".to_owned()) };
    let id = match own_id(&text, line) {
        Ok(id) => id,
        Err(what) => return refused(None, what),
    };
    let key = if id.is_none() { Some(keys.of_line(line)) } else { None };
    match client.place(text, key.as_deref()).await {
        Ok(Placement::Accepted(receipt)) => Ok(Submitted::Accepted(Accepted { line, id: receipt.order_id })),
        Ok(Placement::Refused(problem)) => refused(id, format!("refused: {}", problem.in_words())),
        Err(error @ (CommandError::Failed { .. } | CommandError::Unavailable { .. } | CommandError::Answer { .. })) => {
            Err(Failure::OfTheOrder(Warning { line, order: id, what: error.to_string() }))
        }
        Err(error) => Err(Failure::OfTheCommand(error)),
    }
}

/// The id of the order, if it has one. A text that is not JSON is an error; the server checks
/// everything else.
fn own_id(text: &Bytes, line: u64) -> Result<Option<String>, String> {
    match json::parse(text) {
        Ok(order) => Ok(order.get("orderId").and_then(Value::as_str).map(str::to_owned)),
        Err(error) => {
            let at = if error.line == 1 { String::new() } else { format!("line {}, ", line + error.line as u64 - 1) };
            Err(format!("not placed: {} ({at}column {})", error.fault, error.column))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<String>, String> {
        own_id(&Bytes::from(text.to_owned()), 7)
    }

    #[test]
    fn an_order_keeps_its_own_id() {
        assert_eq!(read(r#"{"orderId":"10248"}"#), Ok(Some("10248".to_owned())));
        for text in [r#"{"orderId":null}"#, "{}", "[]", "1", r#"{"orderId":5}"#] {
            assert_eq!(read(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_said_to_be_so_with_its_place() {
        for (text, part) in
            [("", "found nothing"), ("{\"a\":}", "column 6"), ("{\n\n!", "line 9, column"), ("{} x", "column")]
        {
            let what = read(text).unwrap_err();
            assert!(what.starts_with("not placed: ") && what.contains(part), "{what}");
        }
    }
}

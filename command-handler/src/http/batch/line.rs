//! The lines of a batch's answer: one JSON object each (NDJSON).

use bytes::Bytes;
use domain::Timestamp;
use http_problem::Problem;
use serde::Serialize;

use super::super::receipt::Receipt;
use super::super::refused;
use crate::batches::{NotTaken, Report};

/// A line.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Line {
    /// The first: how many orders match, and that they were placed before this moment.
    #[serde(rename_all = "camelCase")]
    Beginning {
        matches: u64,
        before: Timestamp,
        /// A second person would have to approve it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        needs_approval: bool,
    },
    /// The result for an order: the answer that the command for this order alone would get.
    Taken {
        status: u16,
        #[serde(flatten)]
        receipt: Receipt,
    },
    /// The same for a refusal.
    Refused {
        #[serde(rename = "orderId")]
        order_id: String,
        #[serde(flatten)]
        problem: Problem,
    },
    /// The last: every order was reported.
    Done { done: bool },
    /// The last: the batch was interrupted, for this reason. A client resumes it after the last
    /// reported order.
    Stopped { stopped: String },
}

impl From<Report> for Line {
    fn from(report: Report) -> Self {
        match report {
            Report::Beginning { matches, before, needs_approval } => {
                Self::Beginning { matches, before, needs_approval }
            }
            Report::Taken(accepted) => Self::Taken { status: 202, receipt: Receipt::from(&accepted) },
            Report::Refused { order_id, because } => {
                let problem = match because {
                    NotTaken::NoSuchId(error) => refused::no_such_id(error),
                    NotTaken::Command(error) => refused::problem(error, ""),
                };
                Self::Refused { order_id, problem }
            }
            Report::Done => Self::Done { done: true },
            Report::Stopped(stopped) => Self::Stopped { stopped },
        }
    }
}

impl Line {
    /// The bytes of the line.
    pub fn bytes(&self) -> Bytes {
        let mut line = serde_json::to_vec(self).unwrap_or_else(|error| {
            let stopped = format!("a line could not be written: {error}");
            serde_json::json!({ "stopped": stopped }).to_string().into_bytes()
        });
        line.push(b'\n');
        Bytes::from(line)
    }
}

#[cfg(test)]
mod tests {
    use domain::order::State;
    use serde_json::{Value, json};

    use super::*;

    fn written(line: &Line) -> Value {
        let text = String::from_utf8(line.bytes().to_vec()).unwrap();
        assert_eq!(text.find('\n'), Some(text.len() - 1), "one line");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_about_an_order_is_the_answer_that_it_alone_would_get() {
        let problem = Problem::conflict("cannot cancel an order that is COMPLETED").with_state(State::Completed);
        let line = Line::Refused { order_id: "7".to_owned(), problem };
        let expected = json!({
            "orderId": "7", "type": "about:blank", "title": "Conflict", "status": 409,
            "detail": "cannot cancel an order that is COMPLETED", "state": "COMPLETED",
        });
        assert_eq!(written(&line), expected);
        let missing = Line::Refused { order_id: "7".to_owned(), problem: Problem::not_found("a\nb") };
        assert_eq!(written(&missing)["detail"], "a\nb");
    }

    #[test]
    fn the_ends_differ() {
        assert_eq!(written(&Line::Done { done: true }), json!({ "done": true }));
        assert_eq!(written(&Line::Stopped { stopped: "so".to_owned() }), json!({ "stopped": "so" }));
    }
}

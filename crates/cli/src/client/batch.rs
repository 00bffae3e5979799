//! Batches: the server answers with a line for each order, as soon as the order is decided.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Attempt, Client, Problem, innermost};
use crate::CommandError;
use crate::retry;
use crate::views::State;

/// The time limit of a batch. The lines that arrive show that its server still answers.
const MAX_BATCH: Duration = Duration::from_hours(24);
/// The longest pause between two lines: longer than an order waits for its decision.
const MAX_SILENCE: Duration = Duration::from_secs(30);
/// The longest line, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The only line: a second person has to approve the batch.
    #[serde(rename_all = "camelCase")]
    Asked {
        /// The id of the request.
        request: String,
        /// For how many orders.
        matches: u64,
        /// Until when it can be approved.
        expires_at: String,
    },
    /// The beginning: the number of orders, and the time before which they were placed.
    Beginning {
        /// How many.
        matches: u64,
        /// The moment.
        before: String,
    },
    /// The result for an order.
    Order(Verdict),
    /// The end, after the results of all orders.
    Done {
        /// Always true.
        done: bool,
    },
    /// An early end.
    Stopped {
        /// Why.
        stopped: String,
    },
}

/// The result for an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Verdict {
    /// The order.
    #[serde(rename = "orderId")]
    pub order_id: String,
    /// The HTTP status that a single request for this order would have: 202, or a problem's.
    pub status: u16,
    /// The state of the order, if it does not allow the action.
    #[serde(default, deserialize_with = "state_or_none")]
    pub state: Option<State>,
    /// The id of the request, if a second person has to approve the action.
    #[serde(default)]
    pub request: Option<String>,
    /// The fault.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What waits for approval has no state of an order.
fn state_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<State>, D::Error> {
    let state = Option::<Value>::deserialize(deserializer)?;
    Ok(state.and_then(|state| serde_json::from_value(state).ok()))
}

/// An answer that is being read.
#[derive(Debug)]
pub struct Lines {
    url: String,
    server: String,
    response: Response,
    buffer: BytesMut,
}

impl Client {
    /// Sends a batch. A fault of the batch itself is an error.
    pub async fn batch(&self, batch: &Value) -> Result<Lines, CommandError> {
        let url = format!("{}/orders/batch", self.base);
        self.patiently(async || {
            let request = self.http.post(&url).timeout(MAX_BATCH).json(batch);
            let response = match self.open(request).await {
                Ok(response) => response,
                Err(error) => return Ok(Attempt::NotNow(None, error)),
            };
            if matches!(response.status(), StatusCode::OK | StatusCode::ACCEPTED) {
                return Ok(Attempt::Answered(Lines::of(url.clone(), self.base.clone(), response)));
            }
            let answer = self.read(&url, response).await?;
            if retry::is_transient(answer.status) {
                return Ok(Attempt::NotNow(answer.asked_delay, answer.unavailable(url.clone())));
            }
            if answer.status.is_client_error() {
                return Err(CommandError::Refused { url: url.clone(), what: answer.problem().in_words() });
            }
            Err(answer.failure(url.clone()))
        })
        .await
    }

    /// Approves or declines what another person asked for, or withdraws it.
    pub async fn settle(&self, id: &str, verb: &str, body: &Map<String, Value>) -> Result<Settled, CommandError> {
        let url = self.url_of(&["requests", id, verb])?;
        let response = self.open(self.http.post(&url).timeout(MAX_BATCH).json(body)).await?;
        let is_batch = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/x-ndjson");
        if response.status() == StatusCode::OK && is_batch {
            return Ok(Settled::Batch(Lines::of(url, self.base.clone(), response)));
        }
        let answer = self.read(&url, response).await?;
        match answer.status {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(Settled::Recorded(answer.read(&url)?)),
            status if status.is_client_error() => Ok(Settled::Refused(answer.problem())),
            _ => Err(answer.failure(url)),
        }
    }
}

/// What became of a request for an operation.
#[derive(Debug)]
pub enum Settled {
    /// It is recorded.
    Recorded(Value),
    /// A batch is carried out.
    Batch(Lines),
    /// The server refuses it.
    Refused(Problem),
}

impl Lines {
    fn of(url: String, server: String, response: Response) -> Self {
        Self { url, server, response, buffer: BytesMut::new() }
    }

    /// The next line, as a text and decoded. `None`: the end of the answer.
    pub async fn next(&mut self) -> Result<Option<(String, Line)>, CommandError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                return self.parsed(&line).map(Some);
            }
            if self.buffer.len() > MAX_LINE {
                return Err(self.strange(&format!("a line is longer than {MAX_LINE} bytes")));
            }
            match tokio::time::timeout(MAX_SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.buffer.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(self.unreachable(innermost(&error))),
                Err(_) => return Err(self.unreachable("it has fallen silent".to_owned())),
            }
        }
    }

    fn parsed(&self, line: &[u8]) -> Result<(String, Line), CommandError> {
        let text = String::from_utf8_lossy(line).into_owned();
        let line = serde_json::from_str(&text).map_err(|error| self.strange(&error.to_string()))?;
        Ok((text, line))
    }

    fn strange(&self, reason: &str) -> CommandError {
        CommandError::Answer { url: self.url.clone(), reason: reason.to_owned() }
    }

    fn unreachable(&self, reason: String) -> CommandError {
        CommandError::Unreachable { server: self.server.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stub::Stub;

    async fn read(stub: &Stub) -> Vec<Line> {
        let mut lines = stub.client().batch(&json!({})).await.unwrap();
        let mut read = Vec::new();
        while let Some((_, line)) = lines.next().await.unwrap() {
            read.push(line);
        }
        read
    }

    #[tokio::test]
    async fn each_line_is_told_apart() {
        let stub = Stub::start().await;
        stub.batches([vec![
            json!({ "matches": 2, "before": "2026-01-31T09:00:00Z" }),
            json!({ "orderId": "a", "status": 202, "revision": 5, "position": "9" }),
            json!({ "orderId": "b", "status": 409, "state": "COMPLETED", "detail": "too late", "title": "Conflict" }),
            json!({ "stopped": "so" }),
            json!({ "done": true }),
        ]]);
        let verdict = |order: &str, status, state, detail: &str| {
            let problem = Problem { detail: detail.to_owned(), errors: Vec::new() };
            Line::Order(Verdict { order_id: order.to_owned(), status, state, request: None, problem })
        };
        let expected = [
            Line::Beginning { matches: 2, before: "2026-01-31T09:00:00Z".to_owned() },
            verdict("a", 202, None, ""),
            verdict("b", 409, Some(State::Completed), "too late"),
            Line::Stopped { stopped: "so".to_owned() },
            Line::Done { done: true },
        ];
        assert_eq!(read(&stub).await, expected);
    }

    #[tokio::test]
    async fn a_line_that_is_none_of_them_is_an_answer_that_cannot_be_understood() {
        let stub = Stub::start().await;
        stub.batches([vec![json!({ "news": 1 })]]);
        let mut lines = stub.client().batch(&json!({})).await.unwrap();
        assert!(matches!(lines.next().await, Err(CommandError::Answer { .. })));
    }

    #[tokio::test]
    async fn a_batch_that_is_wrong_is_an_error_with_what_is_wrong_and_a_busy_server_is_asked_again() {
        let stub = Stub::start().await;
        stub.replies([Reply::status(503).retry_after(0), Reply::refused("/where/sate", "is not known here")]);
        let error = stub.client().batch(&json!({})).await.unwrap_err().to_string();
        assert!(error.ends_with("/where/sate: is not known here"), "{error}");
        assert_eq!(stub.batched().len(), 2);
    }

    use crate::stub::Reply;
}

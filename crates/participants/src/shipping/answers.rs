//! Later answers, each kept until the receiver accepts it: the callback of an HTTP request, or the
//! stream of replies.

use std::time::{Duration, SystemTime};

use domain::ids::OrderId;
use domain::order::Direction;
use domain::wire::participants::{ActionAnswered, Reply};
use event_store::EventStore;
use http_client::Destinations;
use leader_consumer::LogAlarm;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Shipping;
use crate::options::{Options, Retry};
use crate::outbox::{Outbox, Queue, Ticket, Verdict, queue_in};
use crate::participant::Participant;
use crate::replies::{self, NotAppended};

/// The outbox of answers.
pub(crate) struct Answers {
    client: reqwest::Client,
    /// The log of requests by events.
    log: Option<EventStore>,
    retry: Retry,
    /// Raised while the log is not the one with the requests.
    alarm: LogAlarm,
}

impl Answers {
    pub(crate) fn new(options: &Options, log: Option<EventStore>) -> Result<Self, reqwest::Error> {
        let client = Destinations::default().client_builder(None)?.timeout(options.delivery_timeout).build()?;
        Ok(Self { client, log, retry: options.retry, alarm: options.alarm.clone() })
    }

    /// The meaning of the receiver's status.
    fn verdict(&self, status: StatusCode, retry_after: Option<Duration>, age: Duration) -> Verdict {
        let again = || Verdict::Again { reason: format!("the callback answered {status}"), after: retry_after };
        match status {
            status if status.is_success() => Verdict::Delivered,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            // A changing key, or a proxy: the receiver has not read the answer.
            | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => again(),
            StatusCode::NOT_FOUND if age < self.retry.not_found_patience => again(),
            status if status.is_client_error() => Verdict::Refused(format!("the callback answered {status}")),
            _ => again(),
        }
    }
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct QueuedAnswer {
    #[sqlx(flatten)]
    ticket: Ticket,
    order_id: String,
    callback_url: Option<String>,
    request_id: Option<Uuid>,
    step: Option<String>,
    idempotency_key: Uuid,
    traceparent: Option<String>,
    body: String,
}

impl AsRef<Ticket> for QueuedAnswer {
    fn as_ref(&self) -> &Ticket {
        &self.ticket
    }
}

impl Outbox for Answers {
    const QUEUE: Queue = queue_in!("participant_shipping.answers");
    type Item = QueuedAnswer;

    async fn deliver(&self, item: &QueuedAnswer) -> Verdict {
        match (&item.callback_url, item.request_id, &item.step) {
            (Some(callback_url), ..) => self.post(callback_url, item).await,
            (None, Some(request), Some(step)) => self.append(request, step, item).await,
            (None, ..) => Verdict::Refused("the request did not say where its answer goes".to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct Body {
    outcome: String,
    data: Value,
}

impl Answers {
    /// Appends to the stream of replies.
    async fn append(&self, request: Uuid, step: &str, item: &QueuedAnswer) -> Verdict {
        let again = |reason: String| Verdict::Again { reason, after: None };
        let Some(log) = &self.log else { return again("this process does not answer by events".to_owned()) };
        if let Some(reason) = self.alarm.reason() {
            return again(reason);
        }
        let reply = match (OrderId::new(item.order_id.as_str()), serde_json::from_str(&item.body)) {
            (Ok(order_id), Ok(Body { outcome, data })) => Reply::Answered(ActionAnswered {
                order_id,
                step: step.to_owned(),
                direction: Direction::Do,
                outcome: Some(outcome),
                data,
            }),
            _ => return Verdict::Refused("it cannot be written as a reply".to_owned()),
        };
        match replies::append(log, Shipping::NAME, &reply, request, item.traceparent.as_deref()).await {
            Ok(()) => Verdict::Delivered,
            Err(NotAppended::Later(reason)) => again(reason),
            Err(NotAppended::Never(reason)) => Verdict::Refused(reason),
        }
    }

    /// Posts to a callback.
    async fn post(&self, callback_url: &str, item: &QueuedAnswer) -> Verdict {
        let mut request = self
            .client
            .post(callback_url)
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", format!("\"{}\"", item.idempotency_key))
            .body(item.body.clone());
        if let Some(traceparent) = &item.traceparent {
            request = request.header("traceparent", traceparent);
        }
        match request.send().await {
            Ok(response) => {
                let requested_wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let requested_wait = requested_wait.and_then(|text| http_client::retry_after(text, SystemTime::now()));
                self.verdict(response.status(), requested_wait, item.ticket.age())
            }
            Err(error) => {
                Verdict::Again { reason: format!("the callback was not reached: {}", error.without_url()), after: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receivers_status_decides_about_a_retry() {
        let answers = Answers::new(&Options::default(), None).unwrap();
        let judged = |status: u16, age_s| match answers.verdict(
            StatusCode::from_u16(status).unwrap(),
            None,
            Duration::from_secs(age_s),
        ) {
            Verdict::Delivered => "delivered",
            Verdict::Refused(_) => "refused",
            Verdict::Again { .. } => "again",
        };
        for (status, expected) in [
            (200, "delivered"),
            (202, "delivered"),
            (302, "again"),
            (400, "refused"),
            (401, "again"),
            (403, "again"),
            (404, "again"),
            (408, "again"),
            (409, "refused"),
            (410, "refused"),
            (422, "refused"),
            (425, "again"),
            (429, "again"),
            (500, "again"),
            (503, "again"),
        ] {
            assert_eq!(judged(status, 1), expected, "{status}");
        }
        assert_eq!(judged(404, 3600), "refused");
    }
}

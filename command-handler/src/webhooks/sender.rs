//! Sends a notification, and says what became of it.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chrono::Utc;
use domain::webhook::WebhookId;
use http_client::{Destinations, NotPermitted, ParticipantTls, no_answer, retry_after};
use live::{Change, Live};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use reqwest::{Response, StatusCode, Url};
use signing::webhook::{self, WebhookSecret};

use super::queue::Answer;
use crate::participants::{ClientsByPort, shortened};

/// How much of an answer is read, in bytes: its connection can be used again then.
const MAX_ANSWER: usize = 64 * 1024;

/// What a deployment decides about webhooks.
#[derive(Debug, Clone)]
pub struct WebhookSetup {
    /// The permitted hosts.
    pub destinations: Destinations,
    /// The authorities of endpoints' certificates.
    pub tls: ParticipantTls,
    /// How long an endpoint may take to answer.
    pub timeout: Duration,
    /// How long a notification is tried again.
    pub retries: Duration,
}

/// Sends notifications. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    current: Live<Current>,
    tls: ParticipantTls,
}

/// With what a request is sent.
#[derive(Debug)]
struct Current {
    clients: ClientsByPort,
    destinations: Destinations,
    timeout: Duration,
}

/// A message to an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    pub url: &'a str,
    pub id: &'a str,
    pub body: Bytes,
    pub secrets: &'a [WebhookSecret],
}

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Tried {
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    pub took: Duration,
    /// Why the message counts as not delivered.
    pub error: Option<String>,
    answer: Answer,
}

impl Tried {
    /// The kind of the answer, for metrics.
    pub fn result(&self) -> &'static str {
        match self.status {
            Some(200..=299) => "2xx",
            Some(300..=399) => "3xx",
            Some(400..=499) => "4xx",
            Some(_) => "5xx",
            None => "no_answer",
        }
    }

    pub(super) fn into_answer(self) -> Answer {
        self.answer
    }
}

impl Sender {
    /// Redirects are not followed, and only permitted hosts are connected to.
    pub fn new(setup: &WebhookSetup) -> Result<Self, reqwest::Error> {
        let WebhookSetup { destinations, tls, timeout, .. } = setup.clone();
        let clients = ClientsByPort::new(&destinations, &tls)?;
        Ok(Self { current: Live::new(Current { clients, destinations, timeout }), tls })
    }

    /// What permits these hosts, and so much time for an answer. Other hosts get other connections.
    pub(crate) fn prepare(&self, destinations: Destinations, timeout: Duration) -> Result<Change, reqwest::Error> {
        let current = self.current.get();
        let clients = if current.destinations == destinations {
            current.clients.clone()
        } else {
            ClientsByPort::new(&destinations, &self.tls)?
        };
        Ok(Change::default().set(&self.current, Current { clients, destinations, timeout }))
    }

    #[cfg(test)]
    pub(crate) fn limits(&self) -> (Destinations, Duration) {
        let current = self.current.get();
        (current.destinations.clone(), current.timeout)
    }

    /// Checks the host of a URL, as far as its name tells.
    pub(crate) fn check(&self, url: &Url) -> Result<(), NotPermitted> {
        self.current.get().destinations.check(url)
    }

    pub(crate) async fn send(&self, message: Message<'_>) -> Tried {
        let begun = Instant::now();
        let sent = self.request(message).await;
        let took = begun.elapsed();
        let failed = |error: String| {
            let error = shortened(&error);
            let answer = Answer::Failed { error: error.clone(), pause: None };
            Tried { status: None, took, error: Some(error), answer }
        };
        match sent {
            Err(reason) => failed(reason),
            Ok(response) => {
                let (status, answer) = (response.status(), answer_of(&response));
                // The rest of a longer answer, and a connection that breaks now, change nothing.
                let _ = http_client::at_most(response, MAX_ANSWER).await;
                let error = match &answer {
                    Answer::Delivered => None,
                    Answer::Gone => Some(GONE.to_owned()),
                    Answer::Failed { error, .. } => Some(error.clone()),
                };
                Tried { status: Some(status.as_u16()), took, error, answer }
            }
        }
    }

    async fn request(&self, message: Message<'_>) -> Result<Response, String> {
        let Message { url, id, body, secrets } = message;
        let url = Url::parse(url).map_err(|error| format!("its URL cannot be read: {error}"))?;
        // The configuration may have changed since the URL was given.
        self.check(&url).map_err(|error| error.to_string())?;
        let (now, current) = (Utc::now().timestamp(), self.current.get());
        let signature = webhook::sign(secrets, id, now, &body);
        let request = |client: &reqwest::Client| {
            client
                .post(url.clone())
                .timeout(current.timeout)
                .header(CONTENT_TYPE, "application/json")
                .header(USER_AGENT, concat!("Tenuto/", env!("CARGO_PKG_VERSION")))
                .header(webhook::ID, id)
                .header(webhook::TIMESTAMP, now)
                .header(webhook::SIGNATURE, &signature)
                .body(body.clone())
        };
        let (sent, _) = current.clients.of(&url).send(request).await;
        sent.map_err(|error| no_answer(&error))
    }
}

/// Why a webhook is disabled whose endpoint wants no more.
pub(super) const GONE: &str = "the endpoint answered 410 Gone";

fn answer_of(response: &Response) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Delivered;
    }
    if status == StatusCode::GONE {
        return Answer::Gone;
    }
    let asks_for_a_pause = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let pause = asked.filter(|_| asks_for_a_pause).and_then(|asked| retry_after(asked, SystemTime::now()));
    let redirect = if status.is_redirection() { "; redirects are not followed: change the URL" } else { "" };
    Answer::Failed { error: format!("the endpoint answered {status}{redirect}"), pause }
}

/// The id of the message that only tries an endpoint.
pub(crate) fn test_id(webhook: WebhookId, at: i64) -> String {
    format!("msg_test_{}_{at}", webhook.0.simple())
}

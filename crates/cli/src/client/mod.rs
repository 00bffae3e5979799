//! A client of the server: it places orders over HTTP, and queries them over GraphQL.
//!
//! If the server restarts, is overloaded, or cannot be reached, the client sends a request again,
//! with back-off, within [`Patience`]. That is safe: an order that is placed twice is placed once,
//! a query changes nothing, and the server refuses an operator's action that is done already.

mod batch;
mod graphql;
mod problem;
mod token;
mod webhooks;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::batch::{Line, Lines, Settled, Verdict};
pub use self::problem::Problem;
pub use self::webhooks::Managed;
use crate::CommandError;
use crate::retry::{self, Patience};
use command_line::output::printable;
use command_line::running;
use secrets::{SecretString, exposed, without_secrets};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer, in bytes: a page of timeline entries, with room to spare.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The longest part of an unknown answer that is shown.
const MAX_DETAIL: usize = 300;

/// Which server to call.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// The server's address: orders are posted to URL/orders, queries to URL/graphql [default: the
    /// process that runs in the folder .tenuto, or `http://127.0.0.1:7007`]
    #[arg(long, env = "TENUTO_SERVER", value_name = "URL", hide_env_values = true)]
    server: Option<SecretString>,
    /// A file with the API key or the token to send [default: the environment variable
    /// `TENUTO_TOKEN`; none]
    #[arg(long, env = "TENUTO_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArgs {
    /// Whether requests have credentials.
    pub(crate) fn sends_credentials(&self) -> bool {
        self.token_file.is_some() || token::is_in_environment()
    }

    /// A client of that server.
    pub fn client(&self) -> Result<Client, CommandError> {
        let server = running::server(exposed(self.server.as_ref()))?;
        Client::build(&server, Patience::default(), token::read(self.token_file.as_deref())?)
    }

    #[cfg(test)]
    pub fn of(server: &str) -> Self {
        Self { server: Some(server.into()), token_file: None }
    }
}

/// A client of one server. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    patience: Patience,
    /// Whether the server has ever answered.
    reached: Arc<AtomicBool>,
}

/// The server's answer to an order.
#[derive(Debug)]
pub enum Placement {
    /// It is recorded.
    Accepted(Receipt),
    /// It is refused, and would be refused again.
    Refused(Problem),
}

/// An order is recorded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The order's id: from the request, or from the server.
    pub order_id: String,
}

/// The server's answer to the answer of a step.
#[derive(Debug)]
pub enum Answered {
    /// It is recorded: the receipt.
    Recorded(Value),
    /// It is refused.
    Refused(Problem),
}

/// The server's answer to a request to forget a customer.
#[derive(Debug)]
pub enum Erasure {
    /// It is done.
    Done(Forgotten),
    /// The request is refused.
    Refused(Problem),
}

/// A customer is forgotten.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forgotten {
    /// The shop's id of the customer.
    pub customer_id: String,
    /// The number of orders whose personal data is erased.
    pub orders: u64,
    /// The number of these orders whose personal data stays in the log in plain text.
    pub in_the_clear: u64,
    /// The first of those that have not ended; older servers do not list them.
    #[serde(default)]
    pub open_orders: Vec<String>,
    /// The position of the erasure in the log.
    pub position: String,
}

impl Client {
    /// A client of the server at that base URL.
    pub fn new(base: &str) -> Result<Self, CommandError> {
        Self::with_patience(base, Patience::default())
    }

    /// A client with this patience.
    pub fn with_patience(base: &str, patience: Patience) -> Result<Self, CommandError> {
        Self::build(base, patience, None)
    }

    fn build(base: &str, patience: Patience, token: Option<HeaderValue>) -> Result<Self, CommandError> {
        let base = checked_base(base)?;
        let headers = token.map(|token| (AUTHORIZATION, token)).into_iter().collect();
        let http = http_client::builder()
            .map_err(CommandError::Setup)?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .default_headers(headers)
            .user_agent(concat!("tenuto/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(CommandError::Setup)?;
        Ok(Self { http, base, patience, reached: Arc::default() })
    }

    /// The server's address, without a password.
    pub fn base(&self) -> String {
        without_secrets(&self.base)
    }

    /// Places an order. An order without an id needs a `key`, so that it can be sent again safely.
    pub async fn place(&self, order: Bytes, key: Option<&str>) -> Result<Placement, CommandError> {
        let url = format!("{}/orders", self.base);
        let request = || {
            let request = self.http.post(&url).header(CONTENT_TYPE, "application/json").body(order.clone());
            match key {
                Some(key) => request.header("Idempotency-Key", format!("\"{key}\"")),
                None => request,
            }
        };
        // With a key, 409 means that an earlier attempt is still in progress.
        let again = |answer: &Answer| {
            retry::is_transient(answer.status) || (key.is_some() && answer.status == StatusCode::CONFLICT)
        };
        let answer = self.exchange(&url, request, again).await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(Placement::Accepted(answer.read(&url)?)),
            status if status.is_client_error() => Ok(Placement::Refused(answer.problem())),
            _ => Err(answer.failure(url)),
        }
    }

    /// Requests that a customer is forgotten.
    pub async fn forget(&self, customer: &str, attribution: &Map<String, Value>) -> Result<Erasure, CommandError> {
        let url = self.url_of(&["customers", customer, "forget"])?;
        let answer = self
            .exchange(&url, || self.http.post(&url).json(attribution), |answer| retry::is_transient(answer.status))
            .await?;
        match answer.status {
            StatusCode::OK => Ok(Erasure::Done(answer.read(&url)?)),
            status if status.is_client_error() => Ok(Erasure::Refused(answer.problem())),
            _ => Err(answer.failure(url)),
        }
    }

    /// Answers a step. The same answer again changes nothing.
    pub async fn answer(&self, order: &str, step: &str, body: &Map<String, Value>) -> Result<Answered, CommandError> {
        let url = self.url_of(&["orders", order, "steps", step, "outcome"])?;
        let request = || self.http.post(&url).json(body);
        let answer = self.exchange(&url, request, |answer| retry::is_transient(answer.status)).await?;
        match answer.status {
            StatusCode::ACCEPTED => Ok(Answered::Recorded(answer.read(&url)?)),
            status if status.is_client_error() => Ok(Answered::Refused(answer.problem())),
            _ => Err(answer.failure(url)),
        }
    }

    /// An address of the server, with these parts of a path, whatever is in them.
    fn url_of(&self, parts: &[&str]) -> Result<String, CommandError> {
        let mut url = Url::parse(&self.base).map_err(|error| self.no_address(&error))?;
        let mut path = url.path_segments_mut().map_err(|()| self.no_address(&"it has no path"))?;
        path.pop_if_empty().extend(parts);
        drop(path);
        Ok(url.to_string())
    }

    fn no_address(&self, reason: &dyn std::fmt::Display) -> CommandError {
        CommandError::ServerUrl { text: self.base.clone(), reason: reason.to_string() }
    }

    /// Sends a request until the answer needs no further attempt (`again`), or patience ends.
    async fn exchange(
        &self,
        url: &str,
        request: impl Fn() -> RequestBuilder,
        again: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, CommandError> {
        self.patiently(async || match self.send(url, request()).await {
            Ok(answer) if !again(&answer) => Ok(Attempt::Answered(answer)),
            Ok(answer) => Ok(Attempt::NotNow(answer.asked_delay, answer.unavailable(url.to_owned()))),
            Err(error @ CommandError::Unreachable { .. }) => Ok(Attempt::NotNow(None, error)),
            Err(error) => Err(error),
        })
        .await
    }

    /// Repeats an attempt, with back-off, until it is answered or patience ends.
    async fn patiently<T>(
        &self,
        attempt: impl AsyncFn() -> Result<Attempt<T>, CommandError>,
    ) -> Result<T, CommandError> {
        let began = Instant::now();
        let mut failures = 0;
        loop {
            let (asked_delay, error) = match attempt().await? {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::NotNow(asked_delay, error) => (asked_delay, error),
            };
            failures += 1;
            let delay = retry::delay(failures, asked_delay, rand::random());
            if began.elapsed() + delay > self.patience() {
                return Err(error);
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn send(&self, url: &str, request: RequestBuilder) -> Result<Answer, CommandError> {
        let response = self.open(request).await?;
        self.read(url, response).await
    }

    /// Sends a request, and returns the answer before its body is read.
    async fn open(&self, request: RequestBuilder) -> Result<Response, CommandError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.reached.store(true, Ordering::Relaxed);
        Ok(response)
    }

    async fn read(&self, url: &str, response: Response) -> Result<Answer, CommandError> {
        let (status, asked_delay) = (response.status(), retry::asked_delay(response.headers()));
        match http_client::whole(response, MAX_ANSWER).await {
            Ok(Some(body)) => Ok(Answer { status, asked_delay, body }),
            Ok(None) => Err(CommandError::Answer {
                url: url.to_owned(),
                reason: format!("it is longer than {MAX_ANSWER} bytes"),
            }),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> CommandError {
        CommandError::Unreachable { server: self.base.clone(), reason: innermost(error) }
    }

    /// How long attempts are repeated.
    pub fn patience(&self) -> Duration {
        if self.reached.load(Ordering::Relaxed) { self.patience.later } else { self.patience.first_contact }
    }
}

/// The result of an attempt.
enum Attempt<T> {
    Answered(T),
    /// A later attempt may succeed: the wait that the server requests, and the error if patience
    /// ends.
    NotNow(Option<Duration>, CommandError),
}

/// An answer with its body.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    asked_delay: Option<Duration>,
    body: Bytes,
}

impl Answer {
    fn read<T: DeserializeOwned>(&self, url: &str) -> Result<T, CommandError> {
        serde_json::from_slice(&self.body).map_err(|error| self.not_understood(url.to_owned(), &error.to_string()))
    }

    /// The fault: the text of the problem document, or the body of a proxy's answer.
    fn problem(&self) -> Problem {
        match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) if !problem.detail.is_empty() || !problem.errors.is_empty() => problem,
            _ => Problem { detail: format!("{}: {}", self.status, self.text()), errors: Vec::new() },
        }
    }

    fn unavailable(self, url: String) -> CommandError {
        CommandError::Unavailable { url, status: self.status, detail: self.detail() }
    }

    fn failure(self, url: String) -> CommandError {
        CommandError::Failed { url, status: self.status, detail: self.detail() }
    }

    fn not_understood(&self, url: String, reason: &str) -> CommandError {
        CommandError::Answer { url, reason: format!("{}, {reason}: {}", self.status, self.text()) }
    }

    fn detail(&self) -> String {
        match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) if !problem.detail.is_empty() => shortened(&problem.detail),
            _ => self.text(),
        }
    }

    fn text(&self) -> String {
        shortened(&String::from_utf8_lossy(&self.body))
    }
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    let end = text.char_indices().nth(MAX_DETAIL).map_or(text.len(), |(index, _)| index);
    let dots = if end < text.len() { "…" } else { "" };
    printable(&format!("{}{dots}", &text[..end])).into_owned()
}

/// The deepest cause of an error: the errors above it only name it.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn checked_base(text: &str) -> Result<String, CommandError> {
    let wrong = |reason: &str| CommandError::ServerUrl { text: text.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it must start with http:// or https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it must end with its path"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::{Reply, Stub};

    fn order() -> Bytes {
        Bytes::from_static(b"{}")
    }

    #[test]
    fn a_base_url_keeps_its_path_and_loses_its_last_slash() {
        assert_eq!(checked_base("http://127.0.0.1:7007").unwrap(), "http://127.0.0.1:7007");
        assert_eq!(checked_base("https://shop.example/tenuto/").unwrap(), "https://shop.example/tenuto");
    }

    #[test]
    fn what_is_no_base_url_is_refused_in_words() {
        for text in ["", "127.0.0.1:7007", "localhost", "ftp://a", "http://", "http://a?b", "http://a#b"] {
            assert!(matches!(checked_base(text), Err(CommandError::ServerUrl { .. })), "{text}");
        }
    }

    #[tokio::test]
    async fn an_overloaded_server_is_asked_again() {
        let stub = Stub::start().await;
        stub.replies([Reply::status(503).retry_after(0), Reply::status(502), Reply::accepted("1")]);
        let placement = stub.client().place(order(), None).await.unwrap();
        assert!(matches!(placement, Placement::Accepted(receipt) if receipt.order_id == "1"));
        assert_eq!(stub.placed().len(), 3);
    }

    #[tokio::test]
    async fn a_server_that_stays_overloaded_is_given_up() {
        let stub = Stub::start().await;
        stub.replies_for_ever(Reply::status(503));
        let error = stub.client().place(order(), None).await.unwrap_err();
        assert!(matches!(error, CommandError::Unavailable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_plain_failure_is_not_tried_again() {
        let stub = Stub::start().await;
        stub.replies([Reply::status(500)]);
        let error = stub.client().place(order(), None).await.unwrap_err();
        assert!(matches!(error, CommandError::Failed { .. }), "{error}");
        assert_eq!(stub.placed().len(), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_an_answer() {
        let stub = Stub::start().await;
        stub.replies([Reply::refused("/currency", "must be three capital letters")]);
        let Placement::Refused(problem) = stub.client().place(order(), None).await.unwrap() else { panic!() };
        assert_eq!(problem.errors[0].pointer, "/currency");
    }

    #[tokio::test]
    async fn a_conflict_is_waited_for_only_where_it_means_that_the_first_attempt_still_runs() {
        let stub = Stub::start().await;
        stub.replies([Reply::status(409), Reply::accepted("1"), Reply::status(409)]);
        assert!(matches!(stub.client().place(order(), Some("k")).await.unwrap(), Placement::Accepted(_)));
        assert!(matches!(stub.client().place(order(), None).await.unwrap(), Placement::Refused(_)));
        assert_eq!(stub.placed()[0].key.as_deref(), Some("\"k\""));
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_said_so_with_the_reason() {
        let patience = Patience { first_contact: Duration::ZERO, later: Duration::from_mins(1) };
        let client = Client::with_patience("http://127.0.0.1:1", patience).unwrap();
        let error = client.place(order(), None).await.unwrap_err().to_string();
        assert!(error.contains("cannot reach the server at http://127.0.0.1:1: Connection refused"), "{error}");
    }
}

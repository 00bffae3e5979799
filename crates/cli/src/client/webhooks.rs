//! Requests about webhooks.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Answer, Client, Problem};
use crate::CommandError;
use crate::retry;

/// The server's answer to a request about webhooks.
#[derive(Debug)]
pub enum Managed {
    /// It is done: the answer, null if it has no body.
    Done(Value),
    /// It is refused.
    Refused(Problem),
}

impl Client {
    /// A request to `/webhooks` and these parts below it. A request that creates something is sent
    /// once only.
    pub async fn webhooks(
        &self,
        method: Method,
        below: &[&str],
        body: Option<&Value>,
    ) -> Result<Managed, CommandError> {
        let url = self.url_of(&[&["webhooks"], below].concat())?;
        self.webhooks_at(method, url, body).await
    }

    /// The dead letters of a webhook.
    pub async fn dead_letters(&self, id: &str, first: u16, after: Option<&str>) -> Result<Managed, CommandError> {
        let url = self.url_of(&["webhooks", id, "dead-letters"])?;
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        self.webhooks_at(Method::GET, format!("{url}?first={first}{after}"), None).await
    }

    async fn webhooks_at(&self, method: Method, url: String, body: Option<&Value>) -> Result<Managed, CommandError> {
        let request = || {
            let request = self.http.request(method.clone(), &url);
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        let answer = if method == Method::POST {
            self.send(&url, request()).await?
        } else {
            self.exchange(&url, request, |answer| retry::is_transient(answer.status)).await?
        };
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Managed::Done(Value::Null)),
            status if status.is_success() => Ok(Managed::Done(answer.read(&url)?)),
            status if status.is_client_error() => Ok(Managed::Refused(Answer::problem(&answer))),
            _ => Err(answer.failure(url)),
        }
    }
}

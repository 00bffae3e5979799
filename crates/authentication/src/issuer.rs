//! The keys of an issuer, as its discovery document points to them (`OpenID` Connect Discovery 1.0,
//! section 4).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use access::NotAuthenticated;
use access::token::Rejected;
use access::token::key_set::KeySet;
use http_client::no_answer;
use jsonwebtoken::jwk::JwkSet;
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// The time limit for one request to an issuer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer of an issuer, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Where the keys of an issuer come from.
#[derive(Debug)]
pub struct Source {
    issuer: String,
    client: Client,
    started: Instant,
    keys: Mutex<KeySet>,
    /// One fetch at a time. Others wait for it if they have no keys to check with.
    fetching: tokio::sync::Mutex<()>,
}

/// Why the keys of an issuer are not known.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It gives no answer.
    #[error("the issuer does not answer {url}: {}", no_answer(fault))]
    NoAnswer {
        /// What was requested.
        url: String,
        /// Why.
        fault: reqwest::Error,
    },
    /// It answers with an error.
    #[error("the issuer answers {url} with HTTP {status}; correct the URL in the access file, or the issuer")]
    Status {
        /// What was requested.
        url: String,
        /// The answer.
        status: u16,
    },
    /// Its answer cannot be used.
    #[error(
        "the issuer's answer to {url} is not what it must be: {fault}; correct the URL in the access file, or the issuer"
    )]
    Malformed {
        /// What was requested.
        url: String,
        /// What is wrong.
        fault: String,
    },
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    /// The source of this issuer's keys. Nothing is fetched yet.
    pub fn of(issuer: &str) -> Result<Self, reqwest::Error> {
        let client = http_client::builder()?.timeout(PATIENCE).build()?;
        let (keys, fetching) = (Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self { issuer: issuer.to_owned(), client, started: Instant::now(), keys, fetching })
    }

    /// The issuer's URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Runs a check with the issuer's keys. Its keys are fetched before, if they are old, and
    /// fetched again, if the check lacks one.
    pub async fn with_keys<T>(
        &self,
        check: impl Fn(&JwkSet) -> Result<T, Rejected>,
    ) -> Result<Result<T, Rejected>, NotAuthenticated> {
        self.refresh(false).await;
        let first = self.checked(&check)?;
        if !matches!(first, Err(Rejected::UnknownKey)) {
            return Ok(first);
        }
        self.refresh(true).await;
        self.checked(&check)
    }

    fn checked<T>(
        &self,
        check: impl Fn(&JwkSet) -> Result<T, Rejected>,
    ) -> Result<Result<T, Rejected>, NotAuthenticated> {
        let keys = self.key_set().usable(self.now()).cloned();
        let keys = keys.ok_or_else(|| NotAuthenticated::Unavailable("the issuer does not give its keys".to_owned()))?;
        Ok(check(&keys))
    }

    /// Fetches the keys if that is due. While another request fetches them, this one waits, unless
    /// it can do without.
    async fn refresh(&self, lacks_a_key: bool) {
        let is_due = || self.key_set().is_due(self.now(), lacks_a_key);
        let can_do_without = !lacks_a_key && self.key_set().usable(self.now()).is_some();
        let _fetching = match self.fetching.try_lock() {
            Ok(fetching) => fetching,
            Err(_) if can_do_without => return,
            Err(_) => self.fetching.lock().await,
        };
        if !is_due() {
            return;
        }
        let began = self.now();
        self.key_set().begin(began, lacks_a_key);
        match self.fetch().await {
            Ok(keys) => self.key_set().fetched(began, keys),
            Err(error) => {
                tracing::warn!(issuer = self.issuer, "the keys of an issuer cannot be had: {error}");
            }
        }
    }

    /// Fetches the keys before the first request needs them. A failure is logged, and does not
    /// delay the next fetch.
    pub async fn fetch_first(&self) {
        let began = self.now();
        match self.fetch().await {
            Ok(keys) => self.key_set().fetched(began, keys),
            Err(error) => {
                tracing::warn!(issuer = self.issuer, "the keys of an issuer cannot be had yet: {error}");
            }
        }
    }

    /// The keys, as the issuer gives them now.
    pub async fn fetch(&self) -> Result<JwkSet, FetchError> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let discovery: Discovery = self.get(&url).await?;
        if discovery.issuer != self.issuer {
            let fault = "its issuer is another one than the configuration has".to_owned();
            return Err(FetchError::Malformed { url, fault });
        }
        let keys = Url::parse(&discovery.jwks_uri).map_err(|error| FetchError::Malformed {
            url: url.clone(),
            fault: format!("its jwks_uri is not a URL: {error}"),
        })?;
        // Over http, anybody on the way could put in keys of their own.
        if keys.scheme() != "https" && !self.issuer.starts_with("http://") {
            return Err(FetchError::Malformed { url, fault: "its jwks_uri is not https".to_owned() });
        }
        self.get(keys.as_str()).await
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, FetchError> {
        let silent = |fault| FetchError::NoAnswer { url: url.to_owned(), fault };
        let response = self.client.get(url).send().await.map_err(silent)?;
        let status = response.status();
        if !status.is_success() {
            return Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() });
        }
        let malformed = |fault: String| FetchError::Malformed { url: url.to_owned(), fault };
        let body = http_client::whole(response, MAX_BYTES).await.map_err(silent)?;
        let body = body.ok_or_else(|| malformed(format!("it has more than {MAX_BYTES} bytes")))?;
        serde_json::from_slice(&body).map_err(|error| malformed(error.to_string()))
    }

    fn key_set(&self) -> std::sync::MutexGuard<'_, KeySet> {
        self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn requests_that_arrive_while_the_first_keys_are_fetched_wait_for_them() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answers, fetches) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (issuer, is_asked, may_answer, count) = (url.clone(), asked.clone(), answers.clone(), fetches.clone());
        let discovery = async move || {
            count.fetch_add(1, Ordering::Relaxed);
            is_asked.notify_one();
            may_answer.notified().await;
            Json(json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }))
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(async || Json(json!({ "keys": [] }))));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let source = Source::of(&url).unwrap();
        let with_keys = || source.with_keys(|_| Ok(()));
        let (mut first, mut second) = (Box::pin(with_keys()), Box::pin(with_keys()));
        tokio::select! {
            () = asked.notified() => {}
            answer = &mut first => panic!("it did not wait: {answer:?}"),
        }
        assert!(waits(&mut second).await, "it has no keys, and another request fetches them");
        answers.notify_one();
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first, second), (Ok(Ok(())), Ok(Ok(()))));
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
    }

    /// Whether a future waits when it is polled once.
    async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}

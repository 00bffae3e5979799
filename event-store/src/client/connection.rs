//! The inner client, rebuilt when it is broken.
//!
//! The `eventstore` crate gives up for good once it fails to reach a server, and in a cluster it stays with a leader that
//! is gone. So a client that reports either is put away and the next call makes a new one: one at a time, and with a
//! growing pause while the server stays away, however many calls are waiting.

use std::pin::pin;
use std::time::Duration;

use eventstore::{Client, ClientSettings, Error};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::Code;

use super::error::{ConnectError, is_damage, is_unavailable};

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// With the pauses between them, about six seconds: a restart of the server goes unnoticed, an outage does not.
const ATTEMPTS: u32 = 10;
/// However few the attempts were: one that got no answer has taken ten seconds by itself.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// A call that takes longer than this is given up. The server is asked to give up an append after ten seconds, but the
/// crate waits without end for a server that does not say so.
const LONGEST_CALL: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    settings: ClientSettings,
    built: std::sync::Mutex<Option<Built>>,
    building: Mutex<Builds>,
}

/// A client and which one it is, so that a late report about an earlier one does not break the present one.
#[derive(Clone)]
pub(super) struct Built {
    client: Client,
    number: u64,
}

impl std::ops::Deref for Built {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

struct Builds {
    count: u64,
    last: Option<Instant>,
    pause: Duration,
}

impl Connection {
    pub(super) fn new(connection_string: &str) -> Result<Self, ConnectError> {
        let settings = impatient(connection_string)
            .parse::<ClientSettings>()
            .map_err(|error| ConnectError(error.message().to_owned()))?;
        Ok(Self {
            settings,
            built: std::sync::Mutex::new(None),
            building: Mutex::new(Builds { count: 0, last: None, pause: FIRST_PAUSE }),
        })
    }

    /// The present client, or a new one.
    pub(super) async fn client(&self) -> Result<Built, Error> {
        if let Some(built) = self.present() {
            return Ok(built);
        }
        let mut builds = self.building.lock().await;
        if let Some(built) = self.present() {
            return Ok(built);
        }
        if let Some(last) = builds.last {
            // A client that lasted for a while did work: the next failure is a new one.
            let lasted = last.elapsed() > LONGEST_PAUSE * 2;
            builds.pause = if lasted { FIRST_PAUSE } else { (builds.pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep_until(last + builds.pause).await;
        }
        builds.last = Some(Instant::now());
        builds.count += 1;
        let built = Built { client: Client::new(self.settings.clone())?, number: builds.count };
        *self.lock() = Some(built.clone());
        Ok(built)
    }

    /// Makes one call, bounded in time.
    pub(super) async fn call<T>(&self, call: impl AsyncFnOnce(&Client) -> Result<T, Error>) -> Result<T, Error> {
        let built = self.client().await?;
        let outcome = in_time(call(&built)).await;
        outcome.inspect_err(|error| self.observe(&built, error))
    }

    /// Puts the client away when the error says that it is of no more use.
    pub(super) fn observe(&self, built: &Built, error: &Error) {
        if is_damage(error) {
            return;
        }
        if matches!(
            error,
            Error::ServerError(_) | Error::ConnectionClosed | Error::GrpcConnectionError(_) | Error::DeadlineExceeded
        ) {
            self.lock().take_if(|present| present.number == built.number);
        }
    }

    fn present(&self) -> Option<Built> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Built>> {
        self.built.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The crate waits for its discovery interval, half a second by default, even before the first attempt at a single host.
/// Unless the user has set it, that wait is made short; ours are between the builds.
fn impatient(connection_string: &str) -> String {
    if connection_string.to_lowercase().contains("discoveryinterval=") {
        return connection_string.to_owned();
    }
    let separator = if connection_string.contains('?') { '&' } else { '?' };
    format!("{connection_string}{separator}discoveryInterval=10")
}

/// Whether the same call may succeed a little later. A server that says it is overloaded is believed at once: repeating
/// would add to the load, and the caller is the one who can slow down.
pub(super) fn is_worth_another_try(error: &Error) -> bool {
    is_unavailable(error) && !matches!(error, Error::Grpc { code: Code::ResourceExhausted, .. })
}

/// A bounded number of attempts with growing pauses.
pub(super) struct Retry {
    since: Instant,
    attempts: u32,
    pause: Duration,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), attempts: 1, pause: FIRST_PAUSE }
    }

    /// Pauses before the next attempt; `false` when there is to be none.
    pub(super) async fn pause(&mut self) -> bool {
        if self.attempts >= ATTEMPTS || self.since.elapsed() > LONGEST_RETRY {
            return false;
        }
        self.attempts += 1;
        self.pause_once().await;
        true
    }

    /// Pauses before the next attempt, of which there may be any number.
    pub(super) async fn pause_once(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Bounds a call in time; the crate does not.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(LONGEST_CALL, pin!(call)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::DeadlineExceeded),
    }
}

#[cfg(test)]
mod tests {
    use super::impatient;

    #[test]
    fn the_discovery_interval_is_short_unless_the_user_sets_it() {
        assert_eq!(impatient("esdb://a:1?tls=false"), "esdb://a:1?tls=false&discoveryInterval=10");
        assert_eq!(impatient("esdb://a:1"), "esdb://a:1?discoveryInterval=10");
        assert_eq!(impatient("esdb://a:1?DiscoveryInterval=5"), "esdb://a:1?DiscoveryInterval=5");
    }
}

//! The present connection, replaced when it breaks.
//!
//! One connection carries every call. A call that reports it broken puts it away, and the next call makes a new one: one
//! at a time, and with a growing pause while the server stays away, however many calls are waiting. An outage is logged
//! once, when it begins, and once when it is over.

use std::pin::pin;
use std::time::Duration;

use back_off::{BackOff, Limits};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::discovery::Discovery;
use super::error::ConnectError;
use super::fault::Fault;
use super::link::Link;
use super::settings::Settings;

/// The pauses between two connections, and between two attempts of a call.
const PAUSES: Limits = Limits::new(Duration::from_millis(25), Duration::from_secs(1));
/// A connection that lasted for longer than this worked: the next failure is the first in a row.
const LASTING: Duration = Duration::from_secs(2);
/// With the pauses between them, about six seconds: a restart of the server goes unnoticed, an outage does not.
const ATTEMPTS: u32 = 10;
/// However few the attempts were: one that got no answer has taken a while by itself.
const MAX_RETRY: Duration = Duration::from_secs(10);
/// A call that takes longer than this is given up. The server is asked to give up an append after ten seconds, but one
/// that does not answer at all does not say so.
const MAX_CALL: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    /// The hosts, for the log lines.
    names: String,
    built: std::sync::Mutex<Option<Built>>,
    building: Mutex<Builds>,
    outage: std::sync::Mutex<Option<Instant>>,
    /// What broken connections ended with, until the next is made.
    ended: std::sync::Mutex<Option<(Built, Fault)>>,
}

/// A connection and which one it is, so that a late report about an earlier one does not break the present one.
#[derive(Clone)]
pub(super) struct Built {
    link: Link,
    number: u64,
}

impl std::ops::Deref for Built {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

struct Builds {
    discovery: Discovery,
    count: u64,
    last: Option<Instant>,
    back_off: BackOff,
    /// How the last one failed, and when: the answer to whoever was waiting for it.
    failed: Option<(Instant, Fault)>,
}

impl Connection {
    pub(super) fn new(connection_string: &str) -> Result<Self, ConnectError> {
        let settings = Settings::parse(connection_string)?;
        let names = settings.names();
        let discovery = Discovery::new(settings)?;
        Ok(Self {
            names,
            built: std::sync::Mutex::new(None),
            building: Mutex::new(Builds {
                discovery,
                count: 0,
                last: None,
                back_off: BackOff::new(PAUSES),
                failed: None,
            }),
            outage: std::sync::Mutex::new(None),
            ended: std::sync::Mutex::new(None),
        })
    }

    /// The present connection, or a new one.
    pub(super) async fn link(&self) -> Result<Built, Fault> {
        if let Some(built) = self.present() {
            return Ok(built);
        }
        let asked = Instant::now();
        let mut builds = self.building.lock().await;
        if let Some(built) = self.present() {
            return Ok(built);
        }
        if let Some((at, fault)) = &builds.failed
            && *at > asked
        {
            return Err(fault.clone());
        }
        if let Some((ended, fault)) = locked(&self.ended).take() {
            builds.discovery.learn(&ended.node, &fault);
        }
        if let Some(last) = builds.last {
            if last.elapsed() > LASTING {
                builds.back_off.reset();
            }
            let pause = builds.back_off.next_pause();
            tokio::time::sleep_until(last + pause).await;
        }
        builds.last = Some(Instant::now());
        match builds.discovery.connect().await {
            Ok(link) => {
                self.recovered(&link);
                builds.count += 1;
                builds.failed = None;
                let built = Built { link, number: builds.count };
                *locked(&self.built) = Some(built.clone());
                Ok(built)
            }
            Err(fault) => {
                self.out(&fault);
                builds.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// Makes one call, bounded in time.
    pub(super) async fn call<T>(&self, call: impl AsyncFnOnce(&Link) -> Result<T, Fault>) -> Result<T, Fault> {
        let built = in_time(self.link()).await?;
        let outcome = in_time(call(&built)).await;
        outcome.inspect_err(|fault| self.observe(&built, fault))
    }

    /// Puts the connection away when the fault says that it is of no more use.
    pub(super) fn observe(&self, built: &Built, fault: &Fault) {
        if !fault.ends_connection() {
            return;
        }
        let ended = locked(&self.built).take_if(|present| present.number == built.number);
        if let Some(ended) = ended {
            self.out(fault);
            *locked(&self.ended) = Some((ended, fault.clone()));
        }
    }

    fn out(&self, fault: &Fault) {
        let mut outage = locked(&self.outage);
        if outage.is_some() {
            debug!(log = %self.names, reason = %fault, "the log is still unavailable");
            return;
        }
        *outage = Some(Instant::now());
        warn!(log = %self.names, "the log is unavailable; connecting again until it answers: {fault}");
    }

    fn recovered(&self, link: &Link) {
        if let Some(since) = locked(&self.outage).take() {
            let seconds = since.elapsed().as_secs_f32();
            info!(log = %self.names, node = %link.node, "the log is available again after {seconds:.1} s");
        }
    }

    fn present(&self) -> Option<Built> {
        locked(&self.built).clone()
    }
}

fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A bounded number of attempts with growing pauses.
pub(super) struct Retry {
    since: Instant,
    attempts: u32,
    back_off: BackOff,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), attempts: 1, back_off: BackOff::new(PAUSES) }
    }

    /// Pauses before the next attempt; `false` when there is to be none.
    pub(super) async fn pause(&mut self) -> bool {
        if self.attempts >= ATTEMPTS || self.since.elapsed() > MAX_RETRY {
            return false;
        }
        self.attempts += 1;
        self.pause_once().await;
        true
    }

    /// Pauses before the next attempt, of which there may be any number.
    pub(super) async fn pause_once(&mut self) {
        tokio::time::sleep(self.back_off.next_pause()).await;
    }
}

/// Bounds a call in time.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(MAX_CALL, pin!(call)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::NoAnswer(MAX_CALL)),
    }
}

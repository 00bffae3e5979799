//! The current connection. It is replaced when it breaks.
//!
//! One connection carries all calls. A call that reports it as broken discards it, and the next
//! call makes a new one. However many calls wait, only one connection is made at a time, with a
//! growing pause while the server is away. An outage is logged when it begins, each half minute
//! while it lasts, and when it is over.

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
/// A connection that lasted longer has worked, so the next failure is the first in a row.
const LASTING: Duration = Duration::from_secs(2);
/// With the pauses between them, about six seconds: long enough for a restart of the server, and
/// not for an outage.
const ATTEMPTS: u32 = 10;
/// The bound on time, even after few attempts: an attempt without an answer takes long.
const MAX_RETRY: Duration = Duration::from_secs(10);
/// How often an outage that lasts is reported again.
const REMINDING: Duration = Duration::from_secs(30);
/// A call that takes longer is given up. The server is asked to give up an append after ten
/// seconds, but a server that does not answer at all does not report it.
const MAX_CALL: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    /// The hosts, for the log lines.
    names: String,
    built: std::sync::Mutex<Option<Built>>,
    building: Mutex<Builds>,
    outage: std::sync::Mutex<Option<Outage>>,
    /// Why connections broke, until the next one is made.
    ended: std::sync::Mutex<Option<(Built, Fault)>>,
}

/// A time without a connection.
struct Outage {
    since: Instant,
    /// The last line of the log about it.
    reported: Instant,
    /// Why the last attempt failed.
    reason: String,
}

/// A connection and its number, so that a late report about an earlier connection does not discard
/// the current one.
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
    /// How and when the last attempt failed: the answer to all calls that waited for it.
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

    /// The current connection, or a new one.
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

    /// Discards the connection if the fault shows that it cannot be used any more.
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

    /// Why there is no connection, if the last attempt failed.
    pub(super) fn outage(&self) -> Option<String> {
        locked(&self.outage).as_ref().map(|outage| outage.reason.clone())
    }

    fn out(&self, fault: &Fault) {
        let (mut outage, now) = (locked(&self.outage), Instant::now());
        let Some(known) = &mut *outage else {
            *outage = Some(Outage { since: now, reported: now, reason: fault.to_string() });
            warn!(log = %self.names, "the log is unavailable; connecting again until it answers: {fault}");
            return;
        };
        known.reason = fault.to_string();
        if now.duration_since(known.reported) < REMINDING {
            debug!(log = %self.names, reason = %fault, "the log is still unavailable");
            return;
        }
        known.reported = now;
        let seconds = now.duration_since(known.since).as_secs();
        warn!(log = %self.names, "the log is still unavailable after {seconds} s: {fault}");
    }

    fn recovered(&self, link: &Link) {
        if let Some(outage) = locked(&self.outage).take() {
            let seconds = outage.since.elapsed().as_secs_f32();
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

    /// Pauses before the next attempt. `false`: no attempt is left.
    pub(super) async fn pause(&mut self) -> bool {
        if self.attempts >= ATTEMPTS || self.since.elapsed() > MAX_RETRY {
            return false;
        }
        self.attempts += 1;
        self.pause_once().await;
        true
    }

    /// Pauses before the next attempt, without a bound on attempts.
    pub(super) async fn pause_once(&mut self) {
        tokio::time::sleep(self.back_off.next_pause()).await;
    }
}

/// Bounds the time of a call.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(MAX_CALL, pin!(call)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::NoAnswer(MAX_CALL)),
    }
}

//! The settings of the services.

use std::sync::Arc;
use std::time::Duration;

use back_off::Limits;
use leader_consumer::LogAlarm;
use signing::{ParticipantSecrets, SecretFile};
use tokio::sync::watch;

use crate::faults::Faults;
use crate::notifications::MailServer;

/// What an operator does when the checkpoint belongs to another log. A repeated request has no
/// second effect.
pub(crate) const REMEDY: &str = "connect the log that the requests came from, or restore it whole; to read this log from its beginning \
                                 instead, start once with --read-again";

/// Settings of the services and their workers. Give all of them clones of one value: they share
/// [`Options::wake`] and [`Options::faults`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The mail server. Without one, mail stays in the mailbox, where it can be read.
    pub mail_server: Option<MailServer>,
    /// The time from a reservation to the shipment. Zero: the order ships in the transaction that
    /// reserves it.
    pub handling_time: Duration,
    /// The limit for concurrent requests. A further request is refused with 503.
    pub requests_in_flight_max: usize,
    /// The limit for concurrent deliveries of answers, and of mails.
    pub deliveries_in_flight_max: usize,
    /// The time-out of one delivery.
    pub delivery_timeout: Duration,
    /// The retries of failed deliveries.
    pub retry: Retry,
    /// Whether faults can be scripted over HTTP. Turn it off where strangers can reach it.
    pub scripted_faults: bool,
    /// The secrets that requests over HTTP are signed with. A service without a secret accepts
    /// requests that are not signed.
    pub secrets: Option<SecretFile<ParticipantSecrets>>,
    /// Wakes the delivery worker.
    pub wake: Wake,
    /// The scripted faults, for requests over HTTP and by events.
    pub faults: Faults,
    /// Raised when the checkpoint belongs to another log: then no request is handled.
    pub alarm: LogAlarm,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mail_server: None,
            handling_time: Duration::ZERO,
            requests_in_flight_max: 256,
            deliveries_in_flight_max: 16,
            delivery_timeout: Duration::from_secs(10),
            retry: Retry::default(),
            scripted_faults: true,
            secrets: None,
            wake: Wake::default(),
            faults: Faults::default(),
            alarm: LogAlarm::default(),
        }
    }
}

/// The retries of a failed delivery: exponential back-off, bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The pause after the first failure. Each further pause is twice as long.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
    /// The age at which a delivery is visibly given up.
    pub give_up_after: Duration,
    /// How long "no such order" counts as "not yet known": the receiver's view may lag.
    pub not_found_patience: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(30),
            give_up_after: Duration::from_hours(7 * 24),
            not_found_patience: Duration::from_mins(10),
        }
    }
}

impl Retry {
    /// The pause after this many failed attempts. The receiver may ask for a longer one, within the
    /// limit.
    pub(crate) fn pause(&self, attempts_failed: u32, requested_wait: Option<Duration>) -> Duration {
        let pause = Limits::new(self.initial, self.max).pause(attempts_failed);
        pause.max(requested_wait.unwrap_or_default()).min(self.max)
    }
}

/// Wakes the delivery worker when something is queued. A worker in another process is not woken; it
/// polls twice a second.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    pub(crate) answers: Bell,
    pub(crate) mails: Bell,
    pub(crate) parcels: Bell,
}

/// Signals that work is due.
#[derive(Debug, Clone)]
pub(crate) struct Bell(Arc<watch::Sender<()>>);

impl Default for Bell {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.0.send_replace(());
    }

    /// Receives every signal from now on, also one that comes while its holder is busy.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_respect_the_receivers_wait() {
        let retry = Retry { initial: Duration::from_millis(100), max: Duration::from_secs(1), ..Retry::default() };
        let pauses: Vec<u128> = [1, 2, 3, 4, 5, 1000].map(|n| retry.pause(n, None).as_millis()).to_vec();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(retry.pause(1, Some(Duration::from_millis(700))), Duration::from_millis(700));
        assert_eq!(retry.pause(1, Some(Duration::from_hours(1))), retry.max);
    }
}

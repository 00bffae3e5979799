//! What can be set.

use std::sync::Arc;
use std::time::Duration;

use leader_consumer::LogAlarm;
use tokio::sync::watch;

use crate::faults::Faults;
use crate::notifications::MailServer;

/// Settings of the services and of their workers. Give all a clone of the same one: they share [`Options::wake`] and
/// [`Options::faults`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Where mail goes. Without one, mail stays in the mailbox, where it can be read.
    pub mail_server: Option<MailServer>,
    /// How long a reserved order takes to leave the house. Zero: it leaves in the transaction that reserves it.
    pub handling_time: Duration,
    /// How many requests are served at once; one more is told to come back later.
    pub requests_in_flight_max: usize,
    /// How many answers, and how many mails, are on their way at once.
    pub deliveries_in_flight_max: usize,
    /// How long one attempt to deliver may take.
    pub delivery_timeout: Duration,
    /// When a delivery that failed is tried again.
    pub retry: Retry,
    /// Whether failures can be scripted over HTTP. Not where strangers can reach it.
    pub scripted_faults: bool,
    /// How the services rouse the delivery worker.
    pub wake: Wake,
    /// The failures that are scripted, whichever way the requests come that they strike.
    pub faults: Faults,
    /// Raised while requests were read from another log so far: none is handled then.
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
            wake: Wake::default(),
            faults: Faults::default(),
            alarm: LogAlarm::default(),
        }
    }
}

/// When a failed delivery is tried again: exponential back-off, bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The pause after the first failure. Each further one is twice as long.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
    /// The age at which a delivery is given up, visibly.
    pub give_up_after: Duration,
    /// How long "no such order" is taken for "not yet known": the receiver may be behind.
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
    /// The pause after so many failed attempts; the receiver may ask for a longer one, within the bound.
    pub(crate) fn pause(&self, attempts_failed: u32, asked: Option<Duration>) -> Duration {
        let doublings = attempts_failed.saturating_sub(1).min(31);
        let pause = self.initial.saturating_mul(1 << doublings);
        pause.max(asked.unwrap_or_default()).min(self.max)
    }
}

/// Rouses the delivery worker when something has been queued. A worker in another process is not roused; it looks
/// twice a second.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    pub(crate) answers: Bell,
    pub(crate) mails: Bell,
    pub(crate) parcels: Bell,
}

/// Says that there is something to do.
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

    /// Hears every ring from now on, also one that comes while its holder is busy.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_respect_what_the_receiver_asks() {
        let retry = Retry { initial: Duration::from_millis(100), max: Duration::from_secs(1), ..Retry::default() };
        let pauses: Vec<u128> = [1, 2, 3, 4, 5, 1000].map(|n| retry.pause(n, None).as_millis()).to_vec();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(retry.pause(1, Some(Duration::from_millis(700))), Duration::from_millis(700));
        assert_eq!(retry.pause(1, Some(Duration::from_hours(1))), retry.max);
    }
}

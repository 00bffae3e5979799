//! A circuit breaker: where attempts at a service come to nothing one after another, the next ones
//! wait, and one at a time tries whether it is there again.
//!
//! An attempt that waits is not used up: it waits for the circuit as it would for its turn, within
//! its deadline. So an outage costs an order no more attempts than its deadlines allow, and an
//! order that has only one does not lose it to an open circuit.
//!
//! A mistake of the deployment (an expired key, a wrong path) opens the circuit to its action at
//! once: every other attempt would fail by it too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use back_off::{BackOff, Limits};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::lock::lock;

/// How many unclear answers in a row open the circuit.
const MAX_FAILURES: u32 = 10;
/// How long the circuit stays open, before an attempt tests it.
const PAUSES: Limits = Limits::new(Duration::from_secs(1), Duration::from_secs(5));
/// How many attempts wait for one open circuit: each has an order's driver, of which there are not
/// many.
const MAX_WAITING: usize = 200;

/// The name of a circuit that lets attempts through.
pub(super) const CLOSED: &str = "closed";
/// The name of a circuit that lets a single attempt through, as a test.
pub(super) const HALF_OPEN: &str = "half-open";
/// The name of a circuit that lets no attempt through.
pub(super) const OPEN: &str = "open";

/// The circuit to one service.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    circuit: Circuit,
    /// Counts how often it was opened since it was closed.
    back_off: BackOff,
    /// Attempts that wait for it.
    waiting: usize,
    /// Unclear answers since the last clear one.
    failures: u32,
    last_error: Option<String>,
}

/// Whether attempts go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circuit {
    Closed,
    Open {
        until: Instant,
    },
    /// One is on its way, to see.
    HalfOpen,
}

/// How a circuit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// `closed`, `open` or `half-open`.
    pub circuit: &'static str,
    /// Attempts that wait for it to close.
    pub waiting: usize,
    /// Unclear answers since the last clear one.
    pub failures: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How long until the next attempt is let through, where it is open.
    pub tried_again_in: Option<Duration>,
}

/// An attempt has to do without: the circuit is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CircuitOpen {
    /// What has gone wrong last.
    pub because: String,
    /// How long until the next attempt is let through.
    pub left: Duration,
}

/// What a report changed, for the log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Opened {
        pause: Duration,
    },
    /// A try was in vain.
    StaysOpen {
        pause: Duration,
    },
    Closed,
}

impl Default for Breaker {
    fn default() -> Self {
        let state = State {
            circuit: Circuit::Closed,
            back_off: BackOff::new(PAUSES),
            waiting: 0,
            failures: 0,
            last_error: None,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl Breaker {
    /// Waits until the circuit lets an attempt through, until `deadline` at most.
    pub async fn wait(&self, deadline: Instant) -> Result<(), CircuitOpen> {
        let Some(_waiting) = self.join_waiting()? else { return Ok(()) };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let next = match lock(&self.state).circuit {
                Circuit::Closed => return Ok(()),
                Circuit::Open { until } if until <= Instant::now() => return Ok(()),
                Circuit::Open { until } => until,
                Circuit::HalfOpen => deadline,
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(next.min(deadline)) => {}
            }
            if Instant::now() >= deadline {
                return Err(lock(&self.state).interruption());
            }
        }
    }

    /// Takes its place among those that wait; nothing, where there is nothing to wait for.
    fn join_waiting(&self) -> Result<Option<Waiting<'_>>, CircuitOpen> {
        let mut state = lock(&self.state);
        if state.circuit == Circuit::Closed {
            return Ok(None);
        }
        if state.waiting >= MAX_WAITING {
            return Err(state.interruption());
        }
        state.waiting += 1;
        Ok(Some(Waiting(self)))
    }

    /// Lets an attempt through, if it may go now; its end has to be reported.
    pub fn enter(self: &Arc<Self>) -> Option<Pass> {
        let mut state = lock(&self.state);
        let probes = match state.circuit {
            Circuit::Closed => false,
            Circuit::Open { until } if until <= Instant::now() => true,
            Circuit::Open { .. } | Circuit::HalfOpen => return None,
        };
        if probes {
            state.circuit = Circuit::HalfOpen;
        }
        Some(Pass { breaker: self.clone(), probes, reported: false })
    }

    /// How it stands.
    pub fn reading(&self) -> Reading {
        let state = lock(&self.state);
        let (circuit, tried_again_in) = match state.circuit {
            Circuit::Closed => (CLOSED, None),
            Circuit::Open { until } => (OPEN, Some(until.saturating_duration_since(Instant::now()))),
            Circuit::HalfOpen => (HALF_OPEN, None),
        };
        let State { waiting, failures, last_error, .. } = &*state;
        Reading { circuit, waiting: *waiting, failures: *failures, last_error: last_error.clone(), tried_again_in }
    }
}

impl State {
    fn interruption(&self) -> CircuitOpen {
        let left = match self.circuit {
            Circuit::Open { until } => until.saturating_duration_since(Instant::now()),
            Circuit::Closed | Circuit::HalfOpen => Duration::ZERO,
        };
        CircuitOpen { because: self.last_error.clone().unwrap_or_default(), left: left.max(PAUSES.first) }
    }

    fn open(&mut self) -> Change {
        let was_closed = self.circuit == Circuit::Closed;
        let pause = self.back_off.next_pause();
        self.circuit = Circuit::Open { until: Instant::now() + pause };
        if was_closed { Change::Opened { pause } } else { Change::StaysOpen { pause } }
    }
}

/// One of those that wait.
struct Waiting<'b>(&'b Breaker);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).waiting -= 1;
    }
}

/// An attempt that was let through.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    /// Whether it is the one that tries.
    probes: bool,
    reported: bool,
}

impl Pass {
    /// The service has answered, whatever it said.
    pub fn answered(mut self) -> Option<Change> {
        self.reported = true;
        let mut state = lock(&self.breaker.state);
        state.failures = 0;
        state.last_error = None;
        // Those that went through before it opened may still be answered: then it is there.
        if state.circuit == Circuit::Closed {
            return None;
        }
        state.circuit = Circuit::Closed;
        state.back_off.reset();
        drop(state);
        self.breaker.changed.notify_waiters();
        Some(Change::Closed)
    }

    /// It has not, or says that it cannot now.
    pub fn failed(self, error: &str) -> Option<Change> {
        self.failed_of(error, MAX_FAILURES)
    }

    /// It failed by a mistake that a person has to mend.
    pub fn mistaken(self, error: &str) -> Option<Change> {
        self.failed_of(error, 1)
    }

    /// It failed; so many failures in a row open the circuit.
    fn failed_of(mut self, error: &str, most: u32) -> Option<Change> {
        self.reported = true;
        let mut state = lock(&self.breaker.state);
        state.failures = state.failures.saturating_add(1);
        state.last_error = Some(error.to_owned());
        let opens = self.probes || (state.circuit == Circuit::Closed && state.failures >= most);
        let change = opens.then(|| state.open());
        drop(state);
        if change.is_some() {
            self.breaker.changed.notify_waiters();
        }
        change
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // The trial ended without an answer: the next attempt tries.
        if self.probes && !self.reported {
            lock(&self.breaker.state).circuit = Circuit::Open { until: Instant::now() };
            self.breaker.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    fn broken() -> Arc<Breaker> {
        let breaker = Arc::new(Breaker::default());
        for number in 1..=MAX_FAILURES {
            let change = breaker.enter().unwrap().failed("no answer in time");
            assert_eq!(change.is_some(), number == MAX_FAILURES);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
        let breaker = Arc::new(Breaker::default());
        for _ in 0..5 {
            for _ in 1..MAX_FAILURES {
                breaker.enter().unwrap().failed("no");
            }
            breaker.enter().unwrap().answered();
        }
        assert_eq!(breaker.reading().circuit, "closed");
        let breaker = broken();
        assert!(breaker.enter().is_none());
        let reading = breaker.reading();
        assert_eq!((reading.circuit, reading.last_error.as_deref()), ("open", Some("no answer in time")));
        assert_eq!(reading.tried_again_in, Some(PAUSES.first));
    }

    #[tokio::test(start_paused = true)]
    async fn a_mistake_opens_it_at_once_and_those_on_their_way_do_not_open_it_again() {
        let breaker = Arc::new(Breaker::default());
        let (first, second) = (breaker.enter().unwrap(), breaker.enter().unwrap());
        assert_eq!(first.mistaken("answered 401"), Some(Change::Opened { pause: PAUSES.first }));
        assert_eq!(second.mistaken("answered 401"), None);
        assert!(breaker.enter().is_none());
        breaker.wait(soon()).await.unwrap();
        assert_eq!(breaker.enter().unwrap().answered(), Some(Change::Closed));
        assert_eq!(breaker.reading().last_error, None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_tries_while_others_wait_and_its_answer_lets_all_through() {
        let breaker = broken();
        breaker.wait(soon()).await.unwrap();
        let probe = breaker.enter().unwrap();
        assert_eq!((breaker.reading().circuit, breaker.enter().is_none()), ("half-open", true));
        let others = async {
            let waits = (0..20).map(|_| breaker.wait(soon()));
            futures::future::join_all(waits).await.into_iter().collect::<Result<Vec<()>, _>>()
        };
        let (waited, change) = tokio::join!(others, async {
            tokio::task::yield_now().await;
            assert_eq!(breaker.reading().waiting, 20);
            probe.answered()
        });
        assert_eq!((waited.map(|all| all.len()), change), (Ok(20), Some(Change::Closed)));
        assert_eq!((breaker.reading().waiting, breaker.reading().failures), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn each_try_in_vain_doubles_the_pause_up_to_a_bound() {
        let breaker = broken();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            breaker.wait(soon()).await.unwrap();
            match breaker.enter().unwrap().failed("no") {
                Some(Change::StaysOpen { pause }) => pauses.push(pause.as_secs()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pauses, [2, 4, 5, 5, 5, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_longer_than_its_deadline_is_told_why_and_how_long() {
        let breaker = broken();
        let interrupted = breaker.wait(Instant::now() + Duration::from_millis(100)).await.unwrap_err();
        assert_eq!(interrupted, CircuitOpen { because: "no answer in time".to_owned(), left: PAUSES.first });
        assert_eq!(breaker.reading().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_is_broken_off_leaves_it_to_the_next() {
        let breaker = broken();
        breaker.wait(soon()).await.unwrap();
        drop(breaker.enter().unwrap());
        breaker.wait(soon()).await.unwrap();
        assert_eq!(breaker.enter().unwrap().answered(), Some(Change::Closed));
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wait_and_no_more() {
        let breaker = broken();
        let waits = (0..=MAX_WAITING).map(|_| breaker.wait(soon()));
        let results = futures::future::join_all(waits).await;
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    }
}

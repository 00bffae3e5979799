//! The open deliveries of one webhook, without IO: which is sent next, and what follows from an
//! answer.
//!
//! Deliveries of one order are sent one after another, and those of different orders side by side,
//! up to a limit. A delivery that fails is tried again by the schedule. If several fail one after
//! another and none succeeds, the endpoint itself fails: then only one delivery at a time tries it,
//! after growing pauses, and the first that succeeds makes all others due.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use back_off::{BackOff, Limits};
use bytes::Bytes;
use chrono::TimeDelta;
use domain::Timestamp;
use domain::ids::OrderId;
use domain::webhook::{Delivery, Schedule};
use leader_consumer::Number;
use views::webhook_deliveries::OpenDelivery;

/// The most deliveries that are open at once. Further ones stay in the log.
pub(super) const MAX_OPEN: usize = 1_000;
/// The most requests to one endpoint at the same time.
const MAX_IN_FLIGHT: usize = 16;
/// How many deliveries fail one after another until the endpoint counts as failing.
const FAILING_AFTER: usize = 5;
/// The first and the longest pause between two tries of a failing endpoint, in the standard's
/// schedule, and the shortest in any.
const PROBING: Limits = Limits::new(Duration::from_secs(1), Duration::from_mins(1));
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// A delivery that is open.
#[derive(Debug)]
pub(super) struct Entry {
    /// What is on record of it, or will be.
    pub open: OpenDelivery,
    /// The body to send.
    pub body: Bytes,
    /// When its event was decided.
    pub since: Timestamp,
    /// Its number among the events that were read; `None`: the delivery is on record.
    pub number: Option<Number>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The endpoint has it.
    Delivered,
    /// The endpoint wants no more.
    Gone,
    /// Anything else.
    Failed {
        /// Why, for people.
        error: String,
        /// How long the endpoint asks to be left alone.
        pause: Option<Duration>,
    },
}

/// What follows from an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The delivery is done.
    Delivered,
    /// The delivery is tried again, and has to be on record.
    Retried(OpenDelivery),
    /// The delivery is given up.
    GivenUp {
        /// The number of attempts.
        attempts: u32,
        /// The last error.
        error: String,
        /// Whether nothing was delivered since its first attempt, so that the webhook is disabled.
        disable: bool,
    },
    /// The webhook is disabled, and the delivery stays open.
    Gone(OpenDelivery),
}

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub delivery: Delivery,
    /// See [`Entry::number`].
    pub number: Option<Number>,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub(super) struct Queue {
    schedule: Schedule,
    /// The open deliveries of each order. The first of a lane is sent, or waits for its time.
    lanes: HashMap<OrderId, VecDeque<Entry>>,
    /// The lanes whose first delivery waits, by its time and its arrival.
    waiting: BTreeSet<(Timestamp, u64, OrderId)>,
    in_flight: usize,
    open: usize,
    arrivals: u64,
    endpoint: Endpoint,
}

/// How the endpoint stands.
#[derive(Debug)]
struct Endpoint {
    /// The deliveries that failed since the last one that succeeded, up to a bound.
    failed: BTreeSet<Delivery>,
    /// The pauses between two tries while it fails.
    pauses: BackOff,
    /// Nothing is sent before this time.
    closed_until: Option<Timestamp>,
    /// Since when its answers are known here.
    known_since: Timestamp,
    succeeded_at: Option<Timestamp>,
}

impl Endpoint {
    fn new(schedule: Schedule, now: Timestamp) -> Self {
        let scaled = |standard| schedule.scaled(standard).clamp(SHORTEST_PAUSE, standard);
        let pauses = BackOff::new(Limits::new(scaled(PROBING.first), scaled(PROBING.max)));
        Self { failed: BTreeSet::new(), pauses, closed_until: None, known_since: now, succeeded_at: None }
    }

    fn is_failing(&self) -> bool {
        self.failed.len() >= FAILING_AFTER
    }
}

impl Queue {
    pub fn new(schedule: Schedule, now: Timestamp) -> Self {
        Self {
            schedule,
            lanes: HashMap::new(),
            waiting: BTreeSet::new(),
            in_flight: 0,
            open: 0,
            arrivals: 0,
            endpoint: Endpoint::new(schedule, now),
        }
    }

    /// How many more deliveries may be open.
    pub fn room(&self) -> usize {
        MAX_OPEN.saturating_sub(self.open)
    }

    pub fn len(&self) -> usize {
        self.open
    }

    /// Whether the endpoint fails.
    pub fn is_failing(&self) -> bool {
        self.endpoint.is_failing()
    }

    /// When the oldest open delivery's event was decided.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.lanes.values().filter_map(|lane| lane.front()).map(|entry| entry.since).min()
    }

    /// Whether a delivery is open.
    pub fn has(&self, delivery: &Delivery) -> bool {
        self.lanes.get(&delivery.order_id).is_some_and(|lane| lane.iter().any(|entry| entry.open.delivery == *delivery))
    }

    /// Adds a delivery, behind those of the same order.
    pub fn push(&mut self, entry: Entry, now: Timestamp) {
        self.open += 1;
        let order = entry.open.delivery.order_id.clone();
        let due = entry.open.next_at.unwrap_or(now);
        let lane = self.lanes.entry(order.clone()).or_default();
        lane.push_back(entry);
        if lane.len() == 1 {
            self.wait(order, due);
        }
    }

    fn wait(&mut self, order: OrderId, due: Timestamp) {
        self.arrivals += 1;
        self.waiting.insert((due, self.arrivals, order));
    }

    /// The next attempt that is due, if one may begin.
    pub fn begin(&mut self, now: Timestamp) -> Option<(Delivery, Bytes)> {
        if self.earliest()? > now {
            return None;
        }
        let (_, _, order) = self.waiting.pop_first()?;
        let entry = self.lanes.get_mut(&order)?.front_mut()?;
        self.in_flight += 1;
        entry.open.attempts += 1;
        entry.open.first_at.get_or_insert(now);
        Some((entry.open.delivery.clone(), entry.body.clone()))
    }

    /// When the next attempt may begin; `None`: not before one has ended, or another arrives.
    pub fn earliest(&self) -> Option<Timestamp> {
        let (due, _, _) = self.waiting.first()?;
        let closed_until = self.endpoint.closed_until.unwrap_or(*due);
        if self.endpoint.is_failing() {
            // One delivery tries the endpoint, whatever its own time is.
            return (self.in_flight == 0).then_some(closed_until);
        }
        (self.in_flight < MAX_IN_FLIGHT).then_some(closed_until.max(*due))
    }

    /// An attempt has ended. `jitter` is a number from 0 to 1.
    pub fn ended(&mut self, order: &OrderId, answer: Answer, now: Timestamp, jitter: f64) -> Option<Ended> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let entry = self.lanes.get_mut(order)?.front_mut()?;
        let (delivery, number) = (entry.open.delivery.clone(), entry.number);
        let outcome = match answer {
            Answer::Delivered => {
                self.succeeded(now);
                Outcome::Delivered
            }
            Answer::Gone => {
                entry.open.next_at = Some(now);
                entry.number = None;
                let open = entry.open.clone();
                self.wait(order.clone(), now);
                return Some(Ended { delivery, number, outcome: Outcome::Gone(open) });
            }
            Answer::Failed { error, pause } => {
                let (first, attempts) = (entry.open.first_at.unwrap_or(now), entry.open.attempts);
                if let Some(next) = self.schedule.next(first, attempts, now, pause, jitter) {
                    entry.open.next_at = Some(next);
                    entry.open.error = Some(error);
                    entry.number = None;
                    let open = entry.open.clone();
                    self.failed(&delivery, pause, now, jitter);
                    self.wait(order.clone(), next);
                    return Some(Ended { delivery, number, outcome: Outcome::Retried(open) });
                }
                self.failed(&delivery, pause, now, jitter);
                Outcome::GivenUp { attempts, error, disable: self.has_failed_since(first) }
            }
        };
        self.leave(order, now);
        Some(Ended { delivery, number, outcome })
    }

    /// Removes the first delivery of a lane. The next one is due.
    fn leave(&mut self, order: &OrderId, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(order) else { return };
        self.open -= usize::from(lane.pop_front().is_some());
        match lane.front() {
            Some(next) => {
                let due = next.open.next_at.unwrap_or(now);
                self.wait(order.clone(), due);
            }
            None => {
                self.lanes.remove(order);
            }
        }
    }

    fn succeeded(&mut self, now: Timestamp) {
        let was_failing = self.endpoint.is_failing();
        self.endpoint.failed.clear();
        self.endpoint.pauses.reset();
        self.endpoint.closed_until = None;
        self.endpoint.succeeded_at = Some(now);
        if was_failing {
            self.all_are_due(now);
        }
    }

    /// All deliveries that wait are due, in the order in which they would have been.
    fn all_are_due(&mut self, now: Timestamp) {
        for (_, arrival, order) in std::mem::take(&mut self.waiting) {
            self.waiting.insert((now, arrival, order));
        }
    }

    fn failed(&mut self, delivery: &Delivery, pause: Option<Duration>, now: Timestamp, jitter: f64) {
        let endpoint = &mut self.endpoint;
        if endpoint.failed.len() < FAILING_AFTER {
            endpoint.failed.insert(delivery.clone());
        }
        let asked = pause.map(|pause| pause.min(self.schedule.max_asked()));
        let probing = endpoint.is_failing().then(|| endpoint.pauses.next_pause().mul_f64(1.0 - jitter / 5.0));
        if let Some(pause) = asked.max(probing) {
            let until = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::zero());
            endpoint.closed_until = endpoint.closed_until.max(Some(until));
        }
    }

    /// Whether the endpoint has taken nothing since then, as far as this instance can know.
    fn has_failed_since(&self, then: Timestamp) -> bool {
        let endpoint = &self.endpoint;
        let was_observed = endpoint.known_since <= then || endpoint.is_failing();
        was_observed && endpoint.succeeded_at.is_none_or(|succeeded| succeeded < then)
    }

    /// The endpoint is another one: nothing is known of it, and every delivery is due.
    pub fn redirected(&mut self, now: Timestamp) {
        self.endpoint = Endpoint::new(self.schedule, now);
        self.all_are_due(now);
    }

    /// Deliveries that are not on record and not in flight, which have to be on record now.
    pub fn unrecorded(&mut self) -> (Vec<OpenDelivery>, Vec<Number>) {
        let idle: BTreeSet<&OrderId> = self.waiting.iter().map(|(_, _, order)| order).collect();
        let (mut open, mut numbers) = (Vec::new(), Vec::new());
        for (order, lane) in &mut self.lanes {
            for entry in lane.iter_mut().skip(usize::from(!idle.contains(order))) {
                if let Some(number) = entry.number.take() {
                    open.push(entry.open.clone());
                    numbers.push(number);
                }
            }
        }
        (open, numbers)
    }
}

#[cfg(test)]
mod tests;

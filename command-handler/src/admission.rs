//! Admission: while the views are too far behind the log, or too many orders are overdue, the
//! instance refuses new orders with "try later".
//!
//! The lag of the views is measured once a second: the age of the oldest append of this instance
//! that the views do not have yet. So no two clocks are compared, nothing is read from the log, and
//! events without a view do not count.
//!
//! While Postgres is down, the instance still accepts orders, because the log is the truth, and
//! drives them from memory. But no view shows them, and work on the to-do list waits. So acceptance
//! ends at the bound here, too.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use event_store::Position;
use leader_consumer::LogAlarm;
use live::Live;
use sqlx::PgPool;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use views::checkpoint;
use views::todo::overdue;

use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::Participants;

/// The interval between measurements.
const EVERY: Duration = Duration::from_secs(1);
/// The limit for one measurement.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bounds beyond which the instance refuses new orders. Zero: no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionBounds {
    /// The maximum lag of the views behind the log.
    pub max_lag: Duration,
    /// The maximum number of orders that are due on the to-do list, and that no instance has
    /// claimed.
    pub max_overdue: u64,
}

/// Whether the instance accepts orders. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    closed: Arc<RwLock<Option<String>>>,
    alarm: LogAlarm,
}

impl Admission {
    /// While the alarm is raised, the instance accepts no command.
    pub fn with(alarm: LogAlarm) -> Self {
        Self { alarm, ..Self::default() }
    }

    /// Why the instance accepts no command now, if so: the views were built from another log.
    pub fn barred(&self) -> Option<String> {
        self.alarm.reason()
    }

    /// Why the instance accepts no new order now, if so.
    pub fn closed(&self) -> Option<String> {
        self.closed.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set(&self, closed: Option<String>) {
        let before = self.closed();
        match (&before, &closed) {
            (None, Some(reason)) => warn!(reason, "no orders are taken"),
            (Some(_), None) => info!("orders are taken again"),
            _ => {}
        }
        if before != closed {
            *self.closed.write().unwrap_or_else(std::sync::PoisonError::into_inner) = closed;
        }
    }
}

/// Measures the views and the to-do list until the process stops.
pub async fn watch_bounds<L: Log, P: Participants, C: Clock>(
    orchestrator: Orchestrator<L, P, C>,
    admission: Admission,
    bounds: Live<AdmissionBounds>,
    pool: PgPool,
    stop: CancellationToken,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut behind = Behind::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let bounds = *bounds.get();
        let look = async { tokio::join!(checkpoint::read(&pool), overdue(&pool, bounds.max_overdue)) };
        // A measurement that takes too long counts as failed.
        let (views, overdue) = match timeout(PATIENCE, look).await {
            Ok((views, overdue)) => (views.ok().flatten(), overdue.ok()),
            Err(_) => (None, None),
        };
        let lag = behind.look(Instant::now(), orchestrator.last_saved(), views, bounds.max_lag);
        admission.set(reason(bounds, lag, overdue));
    }
}

fn reason(bounds: AdmissionBounds, lag: Duration, overdue: Option<u64>) -> Option<String> {
    if !bounds.max_lag.is_zero() && lag > bounds.max_lag {
        return Some(format!("the views are more than {} seconds behind", bounds.max_lag.as_secs()));
    }
    let many = bounds.max_overdue != 0 && overdue.is_some_and(|overdue| overdue > bounds.max_overdue);
    many.then(|| format!("more than {} orders are overdue", bounds.max_overdue))
}

/// The positions of this instance's appends, with their times, without those that the views have.
#[derive(Debug, Default)]
struct Behind(VecDeque<(Instant, Position)>);

impl Behind {
    /// The lag of the views after a measurement of both. A value that was not measured stays as
    /// before.
    fn look(&mut self, now: Instant, saved: Option<Position>, views: Option<Position>, most: Duration) -> Duration {
        if let Some(views) = views {
            while self.0.front().is_some_and(|(_, position)| *position <= views) {
                self.0.pop_front();
            }
        }
        let lag = self.0.front().map_or(Duration::ZERO, |(seen, _)| now.duration_since(*seen));
        let is_new = |saved: &Position| {
            self.0.back().is_none_or(|(_, last)| last < saved) && views.is_none_or(|views| views < *saved)
        };
        // Beyond the bound, later appends change nothing.
        if let Some(saved) = saved.filter(is_new).filter(|_| lag <= most) {
            self.0.push_back((now, saved));
        }
        lag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(commit: u64) -> Position {
        Position { commit, prepare: commit }
    }

    const MOST: Duration = Duration::from_secs(10);

    #[test]
    fn the_views_are_as_far_behind_as_the_log_was_there_long_ago() {
        let begin = Instant::now();
        let second = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut behind = Behind::default();
        assert_eq!(behind.look(second(0), Some(at(5)), Some(at(5)), MOST), Duration::ZERO);
        assert_eq!(behind.look(second(1), Some(at(7)), Some(at(5)), MOST), Duration::ZERO);
        assert_eq!(behind.look(second(4), Some(at(9)), Some(at(5)), MOST), Duration::from_secs(3));
        assert_eq!(behind.look(second(5), Some(at(9)), Some(at(8)), MOST), Duration::from_secs(1));
        assert_eq!(behind.look(second(6), Some(at(9)), Some(at(9)), MOST), Duration::ZERO);
        // An hour without appends is no lag.
        assert_eq!(behind.look(second(3606), Some(at(9)), Some(at(9)), MOST), Duration::ZERO);
    }

    #[test]
    fn what_cannot_be_read_is_as_it_was_and_so_a_long_outage_shows() {
        let begin = Instant::now();
        let second = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut behind = Behind::default();
        behind.look(second(0), Some(at(5)), Some(at(5)), MOST);
        for passed in 1..=60 {
            let lag = behind.look(second(passed), Some(at(5 + passed)), None, MOST);
            assert_eq!(lag, Duration::from_secs(passed - 1));
        }
        assert!(behind.0.len() < 15, "what is remembered is bounded by the bound");
        assert_eq!(behind.look(second(61), None, None, MOST), Duration::from_mins(1));
        assert_eq!(behind.look(second(62), Some(at(70)), Some(at(70)), MOST), Duration::ZERO);
    }

    #[test]
    fn past_a_bound_there_is_a_reason_and_a_bound_of_zero_is_none() {
        let bounds = AdmissionBounds { max_lag: MOST, max_overdue: 3 };
        assert_eq!(reason(bounds, MOST, Some(3)), None);
        assert!(reason(bounds, MOST * 2, None).is_some_and(|reason| reason.contains("10 seconds behind")));
        assert!(reason(bounds, MOST, Some(4)).is_some_and(|reason| reason.contains("3 orders are overdue")));
        let none = AdmissionBounds { max_lag: Duration::ZERO, max_overdue: 0 };
        assert_eq!(reason(none, MOST * 100, Some(1_000_000)), None);
    }
}

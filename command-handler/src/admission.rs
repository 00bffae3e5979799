//! What lies behind the orchestrator bounds what it takes: where the views are too far behind the log, or too many orders are
//! overdue, new orders are told to come back later.
//!
//! How far the views are behind is measured by watching, once a second: how long ago did this instance append what the views have not
//! come to? No two clocks are compared for it, nothing is read from the log, and events that the views are not made of do not count.
//!
//! While Postgres is down, orders are taken on: the log is the truth, and they are driven from memory. But nobody sees them, and what
//! waits for the to-do list waits, so that this too ends at the bound.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use event_store::Position;
use leader_consumer::LogAlarm;
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

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bounds past which no order is taken. Zero: there is none.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionBounds {
    /// How far the views may be behind the log.
    pub max_lag: Duration,
    /// How many orders may be due on the to-do list and looked at by nobody.
    pub max_overdue: u64,
}

/// Whether orders are taken. Clones look at the same.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    closed: Arc<RwLock<Option<String>>>,
    alarm: LogAlarm,
}

impl Admission {
    /// While the alarm is raised, no command is taken.
    pub fn with(alarm: LogAlarm) -> Self {
        Self { alarm, ..Self::default() }
    }

    /// Why no command is taken now, if none is: the log is not the one that the views were made from.
    pub fn barred(&self) -> Option<String> {
        self.alarm.reason()
    }

    /// Why no order is taken now, if none is.
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

/// Watches the views and the to-do list until told to stop.
pub async fn watch_bounds<L: Log, P: Participants, C: Clock>(
    orchestrator: Orchestrator<L, P, C>,
    admission: Admission,
    bounds: AdmissionBounds,
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
        let look = async { tokio::join!(checkpoint::read(&pool), overdue(&pool, bounds.max_overdue)) };
        // One that takes too long has nothing to say, as one that fails.
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

/// Up to where orders were saved here, and when; without what the views have by now.
#[derive(Debug, Default)]
struct Behind(VecDeque<(Instant, Position)>);

impl Behind {
    /// How far behind the views are, after a look at both. What a look does not tell is as it was.
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
        // Past the bound, what comes is later than what the bound asks for.
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
        // Nothing new for an hour is no lag.
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

//! When a failed delivery is tried again, and when it is given up.
//!
//! The pauses are those of the example in Standard Webhooks: 5 seconds at first, then minutes and
//! hours, 75 hours and 35 minutes in all. Another total shortens or lengthens each in proportion.

use std::time::Duration;

use chrono::TimeDelta;

use crate::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// The pause after each failed attempt, in seconds.
const PAUSES: [u64; 9] = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// Their sum.
const SUM: u64 = 75 * HOUR + 35 * MINUTE + 5;
/// A pause is shortened by at most this part of it, so that deliveries that failed together are not
/// tried together.
const JITTER: f64 = 0.2;
/// The longest pause that an endpoint may ask for, as a part of the total.
const MAX_ASKED_PART: u32 = 10;

/// The schedule of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// From the first attempt until a delivery is given up.
    total: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { total: Duration::from_secs(SUM) }
    }
}

impl Schedule {
    /// A schedule that gives up after this time.
    pub fn new(total: Duration) -> Self {
        Self { total }
    }

    /// From the first attempt until a delivery is given up.
    pub fn total(self) -> Duration {
        self.total
    }

    /// The longest pause that an endpoint may ask for.
    pub fn max_asked(self) -> Duration {
        self.total / MAX_ASKED_PART
    }

    /// A time of the standard's schedule, in this one.
    pub fn scaled(self, standard: Duration) -> Duration {
        standard.mul_f64(self.total.as_secs_f64() / Duration::from_secs(SUM).as_secs_f64())
    }

    /// When to try again after a failed attempt: the first was at `first`, and this one, the
    /// `attempts`th, failed at `now`. `asked` is the pause that the endpoint asked for, and
    /// `jitter` a number from 0 to 1. `None`: the delivery is given up.
    pub fn next(
        self,
        first: Timestamp,
        attempts: u32,
        now: Timestamp,
        asked: Option<Duration>,
        jitter: f64,
    ) -> Option<Timestamp> {
        let end = first + TimeDelta::from_std(self.total).unwrap_or(TimeDelta::MAX);
        if now >= end {
            return None;
        }
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        // The last attempt is at the end, whatever the pauses before it are.
        let Some(pause) = PAUSES.get(index).filter(|_| index + 1 < PAUSES.len()) else { return Some(end) };
        let pause = self.scaled(Duration::from_secs(*pause)).mul_f64(1.0 - JITTER * jitter.clamp(0.0, 1.0));
        let pause = pause.max(asked.unwrap_or_default().min(self.max_asked()));
        Some((now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::zero())).min(end))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = DateTime::UNIX_EPOCH;

    /// The times of all attempts of a delivery that always fails, in seconds after the first.
    fn attempts(schedule: Schedule, jitter: f64) -> Vec<f64> {
        let (mut now, mut times) = (START, vec![0.0]);
        while let Some(next) = schedule.next(START, u32::try_from(times.len()).unwrap(), now, None, jitter) {
            now = next;
            times.push((now - START).as_seconds_f64());
        }
        times
    }

    #[test]
    fn a_delivery_that_always_fails_is_tried_ten_times_within_three_days() {
        let standard = attempts(Schedule::default(), 0.0);
        assert_eq!(standard, [0.0, 5.0, 305.0, 2_105.0, 9_305.0, 27_305.0, 63_305.0, 113_705.0, 185_705.0, 272_105.0]);
    }

    #[test]
    fn another_total_changes_each_pause_in_proportion() {
        let short = attempts(Schedule::new(Duration::from_secs(SUM / 1000)), 0.0);
        assert_eq!(short.len(), 10);
        assert!((short[3] - 2.1).abs() < 0.01 && (short[9] - 272.0).abs() < 0.2, "{short:?}");
    }

    #[test]
    fn an_endpoint_may_ask_for_a_longer_pause_but_not_for_ever() {
        let schedule = Schedule::default();
        let next = |asked| schedule.next(START, 1, START, Some(Duration::from_secs(asked)), 0.0).unwrap() - START;
        assert_eq!(next(1), TimeDelta::seconds(5));
        assert_eq!(next(60), TimeDelta::seconds(60));
        assert_eq!(next(u64::MAX), TimeDelta::from_std(schedule.max_asked()).unwrap());
    }

    proptest! {
        #[test]
        fn every_delivery_is_given_up_at_the_end_and_not_before(total in 1_u64..1_000_000, jitter in 0.0..1.0) {
            let times = attempts(Schedule::new(Duration::from_secs(total)), jitter);
            let last = times.last().copied().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "it is small")]
            let expected = total as f64;
            prop_assert!((last - expected).abs() < 0.01, "{last} {times:?}");
            prop_assert_eq!(times.len(), 10);
            prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
        }
    }
}

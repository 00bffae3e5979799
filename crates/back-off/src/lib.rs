//! Pauses between attempts: each failure doubles the pause, up to a limit.
//!
//! Every loop that tries again uses this crate, and names its own [`Limits`]. The crate only
//! computes: the caller sleeps, so that a caller can stop while it waits. Jitter is a number that
//! the caller passes, so that tests and the simulation get the same pauses in each run.
//!
//! Two kinds of waiting are not here. The retries of a workflow step belong to the step's
//! definition, and `domain` computes them. A loop that polls has one fixed pause.

use std::time::Duration;

/// The number of doublings that no caller reaches before its maximum.
const MAX_DOUBLINGS: u32 = 31;

/// The shortest and the longest pause of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Limits {
    /// Limits with this first pause and this longest pause.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }

    /// The pause after this many failures in a row. Zero failures count as one.
    pub fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(MAX_DOUBLINGS);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }
}

/// Counts failures in a row, and returns the pause after each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    limits: Limits,
    failures: u32,
}

impl BackOff {
    /// No failure so far.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, failures: 0 }
    }

    /// Counts one more failure, and returns the pause after it.
    pub fn next_pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.limits.pause(self.failures)
    }

    /// The last attempt succeeded: the next failure is the first in a row.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A pause between one half of `pause` and all of it, chosen by `jitter` (from 0 to 1). Clients
/// that failed at the same moment then do not return at the same moment.
pub fn spread(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits::new(Duration::from_millis(100), Duration::from_millis(500));

    fn millis(back_off: &mut BackOff) -> u128 {
        back_off.next_pause().as_millis()
    }

    #[test]
    fn each_failure_in_a_row_doubles_the_pause_up_to_the_limit() {
        let mut back_off = BackOff::new(LIMITS);
        let pauses: Vec<u128> = (0..5).map(|_| millis(&mut back_off)).collect();
        assert_eq!(pauses, [100, 200, 400, 500, 500]);
    }

    #[test]
    fn a_success_makes_the_next_pause_the_first_one_again() {
        let mut back_off = BackOff::new(LIMITS);
        back_off.next_pause();
        back_off.next_pause();
        back_off.reset();
        assert_eq!((millis(&mut back_off), millis(&mut back_off)), (100, 200));
    }

    #[test]
    fn no_number_of_failures_and_no_limits_overflow() {
        assert_eq!(LIMITS.pause(u32::MAX), LIMITS.max);
        assert_eq!(LIMITS.pause(0), LIMITS.first);
        assert_eq!(Limits::new(Duration::MAX, Duration::MAX).pause(u32::MAX), Duration::MAX);
        let shorter_than_the_first = Limits { max: Duration::from_millis(7), ..LIMITS };
        assert_eq!(shorter_than_the_first.pause(1), Duration::from_millis(7));
    }

    #[test]
    fn jitter_spreads_a_pause_over_its_upper_half() {
        let spread = |jitter| spread(LIMITS.first, jitter).as_millis();
        assert_eq!((spread(0.0), spread(0.5), spread(1.0)), (50, 75, 100));
        assert_eq!((spread(-3.0), spread(9.0)), (50, 100));
    }
}

//! The time of an order that counts: how long it took, and not how long it was held.

use chrono::TimeDelta;

use crate::Timestamp;

/// A clock of one order. It stands while the order is paused or waits for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Its reading when it last began to run, or stopped.
    counted: TimeDelta,
    /// Since when it runs; `None`: it stands.
    runs_since: Option<Timestamp>,
}

impl Clock {
    /// A clock that begins at zero, and runs.
    pub(super) fn starting(at: Timestamp) -> Self {
        Self { counted: TimeDelta::zero(), runs_since: Some(at) }
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.runs_since.is_some()
    }

    /// Its reading. No event is before an earlier one: if a clock of an instance was behind, no
    /// time has passed.
    pub fn reading(&self, at: Timestamp) -> TimeDelta {
        self.counted + self.runs_since.map_or_else(TimeDelta::zero, |since| (at - since).max(TimeDelta::zero()))
    }

    /// When it shows this reading, if it goes on running; `None`: it stands.
    pub fn shows(&self, reading: TimeDelta) -> Option<Timestamp> {
        self.runs_since?.checked_add_signed(reading - self.counted)
    }

    /// Lets it run or stand from this moment on.
    pub(super) fn set(&mut self, at: Timestamp, runs: bool) {
        if runs != self.runs() {
            *self = Self { counted: self.reading(at), runs_since: runs.then_some(at) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn a_clock_counts_only_while_it_runs() {
        let mut clock = Clock::starting(at(10));
        clock.set(at(15), false);
        clock.set(at(17), false);
        assert_eq!((clock.reading(at(100)), clock.shows(TimeDelta::seconds(9))), (TimeDelta::seconds(5), None));
        clock.set(at(100), true);
        assert_eq!(clock.reading(at(103)), TimeDelta::seconds(8));
        assert_eq!(clock.shows(TimeDelta::seconds(9)), Some(at(104)));
        assert_eq!(clock.reading(at(90)), TimeDelta::seconds(5), "an event that seems to be before the last one");
    }
}

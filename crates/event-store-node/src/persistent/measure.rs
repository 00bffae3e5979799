//! Figures of a group or of one of its consumers: how many events, at what rate, and how long
//! answers take. It has no clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many of the last answers are measured.
const ANSWERS: usize = 1000;
/// The figures that servers report. Each is the time that this many of a thousand answers did not
/// exceed.
const PARTS: [(&str, usize); 13] = [
    ("Median", 500),
    ("Fastest", 0),
    ("Quintile 1", 200),
    ("Quintile 2", 400),
    ("Quintile 3", 600),
    ("Quintile 4", 800),
    ("Quintile 5", 1000),
    ("90%", 900),
    ("95%", 950),
    ("99%", 990),
    ("99.5%", 995),
    ("99.9%", 999),
    ("Highest", 1000),
];

#[derive(Debug)]
pub(super) struct Measure {
    began: Instant,
    total: u64,
    at_last_look: u64,
    answers: VecDeque<Duration>,
}

/// The figures at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) total: u64,
    pub(crate) per_second: u64,
    pub(crate) since_last_look: u64,
    /// Names and milliseconds. Empty if no answer was measured.
    pub(crate) answers: Vec<(&'static str, u64)>,
}

impl Measure {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, total: 0, at_last_look: 0, answers: VecDeque::new() }
    }

    /// Counts a delivered event.
    pub(super) fn count(&mut self) {
        self.total += 1;
    }

    /// Records the time that an answer took.
    pub(super) fn answered(&mut self, after: Duration) {
        if self.answers.len() == ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(after);
    }

    pub(super) fn look(&mut self, now: Instant) -> Measured {
        let since_last_look = self.total - self.at_last_look;
        self.at_last_look = self.total;
        let seconds = now.saturating_duration_since(self.began).as_secs().max(1);
        Measured { total: self.total, per_second: self.total / seconds, since_last_look, answers: self.times() }
    }

    fn times(&self) -> Vec<(&'static str, u64)> {
        let mut sorted: Vec<_> = self.answers.iter().map(|time| milliseconds(*time)).collect();
        sorted.sort_unstable();
        let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
        let mean = sorted.iter().sum::<u64>() / sorted.len() as u64;
        let part = |(name, part): (&'static str, usize)| (name, sorted[(last * part).div_ceil(1000)]);
        [("Mean", mean)].into_iter().chain(PARTS.map(part)).collect()
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_has_the_total_and_the_count_since_the_last_one() {
        let began = Instant::now();
        let mut measure = Measure::new(began);
        (0..20).for_each(|_| measure.count());
        let first = measure.look(began + Duration::from_secs(4));
        assert_eq!((first.total, first.per_second, first.since_last_look), (20, 5, 20));
        measure.count();
        let second = measure.look(began + Duration::from_secs(7));
        assert_eq!((second.total, second.per_second, second.since_last_look), (21, 3, 1));
        assert!(second.answers.is_empty());
    }

    #[test]
    fn the_times_of_the_last_answers_are_summarised_as_on_a_server() {
        let mut measure = Measure::new(Instant::now());
        (0..5000).for_each(|_| measure.answered(Duration::from_mins(1)));
        (0..1000).for_each(|time| measure.answered(Duration::from_millis(time)));
        let times = measure.look(Instant::now()).answers;
        let time = |wanted: &str| times.iter().find(|(name, _)| *name == wanted).map(|(_, time)| *time);
        assert_eq!(times.len(), 14);
        assert_eq!((time("Fastest"), time("Median"), time("Highest")), (Some(0), Some(500), Some(999)));
        assert_eq!((time("Mean"), time("90%"), time("Quintile 1")), (Some(499), Some(900), Some(200)));
    }
}

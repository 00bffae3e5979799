//! Time ranges in which something was away.

use chrono::{DateTime, TimeDelta, Utc};

type Moment = DateTime<Utc>;

/// Time ranges, sorted and without overlap.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Windows(Vec<(Moment, Moment)>);

impl Windows {
    pub fn new(mut spans: Vec<(Moment, Moment)>) -> Self {
        spans.sort();
        let mut apart: Vec<(Moment, Moment)> = Vec::new();
        for (from, to) in spans {
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        Self(apart)
    }

    /// When at least one was away.
    pub fn or(&self, other: &Self) -> Self {
        Self::new(self.0.iter().chain(&other.0).copied().collect())
    }

    /// When both were away.
    pub fn and(&self, other: &Self) -> Self {
        let both = self.0.iter().flat_map(|(from, to)| {
            other.0.iter().map(move |(other_from, other_to)| (*from.max(other_from), *to.min(other_to)))
        });
        Self::new(both.filter(|(from, to)| from < to).collect())
    }

    /// How long it was away in total.
    pub fn sum(&self) -> TimeDelta {
        self.0.iter().map(|(from, to)| *to - *from).sum()
    }

    /// The parts that are within a time range.
    pub fn within(&self, from: Moment, to: Moment) -> impl Iterator<Item = (Moment, Moment)> + '_ {
        self.0.iter().copied().filter(move |(begin, end)| *begin < to && *end > from)
    }

    /// For how much of a time range it was present.
    pub fn there_between(&self, from: Moment, to: Moment) -> TimeDelta {
        let missing = self.0.iter().map(|(begin, end)| (*end.min(&to) - *begin.max(&from)).max(TimeDelta::zero()));
        (to - from).max(TimeDelta::zero()) - missing.sum()
    }
}

#[test]
fn time_ranges_are_joined_cut_and_measured() {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let spans = |spans: &[(i64, i64)]| Windows::new(spans.iter().map(|(from, to)| (at(*from), at(*to))).collect());
    let (one, other) = (spans(&[(10, 20), (0, 5), (15, 30)]), spans(&[(4, 12), (40, 50)]));
    assert_eq!(one, spans(&[(0, 5), (10, 30)]));
    assert_eq!(one.or(&other), spans(&[(0, 30), (40, 50)]));
    assert_eq!(one.and(&other), spans(&[(4, 5), (10, 12)]));
    assert_eq!(one.sum(), TimeDelta::seconds(25));
    assert_eq!(one.there_between(at(3), at(32)), TimeDelta::seconds(7));
    assert_eq!(one.there_between(at(32), at(3)), TimeDelta::zero());
}

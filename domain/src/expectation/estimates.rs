//! The histograms of all workflow versions.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::histogram::Histogram;
use super::key::EstimateKey;
use super::samples::Sample;

/// A histogram, and how far into the log it has its samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimate {
    /// The durations.
    pub histogram: Histogram,
    /// The position in the log of the event of its last sample.
    pub position: u64,
}

/// All histograms.
#[derive(Debug, Clone, Default)]
pub struct Estimates(BTreeMap<EstimateKey, Estimate>);

impl FromIterator<(EstimateKey, Estimate)> for Estimates {
    fn from_iter<T: IntoIterator<Item = (EstimateKey, Estimate)>>(known: T) -> Self {
        Self(known.into_iter().collect())
    }
}

impl Estimates {
    /// Adds a sample that the event at this position gives. Returns whether it was new: a sample
    /// that is at or before the last one is there already.
    pub fn add(&mut self, sample: &Sample, position: u64) -> bool {
        let estimate = self.0.entry(sample.key.clone()).or_default();
        if estimate.histogram.samples() > 0 && position <= estimate.position {
            return false;
        }
        estimate.histogram.add(sample.at, sample.took);
        estimate.position = position;
        true
    }

    /// A histogram.
    pub fn get(&self, key: &EstimateKey) -> Option<&Estimate> {
        self.0.get(key)
    }

    /// How long it takes at most, in 95 of 100 cases. As long as a version has too few samples, the
    /// version before it counts.
    pub fn bound(&self, key: &EstimateKey) -> Option<TimeDelta> {
        let earlier = self.0.range(..=key).rev();
        let mut same = earlier.take_while(|(known, _)| {
            (&known.workflow, &known.step, known.part) == (&key.workflow, &key.step, key.part)
        });
        same.find_map(|(_, estimate)| estimate.histogram.bound())
    }
}

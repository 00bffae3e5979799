//! The counters and histograms of a metric: one for each set of label values, up to a bound.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use crate::metric::Metric;

/// The value of every label past the bound of a family.
pub const OTHER: &str = "other";
/// The most label sets of a family.
const MAX_SERIES: usize = 1_000;

/// The series of a metric. A look-up compares a few short texts, and allocates nothing.
struct Family<M, const N: usize> {
    metric: &'static Metric<N>,
    /// In the order of their labels.
    series: RwLock<Vec<([Box<str>; N], M)>>,
}

impl<M: Clone, const N: usize> Family<M, N> {
    fn new(metric: &'static Metric<N>) -> Self {
        Self { metric, series: RwLock::default() }
    }

    /// Acts on the series with these labels. The first time, it is made.
    fn with(&self, labels: [&str; N], new: impl FnOnce() -> M, act: impl FnOnce(&M)) {
        {
            let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
            if let Ok(at) = position(&series, labels) {
                return act(&series[at].1);
            }
        }
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let labels = if series.len() < MAX_SERIES { labels } else { [OTHER; N] };
        match position(&series, labels) {
            Ok(at) => act(&series[at].1),
            Err(at) => {
                let first = new();
                act(&first);
                series.insert(at, (labels.map(Box::from), first));
            }
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result
    where
        M: EncodeMetric,
    {
        let mut samples = self.metric.samples(encoder)?;
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let ([(_, only)], 0) = (all.as_slice(), N) {
            return samples.only(only);
        }
        for (labels, series) in &*all {
            samples.metric(labels.each_ref().map(|label| &**label), series)?;
        }
        Ok(())
    }
}

fn position<M, const N: usize>(series: &[([Box<str>; N], M)], labels: [&str; N]) -> Result<usize, usize> {
    series.binary_search_by(|(known, _)| known.iter().map(|label| &**label).cmp(labels))
}

impl<M, const N: usize> fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("metric", self.metric).finish_non_exhaustive()
    }
}

/// The counters of a metric.
#[derive(Debug)]
pub struct Counters<const N: usize>(Family<Counter, N>);

impl<const N: usize> Counters<N> {
    /// None yet. Without labels, there is one from the start.
    pub fn new(metric: &'static Metric<N>) -> Self {
        let counters = Self(Family::new(metric));
        if N == 0 {
            counters.add([""; N], 0);
        }
        counters
    }

    /// Counts one.
    pub fn add_one(&self, labels: [&str; N]) {
        self.add(labels, 1);
    }

    /// Counts so many.
    pub fn add(&self, labels: [&str; N], count: u64) {
        self.0.with(labels, Counter::default, |counter| {
            counter.inc_by(count);
        });
    }

    /// Writes them.
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

/// The histograms of a metric.
#[derive(Debug)]
pub struct Histograms<const N: usize> {
    family: Family<Histogram, N>,
    buckets: &'static [f64],
}

impl<const N: usize> Histograms<N> {
    /// None yet; without labels, there is one from the start. `buckets`: one of this crate's.
    pub fn new(metric: &'static Metric<N>, buckets: &'static [f64]) -> Self {
        let histograms = Self { family: Family::new(metric), buckets };
        if N == 0 {
            histograms.with([""; N], |_| {});
        }
        histograms
    }

    /// Observes a value.
    pub fn observe(&self, labels: [&str; N], value: f64) {
        self.with(labels, |histogram| histogram.observe(value));
    }

    fn with(&self, labels: [&str; N], act: impl FnOnce(&Histogram)) {
        self.family.with(labels, || Histogram::new(self.buckets.iter().copied()), act);
    }

    /// Writes them.
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.family.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collector, FAST, Page};

    static PARCELS: Metric<2> = Metric::counter("tenuto_parcels", ["to", "by"], "Parcels");
    static TRIPS: Metric<1> = Metric::histogram("tenuto_trip_seconds", ["by"], "Trips");

    #[derive(Debug)]
    struct Post {
        parcels: Counters<2>,
        trips: Histograms<1>,
    }

    impl Collector for Post {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            self.parcels.encode(&mut encoder)?;
            self.trips.encode(&mut encoder)
        }
    }

    fn post() -> Post {
        Post { parcels: Counters::new(&PARCELS), trips: Histograms::new(&TRIPS, FAST) }
    }

    #[test]
    fn each_label_set_has_its_series_under_the_names_of_the_conventions() {
        let post = post();
        for (to, by) in [("Reims", "rail"), ("Lyon", "rail"), ("Reims", "rail")] {
            post.parcels.add_one([to, by]);
        }
        post.trips.observe(["a \"fast\" train"], 0.5);
        let text = Page::default().with(post).text().unwrap();
        for line in [
            "# TYPE tenuto_parcels counter",
            "tenuto_parcels_total{to=\"Lyon\",by=\"rail\"} 1",
            "tenuto_parcels_total{to=\"Reims\",by=\"rail\"} 2",
            "# UNIT tenuto_trip_seconds seconds",
            "tenuto_trip_seconds_count{by=\"a \\\"fast\\\" train\"} 1",
            "tenuto_trip_seconds_bucket{le=\"0.25\",by=\"a \\\"fast\\\" train\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn past_the_bound_all_label_sets_share_one_series() {
        let post = post();
        for number in 0..MAX_SERIES + 20 {
            post.parcels.add_one([&number.to_string(), "rail"]);
        }
        post.parcels.add_one(["7", "rail"]);
        let text = Page::default().with(post).text().unwrap();
        assert_eq!(text.matches("tenuto_parcels_total{").count(), MAX_SERIES + 1);
        assert!(text.contains("tenuto_parcels_total{to=\"other\",by=\"other\"} 20\n"), "{text}");
        assert!(text.contains("tenuto_parcels_total{to=\"7\",by=\"rail\"} 2\n"), "{text}");
    }
}

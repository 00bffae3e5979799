//! The one home of metrics: what they are called, their labels, buckets and bounds, and their text
//! for Prometheus.
//!
//! Each crate lists its metrics with [`metrics!`], counts in a [`Counters`] or [`Histograms`], and
//! writes them in a [`Collector`]. The reference of the book is made from the same lists. Names
//! follow the conventions of Prometheus: base units, `_total`, `_seconds`, `_bytes`, `_info`.
//!
//! Labels come from what is registered: workflows, steps, participants, routes. Still, each family
//! has a bound: past it, all further label sets share one series.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

mod buckets;
mod family;
mod metric;
mod page;
mod process;
mod reloads;

pub use buckets::{FAST, SIZES, SLOW};
pub use family::{Counters, Histograms, OTHER};
pub use metric::{Described, Kind, Metric, Samples, Value};
pub use page::{OPEN_METRICS, Page};
pub use process::{METRICS, Process};
pub use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::DescriptorEncoder;
pub use reloads::note_reload;

/// Lists the metrics of a crate: a static for each, and `METRICS` with their descriptions. So no
/// metric can be missing from the reference.
#[macro_export]
macro_rules! metrics {
    ($($name:ident: $labels:literal = $metric:expr;)+) => {
        $(pub(crate) static $name: $crate::Metric<$labels> = $metric;)+
        /// The metrics that this crate serves.
        pub static METRICS: &[$crate::Described] = &[$($name.described()),+];
    };
}

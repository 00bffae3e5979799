//! One metric: its name, its labels, its meaning.

use std::fmt::{self, Write};

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelValue, EncodeMetric, LabelValueEncoder, MetricEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process starts again.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Observations by their size.
    Histogram,
    /// Facts, as labels.
    Info,
}

impl Kind {
    /// Its name in `OpenMetrics`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    const fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
            Self::Info => MetricType::Info,
        }
    }
}

/// A metric with `N` labels.
#[derive(Debug)]
pub struct Metric<const N: usize> {
    name: &'static str,
    kind: Kind,
    labels: [&'static str; N],
    help: &'static str,
}

/// A metric, for the reference.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// Its name, without `_total` and `_bucket`.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Its meaning.
    pub help: &'static str,
}

impl Described {
    /// The unit, from the name.
    pub fn unit(&self) -> Option<&'static str> {
        unit_of(self.name).map(|(_, unit)| unit.as_str())
    }

    /// The name of its samples.
    pub fn sampled(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Info => format!("{}_info", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

impl<const N: usize> Metric<N> {
    /// A counter. The samples get `_total`.
    pub const fn counter(name: &'static str, labels: [&'static str; N], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    /// A gauge.
    pub const fn gauge(name: &'static str, labels: [&'static str; N], help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, labels, help }
    }

    /// A histogram.
    pub const fn histogram(name: &'static str, labels: [&'static str; N], help: &'static str) -> Self {
        Self { name, kind: Kind::Histogram, labels, help }
    }

    /// Facts. The sample gets `_info`.
    pub const fn info(name: &'static str, labels: [&'static str; N], help: &'static str) -> Self {
        Self { name, kind: Kind::Info, labels, help }
    }

    /// For the reference.
    pub const fn described(&'static self) -> Described {
        Described { name: self.name, kind: self.kind, labels: &self.labels, help: self.help }
    }

    /// Begins to write it.
    pub fn samples<'e>(&self, encoder: &'e mut DescriptorEncoder<'_>) -> Result<Samples<'e, N>, fmt::Error>
    where
        Self: 'static,
    {
        // The encoder itself adds the unit.
        let (name, unit) = unit_of(self.name).map_or((self.name, None), |(name, unit)| (name, Some(unit)));
        let encoder = encoder.encode_descriptor(name, self.help, unit, self.kind.metric_type())?;
        Ok(Samples { encoder, kind: self.kind, labels: self.labels })
    }
}

impl Metric<0> {
    /// Writes its only sample.
    pub fn write(&self, encoder: &mut DescriptorEncoder<'_>, value: impl Into<Value>) -> fmt::Result {
        let samples = self.samples(encoder)?;
        write(samples.encoder, samples.kind, value.into())
    }
}

/// The samples of a metric, while they are written.
pub struct Samples<'e, const N: usize> {
    encoder: MetricEncoder<'e>,
    kind: Kind,
    labels: [&'static str; N],
}

/// The value of a sample.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// A count.
    Count(u64),
    /// A measurement.
    Measured(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Count(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Measured(value)
    }
}

impl<const N: usize> Samples<'_, N> {
    /// Writes one sample.
    pub fn add(&mut self, labels: [&str; N], value: impl Into<Value>) -> fmt::Result {
        let labels = self.labelled(labels);
        write(self.encoder.encode_family(&labels)?, self.kind, value.into())
    }

    /// Writes facts.
    pub fn info(&mut self, values: [&str; N]) -> fmt::Result {
        let facts = self.labelled(values);
        self.encoder.encode_info(&facts)
    }

    pub(crate) fn metric(&mut self, labels: [&str; N], metric: &impl EncodeMetric) -> fmt::Result {
        let labels = self.labelled(labels);
        metric.encode(self.encoder.encode_family(&labels)?)
    }

    /// Writes the only sample of a metric without labels.
    pub(crate) fn only(self, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(self.encoder)
    }

    fn labelled<'v>(&self, values: [&'v str; N]) -> [(&'static str, Escaped<'v>); N] {
        std::array::from_fn(|at| (self.labels[at], Escaped(values[at])))
    }
}

/// A label's value as the text has it. The library writes values as they are, and a quote in one
/// would make the page unreadable.
#[derive(Debug)]
struct Escaped<'v>(&'v str);

impl EncodeLabelValue for Escaped<'_> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => encoder.write_str("\\\\"),
            '"' => encoder.write_str("\\\""),
            '\n' => encoder.write_str("\\n"),
            other => encoder.write_char(other),
        })
    }
}

fn write(encoder: MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Count(value)) => ConstCounter::new(value).encode(encoder),
        (Kind::Counter, Value::Measured(value)) => ConstCounter::new(value).encode(encoder),
        (_, Value::Count(value)) => ConstGauge::new(value).encode(encoder),
        (_, Value::Measured(value)) => ConstGauge::new(value).encode(encoder),
    }
}

static SECONDS: Unit = Unit::Seconds;
static BYTES: Unit = Unit::Bytes;

/// The name without its unit, and the unit.
fn unit_of(name: &'static str) -> Option<(&'static str, &'static Unit)> {
    let seconds = name.strip_suffix("_seconds").map(|name| (name, &SECONDS));
    seconds.or_else(|| name.strip_suffix("_bytes").map(|name| (name, &BYTES)))
}

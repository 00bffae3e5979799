//! The lag of the views, for `/metrics`.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::time::timeout;

use crate::lag::LagMeter;

/// How long a measurement may take: an outage must not delay the other figures.
const PATIENCE: Duration = Duration::from_millis(800);

/// The last measurement of the lag. Clones share it.
#[derive(Clone)]
pub struct LagFigures {
    meter: LagMeter,
    last: Arc<RwLock<Figures>>,
}

/// The figures of a measurement. If one fails, the positions of the one before stay.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// NaN: not known.
    seconds: f64,
    log: u64,
    views: u64,
}

impl LagFigures {
    /// The figures of this meter, which has not measured yet.
    pub fn new(meter: LagMeter) -> Self {
        Self { meter, last: Arc::new(RwLock::new(Figures { seconds: f64::NAN, log: 0, views: 0 })) }
    }

    /// Measures the lag.
    pub async fn measure(&self) {
        let lag = timeout(PATIENCE, self.meter.measure()).await.ok().and_then(Result::ok);
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        last.seconds = lag.and_then(|lag| lag.seconds).unwrap_or(f64::NAN);
        if let Some(lag) = lag {
            (last.log, last.views) = (lag.log.unwrap_or_default(), lag.views.unwrap_or_default());
        }
    }

    fn last(&self) -> Figures {
        *self.last.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LagFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LagFigures").field("last", &self.last()).finish_non_exhaustive()
    }
}

impl Collector for LagFigures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Figures { seconds, log, views } = self.last();
        let help = "How long ago the first event was recorded that the views do not have; NaN: not known.";
        let unit = Some(&Unit::Seconds);
        ConstGauge::new(seconds).encode(encoder.encode_descriptor("views_lag", help, unit, MetricType::Gauge)?)?;
        let help = "Position of the last event of the log.";
        ConstGauge::new(log).encode(encoder.encode_descriptor("log_position", help, None, MetricType::Gauge)?)?;
        let help = "Position in the log that the views have.";
        ConstGauge::new(views).encode(encoder.encode_descriptor("views_position", help, None, MetricType::Gauge)?)
    }
}

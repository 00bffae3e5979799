//! The figures of the views for `/metrics`, measured for each request: their lag, and how many
//! orders are in which state.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Collector, DescriptorEncoder, Metric};
use sqlx::PgPool;
use tokio::time::timeout;

use crate::lag::LagMeter;
use crate::rows::{LateCountRow, WorkflowCountRow};
use crate::store::{counts_by_workflow, late_by_workflow};

metrics::metrics! {
    LAG: 0 = Metric::gauge(
        "tenuto_views_lag_seconds",
        [],
        "How long ago the first event was recorded that the views do not have; NaN: not known",
    );
    LOG_POSITION: 0 = Metric::gauge("tenuto_log_position", [], "Position of the last event of the log");
    VIEWS_POSITION: 0 = Metric::gauge("tenuto_views_position", [], "Position in the log that the views have");
    ORDERS: 3 = Metric::gauge(
        "tenuto_orders",
        ["workflow", "version", "state"],
        "Orders by their state, as the views have them: the same on each instance",
    );
    LATE: 2 = Metric::gauge(
        "tenuto_orders_late",
        ["workflow", "version"],
        "Orders that should have ended by now, in 95 of 100 cases: the same on each instance",
    );
    KEYLESS: 0 = Metric::gauge("tenuto_keyless_orders", [], "Orders whose key of personal data is missing");
    KEYLESS_OPEN: 0 = Metric::gauge(
        "tenuto_keyless_orders_open",
        [],
        "Orders whose key of personal data is missing and that have not ended: they are held",
    );
    CONNECTIONS: 1 = Metric::gauge(
        "tenuto_postgres_connections",
        ["state"],
        "Connections to Postgres in this process's pool: in_use or idle",
    );
    MAX_CONNECTIONS: 0 = Metric::gauge(
        "tenuto_postgres_connections_max",
        [],
        "The most connections to Postgres in this process's pool",
    );
}

/// How long a measurement may take: an outage must not delay the other figures.
const PATIENCE: Duration = Duration::from_millis(800);

/// The last measurement of the views. Clones share it.
#[derive(Clone)]
pub struct ViewFigures {
    meter: LagMeter,
    last: Arc<RwLock<Figures>>,
}

/// The figures of a measurement. If one fails, the positions of the one before stay.
#[derive(Debug, Clone)]
struct Figures {
    /// NaN: not known.
    seconds: f64,
    log: u64,
    views: u64,
    /// Empty: not known.
    orders: Vec<WorkflowCountRow>,
    late: Vec<LateCountRow>,
}

impl ViewFigures {
    /// The figures of this meter's views, which are not measured yet.
    pub fn new(meter: LagMeter) -> Self {
        let none = Figures { seconds: f64::NAN, log: 0, views: 0, orders: Vec::new(), late: Vec::new() };
        Self { meter, last: Arc::new(RwLock::new(none)) }
    }

    /// Measures them.
    pub async fn measure(&self) {
        let counted = timeout(PATIENCE, counts_by_workflow(self.meter.pool()));
        let late = timeout(PATIENCE, late_by_workflow(self.meter.pool()));
        let (lag, counted, late) = tokio::join!(timeout(PATIENCE, self.meter.measure()), counted, late);
        let lag = lag.ok().and_then(Result::ok);
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        last.seconds = lag.and_then(|lag| lag.seconds).unwrap_or(f64::NAN);
        if let Some(lag) = lag {
            (last.log, last.views) = (lag.log.unwrap_or_default(), lag.views.unwrap_or_default());
        }
        last.orders = counted.ok().and_then(Result::ok).unwrap_or_default();
        last.late = late.ok().and_then(Result::ok).unwrap_or_default();
    }

    fn last(&self) -> Figures {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for ViewFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewFigures").field("last", &self.last()).finish_non_exhaustive()
    }
}

impl Collector for ViewFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Figures { seconds, log, views, orders, late } = self.last();
        LAG.write(&mut encoder, seconds)?;
        LOG_POSITION.write(&mut encoder, log)?;
        VIEWS_POSITION.write(&mut encoder, views)?;
        let mut samples = ORDERS.samples(&mut encoder)?;
        orders.iter().try_for_each(|WorkflowCountRow { workflow, version, state, orders }| {
            samples.add([workflow, &version.to_string(), state], u64::try_from(*orders).unwrap_or_default())
        })?;
        let mut samples = LATE.samples(&mut encoder)?;
        late.iter().try_for_each(|LateCountRow { workflow, version, orders }| {
            samples.add([workflow, &version.to_string()], u64::try_from(*orders).unwrap_or_default())
        })
    }
}

/// The figures of a pool of connections.
#[derive(Debug)]
pub struct PoolFigures(pub PgPool);

impl Collector for PoolFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (open, idle) = (u64::from(self.0.size()), self.0.num_idle() as u64);
        let mut samples = CONNECTIONS.samples(&mut encoder)?;
        samples.add(["in_use"], open.saturating_sub(idle))?;
        samples.add(["idle"], idle)?;
        MAX_CONNECTIONS.write(&mut encoder, u64::from(self.0.options().get_max_connections()))
    }
}

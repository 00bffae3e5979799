//! The figures of a command handler for `/metrics`: circuits, steps that are held, results that
//! failed.

use std::fmt::{self, Error};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use sqlx::PgPool;
use tokio::time::timeout;

use crate::Production;
use crate::callbacks::Callbacks;
use crate::participants::{CIRCUIT_STATES, Circuit};

/// How long Postgres has to count: an outage must not hold up the other figures.
const PATIENCE: Duration = Duration::from_millis(800);

/// The source of the figures. It is empty in a process without a command handler, and until the
/// handler has started.
#[derive(Clone, Default)]
pub struct HandlerFigures(Arc<OnceLock<Source>>);

struct Source {
    orchestrator: Production,
    pool: PgPool,
    /// NaN: not known.
    held_steps: RwLock<f64>,
}

impl fmt::Debug for HandlerFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFigures").field("is_there", &self.0.get().is_some()).finish()
    }
}

impl HandlerFigures {
    /// The command handler of this process runs.
    pub fn begin(&self, orchestrator: Production, pool: PgPool) {
        // There is one in a process: no other was set before.
        let _ = self.0.set(Source { orchestrator, pool, held_steps: RwLock::new(f64::NAN) });
    }

    /// Counts what Postgres knows.
    pub async fn measure(&self) {
        let Some(source) = self.0.get() else { return };
        let counted = timeout(PATIENCE, views::held_steps(&source.pool)).await;
        #[expect(clippy::cast_precision_loss, reason = "no table has so many rows")]
        let held = counted.ok().and_then(Result::ok).map_or(f64::NAN, |count| count as f64);
        *source.held_steps.write().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl Collector for HandlerFigures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let Some(Source { orchestrator, held_steps, .. }) = self.0.get() else { return Ok(()) };
        encode_circuits(&mut encoder, &orchestrator.participants().http().circuits())?;
        let held = *held_steps.read().unwrap_or_else(PoisonError::into_inner);
        let meaning = "Steps that are held for an operator, by the views; NaN: not known";
        ConstGauge::new(held).encode(encoder.encode_descriptor("held_steps", meaning, None, MetricType::Gauge)?)?;
        let meaning = "Orders that this instance completed without the result that their workflow describes";
        let counter = encoder.encode_descriptor("failed_results", meaning, None, MetricType::Counter)?;
        ConstCounter::new(orchestrator.failed_results()).encode(counter)?;
        encode_rejected_tokens(&mut encoder, orchestrator.participants().http().callbacks())
    }
}

fn encode_rejected_tokens(encoder: &mut DescriptorEncoder, callbacks: Option<&Callbacks>) -> Result<(), Error> {
    let meaning = "Later answers that this instance refused, because the token of their callback was wrong";
    let mut family = encoder.encode_descriptor("rejected_callback_tokens", meaning, None, MetricType::Counter)?;
    for (reason, count) in callbacks.into_iter().flat_map(Callbacks::rejections) {
        ConstCounter::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
    }
    Ok(())
}

/// A series for each state, 1 for the one in which a circuit is. An empty action stands for the
/// participant as a whole.
fn encode_circuits(encoder: &mut DescriptorEncoder, circuits: &[Circuit]) -> Result<(), Error> {
    let help = "1 for the state of the circuit to a participant, or to one of its actions that failed by a mistake";
    let mut family = encoder.encode_descriptor("circuit_state", help, None, MetricType::Gauge)?;
    for Circuit { participant, action, state } in circuits {
        for possible in CIRCUIT_STATES {
            let action = action.as_deref().unwrap_or_default();
            let labels = [("participant", participant.as_str()), ("action", action), ("state", possible)];
            ConstGauge::new(i64::from(*state == possible)).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

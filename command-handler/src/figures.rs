//! The figures of a command handler for `/metrics`: circuits, steps that are held, results that
//! failed.

use std::fmt::{self, Error};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Collector, Described, DescriptorEncoder, Metric};
use sqlx::PgPool;
use tokio::time::timeout;

use crate::Production;
use crate::callbacks::Callbacks;
use crate::order_figures;
use crate::participants::{CIRCUIT_STATES, Circuit};
use crate::webhooks::{self, WebhookFigures, Webhooks};

metrics::metrics! {
    IN_FLIGHT: 0 = Metric::gauge(
        "tenuto_orders_in_flight",
        [],
        "Orders that this instance drives now: a request is under way, or work is due soon",
    );
    CIRCUITS: 3 = Metric::gauge(
        "tenuto_circuit_state",
        ["participant", "action", "state"],
        "1 for the state of the circuit to a participant, or to one of its actions that failed by a mistake",
    );
    HELD_STEPS: 0 = Metric::gauge(
        "tenuto_held_steps",
        [],
        "Steps that are held for an operator, by the views; NaN: not known",
    );
    REJECTED_TOKENS: 1 = Metric::counter(
        "tenuto_rejected_callback_tokens",
        ["reason"],
        "Later answers that this instance refused, because the token of their callback was malformed, forged (also: \
         for another request) or expired",
    );
}

/// The metrics of a command handler.
pub fn metrics() -> impl Iterator<Item = &'static Described> {
    order_figures::METRICS.iter().chain(webhooks::METRICS).chain(METRICS)
}

/// How long Postgres has to count: an outage must not hold up the other figures.
const PATIENCE: Duration = Duration::from_millis(800);

/// The source of the figures. It is empty in a process without a command handler, and until the
/// handler has started.
#[derive(Clone, Default)]
pub struct HandlerFigures(Arc<OnceLock<Source>>);

struct Source {
    orchestrator: Production,
    pool: PgPool,
    webhooks: WebhookFigures,
    counted: RwLock<Counted>,
}

/// What Postgres has counted; NaN: not known.
#[derive(Clone, Copy)]
struct Counted {
    held_steps: f64,
    dead_letters: f64,
    disabled_webhooks: f64,
}

impl Counted {
    const NOT_KNOWN: Self = Self { held_steps: f64::NAN, dead_letters: f64::NAN, disabled_webhooks: f64::NAN };
}

impl fmt::Debug for HandlerFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFigures").field("is_there", &self.0.get().is_some()).finish()
    }
}

impl HandlerFigures {
    /// The command handler of this process runs.
    pub fn begin(&self, orchestrator: Production, pool: PgPool, webhooks: &Webhooks) {
        let (webhooks, counted) = (webhooks.figures(), RwLock::new(Counted::NOT_KNOWN));
        // There is one in a process: no other was set before.
        let _ = self.0.set(Source { orchestrator, pool, webhooks, counted });
    }

    /// Counts what Postgres knows.
    pub async fn measure(&self) {
        let Some(source) = self.0.get() else { return };
        let counting =
            async { tokio::try_join!(views::held_steps(&source.pool), views::webhooks::counts(&source.pool)) };
        let counted = timeout(PATIENCE, counting).await.ok().and_then(Result::ok);
        #[expect(clippy::cast_precision_loss, reason = "no table has so many rows")]
        let counted = counted.map_or(Counted::NOT_KNOWN, |(held_steps, webhooks)| Counted {
            held_steps: held_steps as f64,
            dead_letters: webhooks.dead_letters as f64,
            disabled_webhooks: webhooks.disabled as f64,
        });
        *source.counted.write().unwrap_or_else(PoisonError::into_inner) = counted;
    }
}

impl Collector for HandlerFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(Source { orchestrator, webhooks, counted, .. }) = self.0.get() else { return Ok(()) };
        let counted = *counted.read().unwrap_or_else(PoisonError::into_inner);
        orchestrator.figures().encode(&mut encoder)?;
        IN_FLIGHT.write(&mut encoder, orchestrator.in_flight() as u64)?;
        encode_circuits(&mut encoder, &orchestrator.participants().http().circuits())?;
        HELD_STEPS.write(&mut encoder, counted.held_steps)?;
        webhooks.encode(&mut encoder, (counted.dead_letters, counted.disabled_webhooks))?;
        encode_rejected_tokens(&mut encoder, orchestrator.participants().http().callbacks())
    }
}

fn encode_rejected_tokens(encoder: &mut DescriptorEncoder<'_>, callbacks: Option<&Callbacks>) -> Result<(), Error> {
    let mut samples = REJECTED_TOKENS.samples(encoder)?;
    callbacks.into_iter().flat_map(Callbacks::rejections).try_for_each(|(reason, count)| samples.add([reason], count))
}

/// A series for each state, 1 for the one in which a circuit is. An empty action stands for the
/// participant as a whole.
fn encode_circuits(encoder: &mut DescriptorEncoder<'_>, circuits: &[Circuit]) -> Result<(), Error> {
    let mut samples = CIRCUITS.samples(encoder)?;
    for Circuit { participant, action, state } in circuits {
        for possible in CIRCUIT_STATES {
            samples.add([participant, action.as_deref().unwrap_or_default(), possible], *state == possible)?;
        }
    }
    Ok(())
}

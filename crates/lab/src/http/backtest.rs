//! The run of a backtest: its results so far, and its bounds.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use domain::ids::OrderId;
use serde_json::{Value, json};
use servers::log::Log;
use tracing::warn;

use super::run::{End, Run};
use crate::backtest::{Bench, Observer, Outcome, Tally, backtest, report};

/// The most orders that one request tries.
const MAX_ORDERS: u64 = 100_000;

/// Tries a definition on orders of the log.
pub(super) async fn run(log: Arc<Log>, bench: Bench, run: Arc<Run>) -> End {
    let watcher = Arc::new(Watcher {
        run: run.clone(),
        tried: AtomicU64::new(0),
        percent: AtomicU64::new(0),
        began: Instant::now(),
    });
    let tried = tokio::select! {
        tried = backtest(&log, Arc::new(bench), None, watcher.clone()) => tried,
        reason = run.ends() => return End::Stopped(run.latest(), reason),
    };
    match tried {
        Ok(tally) if watcher.is_full() => {
            let results = results(&tally, watcher.percent.load(Ordering::Relaxed), watcher.began);
            End::Stopped(results, format!("{MAX_ORDERS} orders were tried; choose fewer, or use tenuto backtest"))
        }
        Ok(tally) => End::Done(results(&tally, 100, watcher.began)),
        Err(error) => {
            warn!(%error, "a backtest could not be carried out");
            End::Failed(format!("{error}; begin again"))
        }
    }
}

fn results(tally: &Tally, percent: u64, began: Instant) -> Value {
    let mut results = report::summary(tally, began.elapsed());
    results["percent"] = json!(percent);
    results
}

/// Shows the results so far, and ends the backtest at its bound.
struct Watcher {
    run: Arc<Run>,
    tried: AtomicU64,
    /// How much of the log was read.
    percent: AtomicU64,
    began: Instant,
}

impl Watcher {
    fn is_full(&self) -> bool {
        self.tried.load(Ordering::Relaxed) >= MAX_ORDERS
    }
}

impl Observer for Watcher {
    fn tried(&self, orders: &[(OrderId, Outcome)]) -> ControlFlow<()> {
        let tried = orders.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::PassedOver)).count() as u64;
        self.tried.fetch_add(tried, Ordering::Relaxed);
        if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn reached(&self, percent: u64, tally: &Tally) {
        self.percent.store(percent, Ordering::Relaxed);
        self.run.show(|| results(tally, percent, self.began));
    }
}

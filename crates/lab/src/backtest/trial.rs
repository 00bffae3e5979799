//! Tries orders: one task reads the log, and others decide, a batch each, on several cores.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::backtest::{Options, Past};
use domain::ids::OrderId;
use domain::order::{Event, Order, fold_all};
use domain::workflow::Workflow;
use event_store::RecordedEvent;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::outcome::{Outcome, Worth};
use super::scan::{Found, Scan};
use super::selection::Selection;
use super::tally::Tally;
use crate::history::LogError;
use servers::log::Log;

/// The number of orders in a batch.
const BATCH: usize = 64;
/// A batch with this many events is full.
const MAX_EVENTS: usize = 4_096;

/// The conditions of a backtest.
#[derive(Debug)]
pub struct Bench {
    /// The definition to try.
    pub workflow: Workflow,
    /// Which answers count.
    pub options: Options,
    /// Which orders are tried.
    pub selection: Selection,
    /// What it may take of the machine.
    pub effort: Effort,
}

/// What a backtest may take of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How many threads decide.
    pub threads: usize,
    /// The most memory for the events of orders that have not ended, in bytes.
    pub max_held: usize,
}

impl Effort {
    /// For a process that does nothing else.
    pub fn of_a_command() -> Self {
        Self { threads: cores(), max_held: 128 << 20 }
    }

    /// For a process that serves others at the same time.
    pub fn of_a_server() -> Self {
        Self { threads: (cores() / 2).max(1), max_held: 32 << 20 }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Receives results while a backtest runs, on any thread.
pub trait Observer: Send + Sync + 'static {
    /// Some orders were tried. `Break` ends the backtest.
    fn tried(&self, orders: &[(OrderId, Outcome)]) -> ControlFlow<()>;

    /// How much of the log was read, in percent, and the results so far.
    fn reached(&self, percent: u64, tally: &Tally);
}

/// Tries the definition on all orders of the log, or on a sample of them, until the observer
/// breaks.
pub async fn backtest<O: Observer>(
    log: &Log,
    bench: Arc<Bench>,
    sample: Option<u32>,
    observer: Arc<O>,
) -> Result<Tally, LogError> {
    match sample {
        None => {
            let orders = Scan::all(&log.store, bench.effort.max_held).await?;
            trial(log, bench, orders, observer).await
        }
        Some(most) => {
            let picked = pick(log, &bench, most).await?;
            trial(log, bench, Named(picked), observer).await
        }
    }
}

/// Where orders come from.
trait Orders {
    async fn next(&mut self) -> Option<Found>;
    /// How much of the log was read, in percent. `None`: not known.
    fn percent(&self) -> Option<u64>;
}

impl Orders for Scan {
    async fn next(&mut self) -> Option<Found> {
        Scan::next(self).await
    }

    fn percent(&self) -> Option<u64> {
        Some(Scan::percent(self))
    }
}

/// The streams of picked orders.
struct Named(Vec<String>);

impl Orders for Named {
    async fn next(&mut self) -> Option<Found> {
        self.0.pop().map(Found::Named)
    }

    fn percent(&self) -> Option<u64> {
        None
    }
}

async fn trial<O: Observer>(
    log: &Log,
    bench: Arc<Bench>,
    mut orders: impl Orders,
    observer: Arc<O>,
) -> Result<Tally, LogError> {
    let turns = Arc::new(Semaphore::new(bench.effort.threads));
    let found = Arc::new(Mutex::new(Tally::default()));
    let broken = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    let mut ended = false;
    while !ended && !broken.load(Ordering::Relaxed) {
        let batch = batch(log, &mut orders).await?;
        ended = batch.is_empty();
        // No more batches than threads: the log is read no faster than orders are tried.
        let Ok(turn) = turns.clone().acquire_owned().await else { break };
        let (bench, all, watching, breaks) = (bench.clone(), found.clone(), observer.clone(), broken.clone());
        running.spawn_blocking(move || {
            let tried = run(&bench, &batch);
            if watching.tried(&tried).is_break() {
                breaks.store(true, Ordering::Relaxed);
            }
            let mut tally = Tally::default();
            for (id, outcome) in tried {
                tally.note(id.as_str(), outcome);
            }
            lock(&all).add(tally);
            drop(turn);
        });
        while running.try_join_next().is_some() {}
        observer.reached(orders.percent().unwrap_or_default(), &lock(&found));
    }
    while running.join_next().await.is_some() {}
    Ok(std::mem::take(&mut *lock(&found)))
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next orders, each with all its events. Empty: there are no more.
async fn batch(log: &Log, orders: &mut impl Orders) -> Result<Vec<Vec<RecordedEvent>>, LogError> {
    let (mut batch, mut events) = (Vec::new(), 0);
    while batch.len() < BATCH && events < MAX_EVENTS {
        let whole = match orders.next().await {
            Some(Found::Whole(whole)) => whole,
            Some(Found::Named(stream)) => log.stream(&stream, u64::MAX).await?,
            None => break,
        };
        events += whole.len();
        batch.push(whole);
    }
    Ok(batch)
}

/// The outcome of each order of a batch.
fn run(bench: &Bench, batch: &[Vec<RecordedEvent>]) -> Vec<(OrderId, Outcome)> {
    let id = |order: &[RecordedEvent]| order.first().and_then(|first| OrderId::from_stream(&first.stream));
    batch.iter().filter_map(|order| Some((id(order)?, bench.outcome(order)))).collect()
}

impl Bench {
    /// The outcome of an order.
    pub fn outcome(&self, order: &[RecordedEvent]) -> Outcome {
        self.tried(order).unwrap_or_else(Outcome::Broken)
    }

    fn tried(&self, order: &[RecordedEvent]) -> Result<Outcome, String> {
        let Some((first, rest)) = order.split_first() else { return Ok(Outcome::PassedOver) };
        let first = event(first)?;
        let Event::OrderPlaced(placed) = &first else {
            return Err(format!("an order begins with OrderPlaced, not with {}", first.type_name()));
        };
        if !self.selection.takes_placed(placed) {
            return Ok(Outcome::PassedOver);
        }
        let worth = Worth { total: placed.total, currency: placed.currency.clone() };
        let mut events = Vec::with_capacity(order.len());
        events.push(first);
        for recorded in rest {
            events.push(event(recorded)?);
        }
        if !self.selection.is_of_placing() && !self.selection.takes(&folded(&events)?) {
            return Ok(Outcome::PassedOver);
        }
        let past = Past::of(events).map_err(|error| error.to_string())?;
        domain::backtest::backtest(&self.workflow, &past, &self.options)
            .map(|trial| Outcome::Tried(trial, worth))
            .map_err(|error| error.to_string())
    }

    /// Whether an order is selected.
    fn takes(&self, order: &[RecordedEvent]) -> bool {
        let Some(first) = order.first() else { return false };
        let placed = matches!(event(first), Ok(Event::OrderPlaced(placed)) if self.selection.takes_placed(&placed));
        let folds = || {
            let events: Result<Vec<Event>, String> = order.iter().map(event).collect();
            events.and_then(|events| folded(&events)).is_ok_and(|state| self.selection.takes(&state))
        };
        placed && (self.selection.is_of_placing() || folds())
    }
}

fn event(recorded: &RecordedEvent) -> Result<Event, String> {
    order_stream::decode_event(recorded).map_err(|fault| format!("event {}: {}", recorded.revision, fault.reason()))
}

fn folded(events: &[Event]) -> Result<Order, String> {
    fold_all(events).map_err(|illegal| illegal.to_string())?.ok_or_else(|| "it has no events".to_owned())
}

/// The streams of a sample: of the orders that match, those whose names have the smallest digests,
/// so that each run picks the same ones.
async fn pick(log: &Log, bench: &Bench, most: u32) -> Result<Vec<String>, LogError> {
    let by_placing = bench.selection.is_of_placing();
    let scan =
        if by_placing { Scan::placed(&log.store).await } else { Scan::all(&log.store, bench.effort.max_held).await };
    let mut scan = scan?;
    let mut picked: BinaryHeap<([u8; 32], String)> = BinaryHeap::new();
    while let Some(found) = scan.next().await {
        let order = match found {
            Found::Whole(order) => order,
            Found::Named(stream) => log.stream(&stream, u64::MAX).await?,
        };
        let Some(stream) = order.first().map(|first| first.stream.clone()).filter(|_| bench.takes(&order)) else {
            continue;
        };
        picked.push((Sha256::digest(&stream).into(), stream));
        if picked.len() > most as usize {
            picked.pop();
        }
    }
    // By name, so that each run has the same order.
    let mut streams: Vec<Reverse<String>> = picked.into_iter().map(|(_, stream)| Reverse(stream)).collect();
    streams.sort();
    Ok(streams.into_iter().map(|Reverse(stream)| stream).collect())
}

//! Runs the orders: one task reads the log, the others decide, a batch each, on all cores.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::backtest::{Options, Past, Trial, backtest};
use domain::order::{Event, Order, evolve};
use domain::wire;
use domain::workflow::Workflow;
use event_store::RecordedEvent;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::report;
use super::scan::{Found, Scan};
use super::selection::Selection;
use super::tally::{Counted, Tally};
use crate::LabError;
use crate::history::LogError;
use command_line::output;
use command_line::progress::{Counts, Progress};
use servers::log::Log;

/// Orders that one task runs before it says so.
const BATCH: usize = 64;
/// Events of a batch, from which on it is full.
const MAX_EVENTS: usize = 4_096;

/// What is asked of every order.
#[derive(Debug)]
pub struct Bench {
    pub workflow: Workflow,
    pub options: Options,
    pub selection: Selection,
}

/// What came of one order.
pub enum Outcome {
    /// It does not match.
    PassedOver,
    Tried(Trial),
    /// Its history cannot be read, or not be decided on.
    Broken(String),
}

/// Tries all orders, or a sample of them.
pub async fn all(log: &Log, bench: Arc<Bench>, sample: Option<u32>, json: bool) -> Result<Tally, LabError> {
    match sample {
        None => trial(log, bench, Scan::all(&log.store).await.map_err(LogError::from)?, json).await,
        Some(most) => {
            let picked = pick(log, &bench, most).await?;
            trial(log, bench, Named(picked), json).await
        }
    }
}

/// Where orders come from.
trait Orders {
    async fn next(&mut self) -> Option<Found>;
    /// How far it has come, from 0 to 100; none: that cannot be said.
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

/// Orders that are known by their streams.
struct Named(Vec<String>);

impl Orders for Named {
    async fn next(&mut self) -> Option<Found> {
        self.0.pop().map(Found::Named)
    }

    fn percent(&self) -> Option<u64> {
        None
    }
}

async fn trial(log: &Log, bench: Arc<Bench>, mut orders: impl Orders, json: bool) -> Result<Tally, LabError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let turns = Arc::new(Semaphore::new(cores));
    let progress = Progress::start(Came { percent: 0, counted: Counted::default() });
    let found = Arc::new(Mutex::new(Tally::default()));
    let lines = Arc::new(Mutex::new(Ok(())));
    let mut running = JoinSet::new();
    let mut ended = false;
    while !ended && is_ok(&lines) {
        let batch = batch(log, &mut orders).await?;
        ended = batch.is_empty();
        // No more batches than cores: the log is read no faster than it is worked on.
        let Ok(turn) = turns.clone().acquire_owned().await else { break };
        let (bench, all, printed) = (bench.clone(), found.clone(), lines.clone());
        running.spawn_blocking(move || {
            let (tally, told) = run(&bench, &batch, json);
            lock(&all).add(tally);
            if !told.is_empty()
                && let Err(error) = output::print(&told)
            {
                *lock(&printed) = Err(error.into());
            }
            drop(turn);
        });
        while running.try_join_next().is_some() {}
        let counted = lock(&found).counts();
        progress.change(|came| *came = Came { percent: orders.percent().unwrap_or_default(), counted });
    }
    while running.join_next().await.is_some() {}
    progress.finish();
    let printed = std::mem::replace(&mut *lock(&lines), Ok(()));
    printed.map(|()| std::mem::take(&mut *lock(&found)))
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_ok(lines: &Mutex<Result<(), LabError>>) -> bool {
    lock(lines).is_ok()
}

/// The next orders, whole; none: that was all.
async fn batch(log: &Log, orders: &mut impl Orders) -> Result<Vec<Vec<RecordedEvent>>, LabError> {
    let (mut batch, mut events) = (Vec::new(), 0);
    while batch.len() < BATCH && events < MAX_EVENTS {
        let whole = match orders.next().await {
            Some(Found::Whole(whole)) => whole,
            Some(Found::Named(stream)) => log.stream(&stream, u64::MAX).await.map_err(LogError::from)?,
            None => break,
        };
        events += whole.len();
        batch.push(whole);
    }
    Ok(batch)
}

/// What came of some orders, and the lines to be printed of them.
fn run(bench: &Bench, batch: &[Vec<RecordedEvent>], json: bool) -> (Tally, String) {
    let (mut tally, mut lines) = (Tally::default(), String::new());
    for order in batch {
        let Some(id) = order.first().and_then(|first| domain::ids::OrderId::from_stream(&first.stream)) else {
            continue;
        };
        let outcome = bench.outcome(order);
        if json && let Some(line) = report::line(id.as_str(), &outcome) {
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        tally.note(id.as_str(), outcome);
    }
    (tally, lines)
}

impl Bench {
    /// What comes of an order.
    pub fn outcome(&self, order: &[RecordedEvent]) -> Outcome {
        self.tried(order).unwrap_or_else(Outcome::Broken)
    }

    fn tried(&self, order: &[RecordedEvent]) -> Result<Outcome, String> {
        let Some((first, rest)) = order.split_first() else { return Ok(Outcome::PassedOver) };
        let first = event(first)?;
        if matches!(&first, Event::OrderPlaced(placed) if !self.selection.takes_placed(placed)) {
            return Ok(Outcome::PassedOver);
        }
        let mut events = Vec::with_capacity(order.len());
        events.push(first);
        for recorded in rest {
            events.push(event(recorded)?);
        }
        if !self.selection.is_of_placing() && !self.selection.takes(&folded(&events)?) {
            return Ok(Outcome::PassedOver);
        }
        let past = Past::of(events).map_err(|error| error.to_string())?;
        backtest(&self.workflow, &past, &self.options).map(Outcome::Tried).map_err(|error| error.to_string())
    }

    /// Whether an order is one to be tried.
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
    let read = wire::decode_event(&recorded.event_type, &recorded.data, &recorded.metadata);
    read.map_err(|error| format!("event {}: {error}", recorded.revision))
}

fn folded(events: &[Event]) -> Result<Order, String> {
    let state: Result<Option<Order>, _> = events.iter().try_fold(None, |state, event| evolve(state, event).map(Some));
    state.map_err(|misfit| misfit.to_string())?.ok_or_else(|| "it has no events".to_owned())
}

/// The streams of a sample: of those that match, the ones whose names have the least digests, so that it is always the same ones.
async fn pick(log: &Log, bench: &Bench, most: u32) -> Result<Vec<String>, LabError> {
    let by_placing = bench.selection.is_of_placing();
    let scan = if by_placing { Scan::placed(&log.store).await } else { Scan::all(&log.store).await };
    let mut scan = scan.map_err(LogError::from)?;
    let mut picked: BinaryHeap<([u8; 32], String)> = BinaryHeap::new();
    while let Some(found) = scan.next().await {
        let order = match found {
            Found::Whole(order) => order,
            Found::Named(stream) => log.stream(&stream, u64::MAX).await.map_err(LogError::from)?,
        };
        let Some(stream) = order.first().map(|first| first.stream.clone()).filter(|_| bench.takes(&order)) else {
            continue;
        };
        picked.push((Sha256::digest(&stream).into(), stream));
        if picked.len() > most as usize {
            picked.pop();
        }
    }
    // By name, so that they come out in the same order.
    let mut streams: Vec<Reverse<String>> = picked.into_iter().map(|(_, stream)| Reverse(stream)).collect();
    streams.sort();
    Ok(streams.into_iter().map(|Reverse(stream)| stream).collect())
}

/// How far it has come.
struct Came {
    percent: u64,
    counted: Counted,
}

impl Counts for Came {
    fn total(&self) -> Option<u64> {
        Some(100)
    }

    fn done(&self) -> u64 {
        self.percent
    }

    fn in_words(&self) -> String {
        self.counted.in_words()
    }
}

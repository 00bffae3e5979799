//! What all who take part in a run share: its dice, its time, its faults, the log, and the record
//! of what happened.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use domain::Timestamp;
use domain::ids::OrderId;
use event_store::{AppendError, Appended, Expected, NewEvent};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bug::Bug;
use super::dice::Dice;
use super::faults::{Fault, Faults};
use super::record::Record;
use super::sizes;
use crate::fakes::keys::SimulatedKeys;
use crate::fakes::log::SimulatedLog;
use crate::fakes::watched::Watched;
use crate::lock::lock;

/// Everybody has one.
#[derive(Debug, Clone)]
pub struct Simulation(Arc<Shared>);

#[derive(Debug)]
pub struct Shared {
    pub seed: u64,
    pub dice: Dice,
    pub faults: Faults,
    pub log: SimulatedLog,
    pub keys: Arc<SimulatedKeys>,
    /// What is wrong on purpose.
    pub bug: Option<Bug>,
    /// From then on nothing new goes wrong.
    pub calm: CancellationToken,
    /// How often the log was written to.
    pub written: Watched,
    record: Mutex<Record>,
    begin: Instant,
    trace: Option<Mutex<Vec<String>>>,
}

impl std::ops::Deref for Simulation {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Simulation {
    /// Time begins with it.
    pub fn new(seed: u64, bug: Option<Bug>, traced: bool) -> Self {
        let dice = Dice::new(seed);
        Self(Arc::new(Shared {
            seed,
            faults: Faults::new(&dice),
            dice,
            log: SimulatedLog::new(),
            keys: Arc::default(),
            bug,
            calm: CancellationToken::new(),
            written: Watched::default(),
            record: Mutex::default(),
            begin: Instant::now(),
            trace: traced.then(Mutex::default),
        }))
    }
}

impl Shared {
    /// The true time, which no instance knows.
    pub fn now(&self) -> Timestamp {
        let elapsed = TimeDelta::from_std(self.begin.elapsed()).expect("a run lasts for weeks, not for ages");
        DateTime::from_timestamp(1_767_225_600, 0).expect("the beginning of 2026") + elapsed
    }

    /// Whether something goes wrong here.
    pub fn happens(&self, fault: Fault) -> bool {
        if self.calm.is_cancelled() || !self.dice.hits(self.faults.rate(fault)) {
            return false;
        }
        self.note(fault);
        true
    }

    /// Something has gone wrong.
    pub fn note(&self, fault: Fault) {
        self.faults.note(fault);
        self.tell(format_args!("fault: {}", fault.name()));
    }

    /// Reads, or adds to, what is known of the run.
    pub fn record<T>(&self, with: impl FnOnce(&mut Record) -> T) -> T {
        with(&mut lock(&self.record))
    }

    /// An invariant is broken.
    pub fn wrong(&self, invariant: &'static str, how: String) {
        self.record(|record| record.wrong.push((invariant, how)));
    }

    /// Writes to the log, and takes down what was written.
    pub fn write(&self, stream: &str, expected: Expected, events: &[NewEvent]) -> Result<Appended, AppendError> {
        if OrderId::from_stream(stream).is_some() && sizes::of_append(events) > sizes::LARGEST_APPEND {
            let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
            self.wrong("every_decision_fits_its_append", format!("{stream}: {types:?}"));
            return Err(AppendError::TooLarge("as the log has it".to_owned()));
        }
        let before = self.log.length(stream);
        let result = self.log.put(stream, expected, events);
        if let (Some(order_id), true) = (OrderId::from_stream(stream), self.log.length(stream) > before) {
            let new = self.log.page(stream, before, events.len());
            self.record(|record| record.written(&order_id, &new, self.now()));
            self.written.count();
        }
        if let Err(AppendError::WrongExpectedRevision { .. }) = &result {
            self.note(Fault::AppendConflict);
        }
        result
    }

    /// Prints a step of the run, if wanted.
    pub fn tell(&self, what: fmt::Arguments) {
        if let Some(trace) = &self.trace {
            let at = self.begin.elapsed().as_millis();
            lock(trace).push(format!("{:>10}.{:03}s  {what}", at / 1000, at % 1000));
        }
    }

    /// All that was told.
    pub fn trace(&self) -> Vec<String> {
        self.trace.as_ref().map(|trace| lock(trace).clone()).unwrap_or_default()
    }

    /// Waits for as long as a message takes.
    pub async fn travel(&self) {
        let time = if self.happens(Fault::LateMessage) {
            self.dice.up_to(Duration::from_secs(*self.dice.pick(&[1, 10, 90])))
        } else {
            Duration::from_millis(*self.dice.pick(&[0, 0, 0, 0, 0, 1, 3, 20]))
        };
        if time.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(time).await;
        }
    }
}

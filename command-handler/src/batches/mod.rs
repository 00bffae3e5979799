//! An operator acts on many orders at once, named or matching a filter.
//!
//! The batch reports the result for each order as soon as it is decided, in the order of the ids.
//! A caller whose connection breaks resumes after the last reported order. Nothing is held in
//! memory.

mod expiry;
mod report;
mod requests;
mod run;

use std::fmt::Display;
use std::sync::Arc;

use access::SecondPerson;
use domain::Timestamp;
use domain::filter::OrderFilter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;
use views::Unknown;

pub use self::expiry::expire_batches;
pub(crate) use self::report::{NotBegun, NotTaken, Report, Which};
pub(crate) use self::requests::{BatchError, BatchRequests};
use self::run::{Progress, Run};
use crate::clock::Clock;
use crate::instruction::Instruction;
use crate::log::Log;
use crate::orchestrator::Orchestrator;
use crate::participants::Participants;
use crate::selection::Selection;

/// Batches that are worked on at once.
pub(crate) const MAX_BATCHES: usize = 4;
/// Reports that wait for a slow reader; past them, the batch waits too.
const MAX_REPORTS: usize = 64;

/// Why it is not known which orders match.
#[derive(Debug)]
pub(crate) enum NotCounted {
    /// The views cannot be read.
    Unreadable,
    /// The filter names what does not exist.
    Unknown(Unknown),
}

/// The orders of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    /// How many there are.
    pub matches: u64,
    /// They were placed before this moment.
    pub before: Timestamp,
}

/// A batch that runs.
pub(crate) struct Running {
    pub reports: mpsc::Receiver<Report>,
    /// Whether it began.
    pub begins: oneshot::Receiver<Result<(), NotBegun>>,
}

/// What batches share.
pub(crate) struct Batches<L, P, C, V> {
    orchestrator: Orchestrator<L, P, C>,
    views: Arc<V>,
    pub requests: BatchRequests<L>,
    pub second_person: SecondPerson,
    leaving: CancellationToken,
    turns: Arc<Semaphore>,
}

impl<L: Log, P: Participants, C: Clock, V: Selection> Batches<L, P, C, V> {
    /// Once `leaving`, batches stop, so that their callers go on elsewhere.
    pub fn new(
        orchestrator: Orchestrator<L, P, C>,
        log: L,
        views: V,
        second_person: SecondPerson,
        leaving: CancellationToken,
    ) -> Self {
        let (requests, turns) = (BatchRequests::new(log), Arc::new(Semaphore::new(MAX_BATCHES)));
        Self { orchestrator, views: Arc::new(views), requests, second_person, leaving, turns }
    }

    /// Performs what is asked of single orders.
    pub fn orchestrator(&self) -> &Orchestrator<L, P, C> {
        &self.orchestrator
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.orchestrator.clock().now().at
    }

    /// A new id.
    pub fn new_id(&self) -> Uuid {
        self.orchestrator.clock().id()
    }

    /// A turn for one more batch; `None`: as many as may are being worked on.
    pub fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().try_acquire_owned().ok()
    }

    /// How many orders there are. Those that are placed from now on are not among them: else a
    /// batch that is slower than customers would never come to its end.
    pub async fn count(&self, which: &mut Which) -> Result<Counted, NotCounted> {
        let now = self.orchestrator.clock().now().at;
        match which {
            Which::Named(ids) => Ok(Counted { matches: ids.len() as u64, before: now }),
            Which::Matching { criteria, after } => {
                let before = criteria.placed_at.to.map_or(now, |to| to.min(now));
                criteria.placed_at.to = Some(before);
                let counted = self.views.count(criteria, after.as_deref()).await;
                let matches = counted.map_err(|error| unreadable(&error, "a batch's orders could not be counted"))?;
                if matches == 0 && after.is_none() {
                    self.refuse_what_is_unknown(criteria).await?;
                }
                Ok(Counted { matches, before })
            }
        }
    }

    /// A filter that matches nothing may name what does not exist: a typing error should not look
    /// like a day without work.
    async fn refuse_what_is_unknown(&self, criteria: &OrderFilter) -> Result<(), NotCounted> {
        let unknown = self.views.unknown(criteria).await;
        let unknown = unknown.map_err(|error| unreadable(&error, "the workflows in the views could not be read"))?;
        unknown.map_or(Ok(()), |unknown| Err(NotCounted::Unknown(unknown)))
    }

    /// Starts a task that sends the instruction to each of these orders. The task's first report is
    /// `beginning`.
    pub fn run(
        &self,
        turn: OwnedSemaphorePermit,
        beginning: Report,
        instruction: Instruction,
        which: Which,
    ) -> Running {
        let (begun, begins) = oneshot::channel();
        let (reports, told) = mpsc::channel(MAX_REPORTS);
        let run = Run {
            orchestrator: self.orchestrator.clone(),
            views: self.views.clone(),
            instruction,
            leaving: self.leaving.clone(),
            reports,
            begun: Some(begun),
            progress: Progress::default(),
        };
        tokio::spawn(async move {
            let _turn = turn;
            // If the caller has closed the connection, sending the first order's report fails too.
            let _ = run.reports.send(beginning).await;
            run.run(which).await;
        });
        Running { reports: told, begins }
    }
}

fn unreadable(error: &dyn Display, what: &str) -> NotCounted {
    warn!(%error, "{what}");
    NotCounted::Unreadable
}

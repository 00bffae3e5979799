//! The task of a batch. It decides several orders at once, and reports them in their order, so
//! that a caller can resume after the last reported one.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::OrderId;
use futures::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::report::{NotBegun, NotTaken, Report, Which};
use crate::clock::Clock;
use crate::instruction::Instruction;
use crate::log::Log;
use crate::orchestrator::{CommandError, Orchestrator};
use crate::participants::Participants;
use crate::selection::Selection;
use domain::filter::OrderFilter;

/// The limit of orders that are decided at once.
const AT_ONCE: usize = 32;
/// The number of ids in one read.
const CHUNK: usize = 500;
/// How long an order waits for a free driver.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);
/// The pause between two attempts to find one.
const PAUSE: TimeDelta = TimeDelta::milliseconds(50);
/// The number of consecutive failed orders that stops a batch.
const MAX_IN_VAIN: usize = 100;

/// How long the log may take for one order, or Postgres for a chunk of ids.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(4);
/// How long commands may fail one after the other before a batch is stopped.
const MAX_FAILING_TIME: Duration = Duration::from_secs(3);

/// Why a batch ends before its last order.
enum End {
    /// The caller has closed the connection, or got an error as the answer to the whole batch.
    NobodyListens,
    /// The batch cannot proceed now, for this reason.
    Stopped(String),
}

/// The result for one order.
enum Outcome {
    /// The order was decided.
    Decided(Report),
    /// The instance has no free driver.
    Busy(Report),
    /// The command failed, because the log or Postgres failed.
    Failed(String, CommandError),
    /// The log does not answer: the command may still be recorded.
    Silent(String),
}

/// A batch under way.
pub(super) struct Run<L, P, C, V> {
    pub orchestrator: Orchestrator<L, P, C>,
    pub views: Arc<V>,
    pub instruction: Instruction,
    pub leaving: CancellationToken,
    pub reports: mpsc::Sender<Report>,
    /// Where to report whether the batch began. If its first order cannot be decided, the whole
    /// batch is refused.
    pub begun: Option<oneshot::Sender<Result<(), NotBegun>>>,
    pub progress: Progress,
}

/// The progress of a batch.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The number of decided orders.
    decided: u64,
    /// The number of failed orders since the last decided one.
    in_vain: usize,
    /// The time of the first failure since the last decided order.
    failing_since: Option<Instant>,
}

impl Progress {
    fn stopped(&self, reason: &str) -> End {
        let decided = match self.decided {
            0 => "no order was".to_owned(),
            1 => "1 order was".to_owned(),
            count => format!("{count} orders were"),
        };
        End::Stopped(format!("{reason}; {decided} decided about in this batch"))
    }
}

impl<L: Log, P: Participants, C: Clock, V: Selection> Run<L, P, C, V> {
    /// Runs the batch.
    pub async fn run(self, which: Which) {
        match which {
            Which::Named(ids) => self.named(ids).await,
            Which::Matching { criteria, after } => self.matching(&criteria, after).await,
        }
    }

    /// The orders that match, chunk by chunk. An order that no longer matches at its turn is still
    /// decided, as it stands in the log.
    async fn matching(mut self, criteria: &OrderFilter, mut after: Option<String>) {
        let end = loop {
            let ids = match timeout(MAX_ANSWER_TIME, self.views.page(criteria, after.as_deref(), CHUNK)).await {
                Ok(Ok(ids)) => ids,
                Ok(Err(error)) => break Err(self.progress.stopped(&format!("the views cannot be read: {error}"))),
                Err(_) => {
                    break Err(self.progress.stopped(&format!("Postgres has not answered for {MAX_ANSWER_TIME:?}")));
                }
            };
            let is_last = ids.len() < CHUNK;
            after = ids.last().cloned().or(after);
            match self.all_of(ids).await {
                Ok(()) if is_last => break Ok(()),
                Ok(()) => {}
                Err(end) => break Err(end),
            }
        };
        self.finish(end).await;
    }

    /// The named orders.
    async fn named(mut self, ids: Vec<String>) {
        let end = self.all_of(ids).await;
        self.finish(end).await;
    }

    async fn finish(&mut self, end: Result<(), End>) {
        let report = match end {
            Ok(()) => {
                self.begins(Ok(()));
                Report::Done
            }
            Err(End::Stopped(reason)) => {
                self.begins(Err(NotBegun::Stopped(reason.clone())));
                Report::Stopped(reason)
            }
            Err(End::NobodyListens) => return,
        };
        // This fails if the caller has closed the connection.
        let _ = self.reports.send(report).await;
    }

    /// Reports whether the batch began; only the first call counts.
    fn begins(&mut self, result: Result<(), NotBegun>) {
        if let Some(begun) = self.begun.take() {
            // It fails if the caller has closed the connection.
            let _ = begun.send(result);
        }
    }

    async fn all_of(&mut self, ids: Vec<String>) -> Result<(), End> {
        let (orchestrator, instruction, leaving) =
            (self.orchestrator.clone(), self.instruction.clone(), self.leaving.clone());
        let outcomes = stream::iter(ids).map(|id| outcome(&orchestrator, &instruction, &leaving, id));
        let mut outcomes = std::pin::pin!(outcomes.buffered(AT_ONCE));
        while let Some(outcome) = outcomes.next().await {
            self.tell(outcome).await?;
            if leaving.is_cancelled() {
                return Err(self.progress.stopped("this instance is shutting down"));
            }
            if self.progress.in_vain >= MAX_IN_VAIN {
                let reason = format!("nothing could be done about the last {MAX_IN_VAIN} orders");
                return Err(self.progress.stopped(&reason));
            }
        }
        Ok(())
    }

    async fn tell(&mut self, outcome: Outcome) -> Result<(), End> {
        let report = match outcome {
            Outcome::Decided(report) => {
                let decided = self.progress.decided + 1;
                self.progress = Progress { decided, ..Progress::default() };
                report
            }
            Outcome::Busy(report) => {
                self.progress.in_vain += 1;
                report
            }
            Outcome::Failed(_, error) if self.begun.is_some() => {
                self.begins(Err(NotBegun::Command(error)));
                return Err(End::NobodyListens);
            }
            Outcome::Failed(order_id, error) => {
                self.progress.in_vain += 1;
                let since = *self.progress.failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= MAX_FAILING_TIME {
                    let reason =
                        format!("commands have failed for {MAX_FAILING_TIME:?}, since the log or Postgres is away");
                    return Err(self.progress.stopped(&reason));
                }
                Report::Refused { order_id, because: NotTaken::Command(error) }
            }
            Outcome::Silent(id) => {
                let reason = format!(
                    "the log has not answered for {MAX_ANSWER_TIME:?} about order {id}, and may still record the command"
                );
                return Err(self.progress.stopped(&reason));
            }
        };
        self.begins(Ok(()));
        self.reports.send(report).await.map_err(|_| End::NobodyListens)
    }
}

/// Decides one order.
async fn outcome<L: Log, P: Participants, C: Clock>(
    orchestrator: &Orchestrator<L, P, C>,
    instruction: &Instruction,
    leaving: &CancellationToken,
    id: String,
) -> Outcome {
    let order_id = match OrderId::new(id.as_str()) {
        Ok(order_id) => order_id,
        Err(error) => {
            return Outcome::Decided(Report::Refused { order_id: id, because: NotTaken::NoSuchId(error) });
        }
    };
    let clock = orchestrator.clock();
    let give_up = clock.now().at + PATIENCE;
    let taken = loop {
        let now = clock.now();
        let impatient = now.at >= give_up || leaving.is_cancelled();
        // A batch leaves drivers free for new orders.
        if impatient || orchestrator.has_room() {
            let operated = orchestrator.carry_out(order_id.clone(), instruction);
            match timeout(MAX_ANSWER_TIME, operated).await {
                Err(_) => return Outcome::Silent(id),
                Ok(Err(CommandError::NoDriver(_))) if !impatient => {}
                Ok(taken) => break taken,
            }
        }
        clock.sleep_until(now.at + PAUSE).await;
    };
    match taken {
        Ok(accepted) => Outcome::Decided(Report::Taken(accepted)),
        Err(error @ CommandError::Failed(_)) => Outcome::Failed(id, error),
        Err(error) => {
            let is_passing = error.is_passing();
            let report = Report::Refused { order_id: id, because: NotTaken::Command(error) };
            if is_passing { Outcome::Busy(report) } else { Outcome::Decided(report) }
        }
    }
}

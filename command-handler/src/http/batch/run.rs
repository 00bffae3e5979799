//! Working through a batch: so many orders at once, each told of in its turn, so that whoever goes on later goes on after the last one.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::instruction::Instruction;
use super::super::place::Receipt;
use super::super::refused;
use super::line::Line;
use crate::clock::Clock;
use crate::log::Log;
use crate::orchestrator::{CommandError, Orchestrator};
use crate::participants::Participants;
use crate::selection::{Criteria, Selection};

/// Orders that are decided about at once.
const AT_ONCE: usize = 32;
/// Orders whose ids are read at once.
const CHUNK: usize = 500;
/// How long an order waits for the instance to have room for it.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);
/// Between two looks whether there is.
const PAUSE: TimeDelta = TimeDelta::milliseconds(50);
/// A batch is stopped when nothing could be done about so many orders, one after the other.
const MOST_IN_VAIN: usize = 100;

/// Why a batch is not gone on with.
enum End {
    /// Whoever asked has gone.
    NobodyListens,
    /// There is no point now, for this reason.
    Stopped(String),
}

/// A batch under way.
pub(super) struct Run<L, P, C, V> {
    pub orchestrator: Orchestrator<L, P, C>,
    pub views: Arc<V>,
    pub instruction: Instruction,
    pub leaving: CancellationToken,
    pub lines: mpsc::Sender<Bytes>,
    /// Orders about which nothing could be done since the last one about which something could.
    pub in_vain: usize,
}

impl<L: Log, P: Participants, C: Clock, V: Selection> Run<L, P, C, V> {
    /// Those that match, chunk by chunk. An order that matches no more when its turn comes is decided about all the same: as it
    /// stands in the log.
    pub async fn matching(mut self, criteria: &Criteria, mut after: Option<String>) {
        let end = loop {
            let ids = match self.views.page(criteria, after.as_deref(), CHUNK).await {
                Ok(ids) => ids,
                Err(error) => break Err(End::Stopped(format!("the views cannot be read: {error}"))),
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

    /// Those that are named.
    pub async fn named(mut self, ids: Vec<String>) {
        let end = self.all_of(ids).await;
        self.finish(end).await;
    }

    async fn finish(&self, end: Result<(), End>) {
        let line = match end {
            Ok(()) => Line::Done { done: true },
            Err(End::Stopped(stopped)) => Line::Stopped { stopped },
            Err(End::NobodyListens) => return,
        };
        // Whoever asked may have gone: then nobody wants to know.
        let _ = self.lines.send(line.bytes()).await;
    }

    async fn all_of(&mut self, ids: Vec<String>) -> Result<(), End> {
        let (orchestrator, instruction) = (&self.orchestrator, &self.instruction);
        let decided = stream::iter(ids).map(|id| decided(orchestrator, instruction, &self.leaving, id));
        let mut decided = std::pin::pin!(decided.buffered(AT_ONCE));
        while let Some((line, in_vain)) = decided.next().await {
            if self.lines.send(line.bytes()).await.is_err() {
                return Err(End::NobodyListens);
            }
            self.in_vain = if in_vain { self.in_vain + 1 } else { 0 };
            if self.leaving.is_cancelled() {
                return Err(End::Stopped("this instance is shutting down".to_owned()));
            }
            if self.in_vain >= MOST_IN_VAIN {
                return Err(End::Stopped(format!("nothing could be done about the last {MOST_IN_VAIN} orders")));
            }
        }
        Ok(())
    }
}

/// What becomes of an order, and whether it has to be tried again later.
async fn decided<L: Log, P: Participants, C: Clock>(
    orchestrator: &Orchestrator<L, P, C>,
    instruction: &Instruction,
    leaving: &CancellationToken,
    id: String,
) -> (Line, bool) {
    let taken = match refused::order_id(&id) {
        Ok(order_id) => {
            let clock = orchestrator.clock();
            let give_up = clock.now().at + PATIENCE;
            loop {
                let now = clock.now();
                let impatient = now.at >= give_up || leaving.is_cancelled();
                // A batch leaves room for orders that are being placed meanwhile.
                if impatient || orchestrator.has_room() {
                    match orchestrator.operate(order_id.clone(), instruction.command(now)).await {
                        Err(CommandError::Overloaded) if !impatient => {}
                        decided => break decided.map_err(|error| refused::problem(error, "")),
                    }
                }
                clock.sleep_until(now.at + PAUSE).await;
            }
        }
        Err(problem) => Err(problem),
    };
    match taken {
        Ok(accepted) => (Line::Taken { status: 202, receipt: Receipt::from(&accepted) }, false),
        Err(problem) => {
            let in_vain = problem.is_passing();
            (Line::Refused { order_id: id, problem }, in_vain)
        }
    }
}

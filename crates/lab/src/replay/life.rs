//! The part of an order that a replay shows, and its decisions, each made again.

use domain::ids::OrderId;
use domain::replay::{Again, BrokenHistory, Decision, Recorded, Replay};
use domain::workflow::Workflow;

/// The part of an order that is shown.
pub struct Life<'a> {
    pub order: &'a OrderId,
    pub workflow: Option<&'a Workflow>,
    /// All of its events.
    pub history: &'a [Recorded],
    /// The events that are shown: the first part.
    pub shown: &'a [Recorded],
}

/// The result of making the decisions again.
#[derive(Debug, Default)]
pub struct Tally {
    pub decisions: usize,
    /// Decisions that differ today, or cannot be made again.
    pub otherwise: usize,
    pub broken: Option<BrokenHistory>,
}

impl<'a> Life<'a> {
    /// Passes each shown decision to `see`. A decision is made again as a whole: the last one may
    /// have more events than are shown.
    pub fn each(&self, mut see: impl FnMut(&Decision<'a>)) -> Tally {
        let mut tally = Tally::default();
        let last = self.shown.last().map(|last| last.revision);
        for decision in Replay::of(self.workflow, self.history) {
            match decision {
                Ok(decision) if decision.moments.first().map(|first| first.recorded.revision) > last => break,
                Ok(mut decision) => {
                    tally.decisions += 1;
                    tally.otherwise += usize::from(decision.again != Again::Same);
                    decision.moments.retain(|moment| Some(moment.recorded.revision) <= last);
                    see(&decision);
                }
                Err(broken) => {
                    tally.broken = Some(broken);
                    break;
                }
            }
        }
        tally
    }
}

impl Life<'_> {
    /// Whether all events are shown.
    pub fn is_whole(&self) -> bool {
        self.shown.len() == self.history.len()
    }
}

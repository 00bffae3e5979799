//! An order's life, step by step, from the log: what happened, the resulting state, what was
//! pending, and why. Each decision is made again, and compared with the recorded one.

mod json;
mod render;
#[cfg(test)]
mod tests;
mod until;

use domain::ids::OrderId;
use domain::order::Event;
use domain::replay::{Again, Decision, Recorded, Replay};
use domain::workflow::Workflow;
use servers::log::Log;

pub use self::render::Page;
pub use self::until::Until;
use crate::history::{self, LogError};

/// What to replay, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The order.
    pub order: &'a OrderId,
    /// The last event to show; without it, all are shown.
    pub until: Option<Until>,
    /// Whether to show each field of the state that an event changed.
    pub diff: bool,
    /// The form of the text.
    pub form: Form,
}

/// The form of a replay's text.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// For people.
    Text(Page),
    /// For programs.
    Json,
}

/// An order's life.
#[derive(Debug)]
pub struct Replayed {
    /// What happened, in the requested form.
    pub text: String,
    /// Whether each decision would be the same today.
    pub is_same: bool,
    /// The fault of the history. The text ends before it.
    pub broken: Option<LogError>,
}

/// Replays an order, and makes each of its decisions again. `None`: the log has no such order.
pub async fn replay(log: &Log, request: &Request<'_>) -> Result<Option<Replayed>, LogError> {
    let Request { order, until, diff, form } = *request;
    let history = history::of_order(log, order).await?;
    let Some(first) = history.first() else { return Ok(None) };
    let unreadable = |revision, reason| LogError::Event { stream: order.stream(), revision, reason };
    let Event::OrderPlaced(placed) = &first.event else {
        let reason = format!("an order begins with OrderPlaced, not with {}", first.event.type_name());
        return Err(unreadable(first.revision, reason));
    };
    let workflow = history::workflow(log, &placed.workflow).await?;
    let shown = until.map_or(history.as_slice(), |until| until.of(&history));
    let life = Life { order, workflow: workflow.as_ref(), history: &history, shown };
    let (text, tally) = match form {
        Form::Text(page) => render::told(&life, diff, page),
        Form::Json => json::told(&life, diff),
    };
    let broken = tally.broken.map(|broken| unreadable(broken.revision, broken.source.to_string()));
    Ok(Some(Replayed { text, is_same: tally.otherwise == 0, broken }))
}

/// The part of an order that is shown.
struct Life<'a> {
    order: &'a OrderId,
    workflow: Option<&'a Workflow>,
    /// All of its events.
    history: &'a [Recorded],
    /// The events that are shown: the first part.
    shown: &'a [Recorded],
}

/// The result of making the decisions again.
#[derive(Debug, Default)]
struct Tally {
    decisions: usize,
    /// Decisions that differ today, or cannot be made again.
    otherwise: usize,
    broken: Option<domain::replay::BrokenHistory>,
}

impl<'a> Life<'a> {
    /// Passes each shown decision to `see`. A decision is made again as a whole: the last one may
    /// have more events than are shown.
    fn each(&self, mut see: impl FnMut(&Decision<'a>)) -> Tally {
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
    fn is_whole(&self) -> bool {
        self.shown.len() == self.history.len()
    }
}

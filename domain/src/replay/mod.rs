//! An order's history, decided again.
//!
//! A history is a sequence of decisions. Each was made of three things: the definition, the state before it, and a command. The
//! definition is in the log, the state is the fold of what came before, and the command can be told from the events that it led
//! to ([`commands`](command)). So every decision can be made once more by the decider of today, and has to come out as it is
//! recorded: that is what makes a history an explanation, years later as well.
//!
//! # What is derived, and what cannot be
//!
//! - Where one decision ends and the next begins: from `$causationId`, by which everything in a decision follows from its first event.
//! - The time: each event has it. Where the clock that decided was behind the order's last event, the later of the two is what was
//!   recorded, and is taken.
//! - The jitter: from `retryAt`, where a wait lies within what jitter can do to it. A longer one was the participant's `Retry-After`.
//! - A key that an answer came without: its number was recorded in its place.
//! - Not derived, since nothing was recorded: commands that were refused, and those that led to nothing because they had been done.
//! - Two commands that lead to the same events are one to a history: a refusal at once and one later, an operator's retry of all
//!   steps where there was one.

mod again;
mod changes;
mod command;
mod decisions;
mod rule;
mod seen;

#[cfg(test)]
mod again_tests;
#[cfg(test)]
mod seen_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod why_tests;

use uuid::Uuid;

pub use again::Again;
pub use changes::{Change, changes};
pub use rule::{Rule, Why};
pub use seen::{event_json, state_json};

use crate::Timestamp;
use crate::order::{Command, Effect, Event, IllegalTransition, OrderState, evolve, pending};
use crate::wire::Metadata;
use crate::workflow::Workflow;

/// An event as it was read from the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// Its index in the order's stream.
    pub revision: u64,
    /// What happened.
    pub event: Event,
    /// What is known besides.
    pub metadata: Metadata,
}

/// Some events that were decided together.
#[derive(Debug, Clone)]
pub struct Decision<'h> {
    /// The command that is taken for having led to them; `None`: there is none that could have.
    pub command: Option<Command>,
    /// Each event, why, and what it left.
    pub moments: Vec<Moment<'h>>,
    /// What the state after them waits for, at the time of the last.
    pub pending: Vec<Effect>,
    /// What the decider of today makes of the same command.
    pub again: Again,
}

/// One event of a decision.
#[derive(Debug, Clone)]
pub struct Moment<'h> {
    /// The event.
    pub recorded: &'h Recorded,
    /// The rule that it follows from.
    pub why: Why,
    /// The order after it.
    pub state: OrderState,
}

/// A history that cannot be gone through: an event does not fit what came before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {revision}: {source}")]
pub struct BrokenHistory {
    /// Which event.
    pub revision: u64,
    /// Why it does not fit.
    pub source: IllegalTransition,
}

/// Goes through a history, decision by decision. It stops where an event does not fit.
#[derive(Debug)]
pub struct Replay<'h> {
    workflow: Option<&'h Workflow>,
    rest: &'h [Recorded],
    state: Option<OrderState>,
}

impl<'h> Replay<'h> {
    /// The whole history of an order, from its first event on, and the definition that it began on, if that is known.
    pub fn of(workflow: Option<&'h Workflow>, history: &'h [Recorded]) -> Self {
        Self { workflow, rest: history, state: None }
    }

    fn decision(&mut self, events: &'h [Recorded]) -> Result<Decision<'h>, BrokenHistory> {
        let (command, again) = again::again(self.workflow, self.state.as_ref(), events);
        let mut moments = Vec::with_capacity(events.len());
        for recorded in events {
            let why = rule::why(self.workflow, self.state.as_ref(), &events[0], recorded);
            let broken = |source| BrokenHistory { revision: recorded.revision, source };
            let state = evolve(self.state.take(), &recorded.event).map_err(broken)?;
            self.state = Some(state.clone());
            moments.push(Moment { recorded, why, state });
        }
        let pending = moments.last().map(|last| pending(&last.state, last.recorded.event.at())).unwrap_or_default();
        Ok(Decision { command, moments, pending, again })
    }
}

impl<'h> Iterator for Replay<'h> {
    type Item = Result<Decision<'h>, BrokenHistory>;

    fn next(&mut self) -> Option<Self::Item> {
        let (events, rest) = self.rest.split_at(decisions::length(self.rest));
        if events.is_empty() {
            return None;
        }
        self.rest = rest;
        let decision = self.decision(events);
        if decision.is_err() {
            self.rest = &[];
        }
        Some(decision)
    }
}

impl Decision<'_> {
    /// When it was made.
    pub fn at(&self) -> Option<Timestamp> {
        self.moments.first().map(|first| first.recorded.event.at())
    }
}

//! Replay: repeats the decisions of an order's history.
//!
//! A history is a sequence of decisions. Each had three inputs: the definition, the state before
//! it, and a command. The definition is in the log, the state is the fold of the earlier events,
//! and the command can be derived from the events that it caused (`command`). So
//! today's decider can repeat every decision, and the result must equal the recorded events. That
//! makes a history an explanation, even years later.
//!
//! # What is derived, and what cannot be
//!
//! - Where one decision ends and the next begins: from `$causationId`. The first event of a
//!   decision causes the others.
//! - The time: each event has it. If the deciding clock was behind the order's last event, the
//!   later time was recorded.
//! - The jitter: from `retryAt`, if jitter can explain the wait. A longer wait was the
//!   participant's `Retry-After`.
//! - The key of an answer without a key: its number was recorded as the key.
//! - Not derived, because nothing was recorded: refused commands, and repeated commands without
//!   effect.
//! - Two commands that cause the same events cannot be distinguished: a refusal in the exchange and
//!   a later one, or an operator's retry of all steps when only one could be retried.

mod changes;
mod command;
mod decisions;
mod json_form;
mod recorded;
mod repetition;
mod rule;

#[cfg(test)]
mod json_form_tests;
#[cfg(test)]
mod repetition_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod why_tests;

pub use changes::{Change, changes};
pub use json_form::{event_json, state_json};
pub use recorded::Recorded;
pub use repetition::Again;
pub use rule::{Rule, Why};

use crate::Timestamp;
use crate::order::{Command, Effect, IllegalTransition, Order, evolve, pending};
use crate::workflow::Workflow;

/// The events of one decision.
#[derive(Debug, Clone)]
pub struct Decision<'h> {
    /// The command that caused it; `None`: no known command can have caused it.
    pub command: Option<Command>,
    /// Each event, its reason, and the resulting state.
    pub moments: Vec<Moment<'h>>,
    /// The due work of the resulting state, at the time of the last event.
    pub pending: Vec<Effect>,
    /// The result of the repeated decision.
    pub again: Again,
}

/// One event of a decision.
#[derive(Debug, Clone)]
pub struct Moment<'h> {
    /// The event.
    pub recorded: &'h Recorded,
    /// The rule behind it.
    pub why: Why,
    /// The order after it.
    pub state: Order,
}

/// A broken history: an event does not fit the state before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {revision}: {source}")]
pub struct BrokenHistory {
    /// The revision of the event.
    pub revision: u64,
    /// Why it does not fit.
    pub source: IllegalTransition,
}

/// Replays a history, decision by decision, up to the first event that does not fit.
#[derive(Debug)]
pub struct Replay<'h> {
    workflow: Option<&'h Workflow>,
    rest: &'h [Recorded],
    state: Option<Order>,
}

impl<'h> Replay<'h> {
    /// The whole history of an order from its first event, and its definition, if known.
    pub fn of(workflow: Option<&'h Workflow>, history: &'h [Recorded]) -> Self {
        Self { workflow, rest: history, state: None }
    }

    fn decision(&mut self, events: &'h [Recorded]) -> Result<Decision<'h>, BrokenHistory> {
        let (command, again) = repetition::again(self.workflow, self.state.as_ref(), events);
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
    /// The time of the decision.
    pub fn at(&self) -> Option<Timestamp> {
        self.moments.first().map(|first| first.recorded.event.at())
    }
}

//! The decider: a state and a command give events, or a refusal.
//!
//! Each command first has its own effect (one file each), then [`advance`] does all that follows from it, so that one
//! command is one append: "charged" and "shipping requested" stand in the log together or not at all. Only where that is more than
//! the log takes at once, the rest is the next decision, and due at once.

mod advance;
mod answer;
mod attempt;
mod cancel;
mod definition;
mod hand_over;
#[cfg(test)]
mod hand_over_tests;
#[cfg(test)]
mod hidden_tests;
#[cfg(test)]
mod hold_tests;
#[cfg(test)]
mod late_tests;
mod not_sent;
#[cfg(test)]
mod operator_tests;
mod pause;
mod place;
mod retry;
mod scope;
mod signal;
#[cfg(test)]
mod size_tests;
mod skip;
#[cfg(test)]
mod tests;
mod tick;
#[cfg(test)]
mod waiting_tests;

pub(crate) use attempt::{longest_slow_wait, longest_wait};
pub(crate) use place::place_again;
pub(crate) use scope::order_seen_by;

use std::collections::BTreeSet;

use super::command::{Command, Operate, Operation, Refusal};
use super::event::{DecisionSplit, Event};
use super::evolve::{Misfit, fold};
use super::limits::Limits;
use super::state::OrderState;
use crate::Timestamp;
use crate::ids::StepId;
use crate::workflow::Workflow;

/// Why a command gave no events.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// The command is not allowed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The decision contradicts the fold: a fault in Tenuto, reported rather than written.
    #[error("a decision that its own state cannot follow: {0}")]
    Inconsistent(#[from] Misfit),
}

/// Decides about an order that follows `workflow`; no state: it is not placed yet. No events: there is nothing to do, or it
/// was done before.
pub fn decide(workflow: &Workflow, state: Option<&OrderState>, command: &Command) -> Result<Vec<Event>, DecideError> {
    decide_next(workflow, state, command).map(|(events, _)| events)
}

/// As [`decide`], with the state that the events lead to: whoever appends them need not fold them again.
pub fn decide_next(
    workflow: &Workflow,
    state: Option<&OrderState>,
    command: &Command,
) -> Result<(Vec<Event>, OrderState), DecideError> {
    decide_within(workflow, state, command, Limits::LOG)
}

/// As [`decide_next`], for a log that takes that much at once.
pub fn decide_within(
    workflow: &Workflow,
    state: Option<&OrderState>,
    command: &Command,
    limits: Limits,
) -> Result<(Vec<Event>, OrderState), DecideError> {
    decide_with(workflow, state, command, limits, None)
}

/// As [`decide_next`], split where a decision of the past was split, and not for its size. `at_once`: the events of that decision, up
/// to the mark that split it; `None`: it was not split.
pub(crate) fn decide_split_like(
    workflow: &Workflow,
    state: &OrderState,
    command: &Command,
    at_once: Option<&[Event]>,
) -> Result<(Vec<Event>, OrderState), DecideError> {
    decide_with(workflow, Some(state), command, UNDIVIDED, at_once)
}

/// No decision is split, however large it is and whatever its expressions take.
pub(crate) const UNDIVIDED: Limits = Limits { value: Limits::LOG.value, ..Limits::NONE };

fn decide_with(
    workflow: &Workflow,
    state: Option<&OrderState>,
    command: &Command,
    limits: Limits,
    at_once: Option<&[Event]>,
) -> Result<(Vec<Event>, OrderState), DecideError> {
    let mut decision = match (state, command) {
        (None, Command::Place(place)) => place::place(workflow, place)?,
        (Some(_), Command::Place(_)) => return Err(Refusal::AlreadyPlaced.into()),
        (None, _) => return Err(Refusal::NotPlaced.into()),
        (Some(state), Command::Answer(answer)) => answer::answer(workflow, state, answer)?,
        (Some(state), Command::Signal(signal)) => signal::signal(workflow, state, signal)?,
        (Some(state), Command::Refuse(late)) => signal::refusal(workflow, state, late)?,
        (Some(state), Command::Operate(operate)) => operated(workflow, state, operate, limits)?,
        (Some(state), Command::Tick(now)) => tick::tick(workflow, state, *now)?,
        (Some(state), Command::HandOver(back)) => hand_over::hand_over(workflow, state, back)?,
        (Some(state), Command::NotSent(not_sent)) => not_sent::not_sent(workflow, state, not_sent)?,
    };
    // What was done before changes nothing, and leaves what is due to the tick that brings it.
    if decision.events.is_empty() && !matches!(command, Command::Tick(_)) {
        return Ok((decision.events, decision.state));
    }
    decision.at_once = at_once.map(names);
    advance::advance(workflow, &mut decision, limits)?;
    if matches!(command, Command::Place(_)) {
        place::refuse_what_is_too_large(&decision)?;
    }
    Ok((decision.events, decision.state))
}

fn operated(
    workflow: &Workflow,
    state: &OrderState,
    operate: &Operate,
    limits: Limits,
) -> Result<Decision, DecideError> {
    match &operate.operation {
        Operation::Cancel => cancel::cancel(state, operate),
        Operation::Pause => pause::pause(state, operate),
        Operation::Resume => pause::resume(state, operate),
        Operation::Retry { step } => retry::retry(workflow, state, operate, step.as_ref(), limits),
        Operation::Skip { step, outcome, data } => skip::skip(workflow, state, operate, step, outcome.as_deref(), data),
    }
}

/// A decision in the making: the events so far, and the state that they lead to.
struct Decision {
    state: OrderState,
    events: Vec<Event>,
    at: Timestamp,
    /// How many bytes are free, those of the measured events deducted.
    room: usize,
    /// How many units expressions may still take.
    units: u64,
    /// The most bytes of one value.
    value: usize,
    /// How many of the events are measured. The rest is not, since measuring costs as much as writing.
    measured: usize,
    /// How many bytes the events that are not measured take at most.
    at_most: usize,
    /// The only events that may follow, where the decision is split like one of the past.
    at_once: Option<BTreeSet<Name>>,
}

/// Tells an event from the others that can follow in the same decision.
type Name = (&'static str, Option<StepId>);

fn name(event: &Event) -> Name {
    (event.type_name(), event.moved_step().cloned())
}

fn names(events: &[Event]) -> BTreeSet<Name> {
    events.iter().map(name).collect()
}

impl Decision {
    fn about(state: &OrderState, at: Timestamp) -> Self {
        // A clock behind the one that decided last must not turn the order's history around.
        Self::of(state.clone(), Vec::new(), at.max(state.updated_at))
    }

    fn of(state: OrderState, events: Vec<Event>, at: Timestamp) -> Self {
        Self {
            state,
            events,
            at,
            room: usize::MAX,
            units: u64::MAX,
            value: usize::MAX,
            measured: 0,
            at_most: 0,
            at_once: None,
        }
    }

    fn record(&mut self, event: Event) -> Result<(), Misfit> {
        fold(&mut self.state, &event)?;
        self.events.push(event);
        Ok(())
    }

    /// Records an event that follows from the command if there is room for it; otherwise splits the decision. The first event
    /// is recorded whatever its size, so that every decision makes progress.
    fn follow(&mut self, event: Event) -> Result<(), Misfit> {
        if self.is_split() {
            return Ok(());
        }
        if self.takes(&event) || self.events.is_empty() {
            self.record(event)
        } else {
            self.record(Event::DecisionSplit(DecisionSplit { at: self.at }))
        }
    }

    /// Whether this event may follow, and takes its room.
    fn takes(&mut self, event: &Event) -> bool {
        if let Some(at_once) = &self.at_once {
            return at_once.contains(&name(event));
        }
        let at_most = self.at_most.saturating_add(Limits::bound(event));
        if at_most <= self.room {
            self.at_most = at_most;
            return true;
        }
        let taken: usize = self.events.iter().skip(self.measured).map(Limits::size).sum();
        self.room = self.room.saturating_sub(taken);
        self.measured = self.events.len();
        self.at_most = Limits::size(event);
        self.at_most <= self.room
    }

    /// Deducts what an expression took.
    fn spend(&mut self, units: u64) {
        self.units = self.units.saturating_sub(units);
    }

    /// Splits the decision once expressions have taken all that they may; not before an event is recorded, so that every
    /// decision makes progress.
    fn split_if_spent(&mut self) -> Result<(), Misfit> {
        if self.units == 0 && !self.events.is_empty() && !self.is_split() {
            self.record(Event::DecisionSplit(DecisionSplit { at: self.at }))?;
        }
        Ok(())
    }

    /// Whether it is split: all else is for the next decision.
    fn is_split(&self) -> bool {
        matches!(self.events.last(), Some(Event::DecisionSplit(_)))
    }
}

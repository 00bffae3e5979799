//! The decider: a state and a command give events, or a refusal.
//!
//! Each command first has its own effect (one file each); [`advance`] then adds all consequences.
//! So one command is one append: the log holds "charged" and "shipping requested" together, or
//! neither. If a decision exceeds the limits of the log, the rest is a second decision, which is
//! due at once.

mod advance;
mod answer;
#[cfg(test)]
mod answer_tests;
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
#[cfg(test)]
mod scope_tests;
mod signal;
#[cfg(test)]
mod size_tests;
mod skip;
#[cfg(test)]
mod tests;
mod tick;
#[cfg(test)]
mod waiting_tests;
#[cfg(test)]
mod work_tests;

pub(crate) use attempt::{MAX_RETRY_AFTER, max_slow_wait, max_wait};
pub use not_sent::MAX_UNSENT;
pub(crate) use place::place_again;
pub(crate) use scope::order_seen_by;

use std::collections::BTreeSet;

use super::command::{Command, Operate, Operation, Refusal};
use super::event::{DecisionSplit, Event};
use super::evolve::{IllegalTransition, fold};
use super::limits::{Limits, json_size};
use super::state::Order;
use crate::Timestamp;
use crate::ids::StepId;
use crate::workflow::Workflow;

/// Why a command gave no events.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// The command is not allowed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The decision contradicts the fold. This is a fault in Tenuto, so it is reported and not
    /// written.
    #[error("a decision that its own state cannot follow: {0}")]
    Inconsistent(#[from] IllegalTransition),
}

/// Decides a command on an order that follows `workflow`. No state: the order is not placed yet. No
/// events: nothing is to do, or it was done before. Also returns the resulting state, so that the
/// caller need not fold the events again.
pub fn decide_next(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
) -> Result<(Vec<Event>, Order), DecideError> {
    decide_within(workflow, state, command, Limits::LOG)
}

/// As [`decide_next`], with the limits of another log.
pub fn decide_within(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
    limits: Limits,
) -> Result<(Vec<Event>, Order), DecideError> {
    decide_with(workflow, state, command, limits, None)
}

/// As [`decide_next`], but split where a recorded decision was split, not by size. `at_once`: the
/// events of that decision before the split; `None`: it was not split.
pub(crate) fn decide_split_like(
    workflow: &Workflow,
    state: &Order,
    command: &Command,
    at_once: Option<&[Event]>,
) -> Result<(Vec<Event>, Order), DecideError> {
    decide_with(workflow, Some(state), command, UNDIVIDED, at_once)
}

/// Limits under which no decision is split. Only single values are bounded.
pub(crate) const UNDIVIDED: Limits = Limits { value: Limits::LOG.value, ..Limits::NONE };

/// The one path of every command. The limits apply before the first event is recorded.
fn decide_with(
    workflow: &Workflow,
    state: Option<&Order>,
    command: &Command,
    limits: Limits,
    at_once: Option<&[Event]>,
) -> Result<(Vec<Event>, Order), DecideError> {
    let mut decision = match (state, command) {
        (None, Command::Place(place)) => place::place(workflow, place, limits)?,
        (None, _) => return Err(Refusal::NotPlaced.into()),
        (Some(state), _) => {
            let mut decision = Decision::about(state, command.at(), limits, at_once);
            own_effect(workflow, state, command, &mut decision)?;
            decision
        }
    };
    // A repeated command changes nothing, and leaves due work to the next tick.
    if decision.events.is_empty() && !matches!(command, Command::Tick(_)) {
        return Ok((decision.events, decision.state));
    }
    advance::advance(workflow, &mut decision)?;
    if matches!(command, Command::Place(_)) {
        place::refuse_what_is_too_large(&decision)?;
    }
    Ok((decision.events, decision.state))
}

/// The own effect of a command, without consequences.
fn own_effect(
    workflow: &Workflow,
    state: &Order,
    command: &Command,
    decision: &mut Decision,
) -> Result<(), DecideError> {
    match command {
        Command::Place(_) => Err(Refusal::AlreadyPlaced.into()),
        Command::Answer(answer) => answer::answer(workflow, state, answer, decision),
        Command::Signal(signal) => signal::signal(workflow, state, signal, decision),
        Command::Refuse(late) => signal::refusal(workflow, state, late, decision),
        Command::Operate(operate) => operated(workflow, state, operate, decision),
        Command::Tick(now) => tick::tick(workflow, state, *now, decision),
        Command::HandOver(back) => hand_over::hand_over(workflow, state, back, decision),
        Command::NotSent(not_sent) => not_sent::not_sent(workflow, state, not_sent, decision),
    }
}

fn operated(workflow: &Workflow, state: &Order, operate: &Operate, decision: &mut Decision) -> Result<(), DecideError> {
    match &operate.operation {
        Operation::Cancel => cancel::cancel(state, operate, decision),
        Operation::Pause => pause::pause(state, operate, decision),
        Operation::Resume => pause::resume(state, operate, decision),
        Operation::Retry { step } => retry::retry(workflow, state, operate, step.as_ref(), decision),
        Operation::Skip { step, outcome, data } => {
            skip::skip(workflow, state, operate, step, (outcome.as_deref(), data), decision)
        }
    }
}

/// The bytes reserved for the event that splits a decision.
const MARK: usize = 1_000;

/// A decision in progress: its events, and the resulting state.
struct Decision {
    state: Order,
    events: Vec<Event>,
    at: Timestamp,
    /// How many bytes are free after the measured events.
    room: usize,
    /// How many units expressions may still use.
    units: u64,
    /// The limit for one value, in bytes.
    value: usize,
    /// How many events are measured. The others are not, because to measure costs as much as to
    /// write.
    measured: usize,
    /// An upper bound for the bytes of the events that are not measured.
    at_most: usize,
    /// The only events that may follow, if the decision is split like a recorded one.
    at_once: Option<BTreeSet<Name>>,
    /// The steps that an operator retries, and that have no next attempt yet.
    to_retry: BTreeSet<StepId>,
}

/// Identifies an event among the possible consequences of one decision.
type Name = (&'static str, Option<StepId>);

fn name(event: &Event) -> Name {
    (event.type_name(), event.moved_step().cloned())
}

fn names(events: &[Event]) -> BTreeSet<Name> {
    events.iter().map(name).collect()
}

impl Decision {
    /// See [`decide_split_like`] for `at_once`.
    fn about(state: &Order, at: Timestamp, limits: Limits, at_once: Option<&[Event]>) -> Self {
        // If this clock is behind that of the last decision, the order of times in the history must
        // stay.
        let mut decision = Self::of(state.clone(), at.max(state.updated_at), limits, at_once);
        decision.request_retries(state.to_retry.clone());
        decision
    }

    /// The first decision about an order.
    fn beginning(state: Order, placed: Event, limits: Limits, at_once: Option<&[Event]>) -> Self {
        let decision = Self::of(state, placed.at(), limits, at_once);
        Self { at_most: Limits::bound(&placed), events: vec![placed], ..decision }
    }

    fn of(state: Order, at: Timestamp, limits: Limits, at_once: Option<&[Event]>) -> Self {
        Self {
            state,
            events: Vec::new(),
            at,
            room: limits.decision.saturating_sub(MARK),
            units: limits.units,
            value: limits.value,
            measured: 0,
            at_most: 0,
            at_once: at_once.map(names),
            to_retry: BTreeSet::new(),
        }
    }

    /// Retries steps as far as there is room. It reserves room for the split event, which names the
    /// others.
    fn request_retries(&mut self, steps: BTreeSet<StepId>) {
        self.room = self.room.saturating_sub(json_size(&steps));
        self.to_retry = steps;
    }

    fn record(&mut self, event: Event) -> Result<(), IllegalTransition> {
        fold(&mut self.state, &event)?;
        match (&event, event.moved_step()) {
            // No forward step is tried again.
            (Event::CompensationStarted(_), _) => self.to_retry.clear(),
            (_, Some(step)) => drop(self.to_retry.remove(step)),
            (_, None) => {}
        }
        self.at_most = self.at_most.saturating_add(Limits::bound(&event));
        self.events.push(event);
        Ok(())
    }

    /// Records a consequence if there is room for it; otherwise splits the decision. The first
    /// event is always recorded, so that every decision makes progress.
    fn follow(&mut self, event: Event) -> Result<(), IllegalTransition> {
        if self.is_split() {
            return Ok(());
        }
        if self.takes(&event) { self.record(event) } else { self.split() }
    }

    /// Whether there is room for this event.
    fn takes(&mut self, event: &Event) -> bool {
        self.has_room_for(event) || self.events.is_empty()
    }

    fn has_room_for(&mut self, event: &Event) -> bool {
        if let Some(at_once) = &self.at_once {
            return at_once.contains(&name(event));
        }
        if self.at_most.saturating_add(Limits::bound(event)) <= self.room {
            return true;
        }
        let taken: usize = self.events.iter().skip(self.measured).map(Limits::size).sum();
        self.room = self.room.saturating_sub(taken);
        self.measured = self.events.len();
        self.at_most = 0;
        Limits::size(event) <= self.room
    }

    fn split(&mut self) -> Result<(), IllegalTransition> {
        let retry = self.to_retry.iter().cloned().collect();
        self.record(Event::DecisionSplit(DecisionSplit { retry, at: self.at }))
    }

    /// Subtracts the units that an expression used.
    fn spend(&mut self, units: u64) {
        self.units = self.units.saturating_sub(units);
    }

    /// Splits the decision when expressions have used all units, but only after its first event, so
    /// that every decision makes progress.
    fn split_if_spent(&mut self) -> Result<(), IllegalTransition> {
        if self.units == 0 && !self.events.is_empty() && !self.is_split() {
            self.split()?;
        }
        Ok(())
    }

    /// Whether the decision failed the order, or has no room left.
    fn starts_nothing_more(&self) -> bool {
        self.is_split() || matches!(self.events.last(), Some(Event::StepFailed(e)) if !e.misconfigured)
    }

    /// Whether the decision is split: the rest is for the next one.
    fn is_split(&self) -> bool {
        matches!(self.events.last(), Some(Event::DecisionSplit(_)))
    }
}

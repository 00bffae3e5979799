//! A decision in progress: the recorded events, the resulting state, and the room that is left.

use std::collections::BTreeSet;

use crate::Timestamp;
use crate::ids::StepId;
use crate::order::command::Refusal;
use crate::order::event::{DecisionSplit, Event};
use crate::order::evolve::{IllegalTransition, fold};
use crate::order::limits::{Limits, json_size};
use crate::order::state::Order;

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

/// The bytes reserved for the event that splits a decision.
const MARK: usize = 1_000;

/// A decision in progress: its events, and the resulting state.
pub(super) struct Decision {
    pub state: Order,
    pub events: Vec<Event>,
    pub at: Timestamp,
    /// How many bytes are free after the measured events.
    room: usize,
    /// How many units expressions may still use.
    pub units: u64,
    /// The limit for one value, in bytes.
    pub value: usize,
    /// How many events are measured. The others are not, because to measure costs as much as to
    /// write.
    measured: usize,
    /// An upper bound for the bytes of the events that are not measured.
    at_most: usize,
    /// The only events that may follow, if the decision is split like a recorded one.
    at_once: Option<BTreeSet<Name>>,
    /// The steps that an operator retries, and that have no next attempt yet.
    pub to_retry: BTreeSet<StepId>,
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
    /// See [`super::decide_split_like`] for `at_once`.
    pub fn about(state: &Order, at: Timestamp, limits: Limits, at_once: Option<&[Event]>) -> Self {
        // If this clock is behind that of the last decision, the order of times in the history must
        // stay.
        let mut decision = Self::of(state.clone(), at.max(state.updated_at), limits, at_once);
        decision.request_retries(state.to_retry.clone());
        decision
    }

    /// The first decision about an order.
    pub fn beginning(state: Order, placed: Event, limits: Limits, at_once: Option<&[Event]>) -> Self {
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
    pub fn request_retries(&mut self, steps: BTreeSet<StepId>) {
        self.room = self.room.saturating_sub(json_size(&steps));
        self.to_retry = steps;
    }

    pub fn record(&mut self, event: Event) -> Result<(), IllegalTransition> {
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
    pub fn follow(&mut self, event: Event) -> Result<(), IllegalTransition> {
        if self.is_split() {
            return Ok(());
        }
        if self.takes(&event) { self.record(event) } else { self.split() }
    }

    /// Whether there is room for this event.
    pub fn takes(&mut self, event: &Event) -> bool {
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
    pub fn spend(&mut self, units: u64) {
        self.units = self.units.saturating_sub(units);
    }

    /// Splits the decision when expressions have used all units, but only after its first event, so
    /// that every decision makes progress.
    pub fn split_if_spent(&mut self) -> Result<(), IllegalTransition> {
        if self.units == 0 && !self.events.is_empty() && !self.is_split() {
            self.split()?;
        }
        Ok(())
    }

    /// Whether the decision failed the order, or has no room left.
    pub fn starts_nothing_more(&self) -> bool {
        self.is_split() || matches!(self.events.last(), Some(Event::StepFailed(e)) if !e.misconfigured)
    }

    /// Whether the decision is split: the rest is for the next one.
    pub fn is_split(&self) -> bool {
        matches!(self.events.last(), Some(Event::DecisionSplit(_)))
    }
}

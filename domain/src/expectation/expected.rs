//! When an order and its open steps are expected to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use super::estimates::Estimates;
use super::key::{EstimateKey, Part};
use crate::Timestamp;
use crate::ids::StepId;
use crate::order::{Direction, Order, Phase, StepState};

/// When an order and its open steps are expected to end, in 95 of 100 cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The order; `None`: it has ended, is held, is being undone, or nothing is known yet.
    pub order: Option<Timestamp>,
    /// The open steps of which something is known.
    pub steps: BTreeMap<StepId, Timestamp>,
}

impl Expected {
    /// What is expected of an order in this state.
    pub fn of(order: &Order, estimates: &Estimates) -> Self {
        if order.ended() || !order.clock.runs() {
            return Self::default();
        }
        let open = order.steps.iter().filter(|(_, step)| step.stage.is_open_in(Direction::Do));
        let ends = |(id, step): (&StepId, &Arc<StepState>)| {
            let takes = estimates.bound(&EstimateKey::of(order, id, Part::Step))?;
            Some((id.clone(), order.clock.shows(step.begun_at.checked_add(&takes)?)?))
        };
        Self { order: end_of(order, estimates), steps: open.filter_map(ends).collect() }
    }

    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The step that began last says most about the rest of the order.
fn end_of(order: &Order, estimates: &Estimates) -> Option<Timestamp> {
    if order.phase != Phase::Forward {
        return None;
    }
    let mut begun: Vec<_> = order.steps.iter().filter(|(_, step)| step.mode.is_some()).collect();
    begun.sort_by_key(|(id, step)| (step.begun_at, *id));
    let since_steps = begun.into_iter().rev().map(|(id, step)| (id.as_str(), step.begun_at));
    let mut since_all = since_steps.chain(std::iter::once(("", TimeDelta::zero())));
    let (begun_at, rest) = since_all
        .find_map(|(id, begun_at)| Some((begun_at, estimates.bound(&EstimateKey::of(order, id, Part::Rest))?)))?;
    order.clock.shows(begun_at.checked_add(&rest)?)
}

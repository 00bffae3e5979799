//! What an event says about how long something took.

use chrono::TimeDelta;

use super::key::{EstimateKey, Part};
use crate::Timestamp;
use crate::order::{Basis, Direction, Event, Order, Stage, StepState};

/// How long something took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What took this long.
    pub key: EstimateKey,
    /// When it ended.
    pub at: Timestamp,
    /// The time that counts.
    pub took: TimeDelta,
}

/// The samples of an event, at most one of each key. `after` is the state after it.
pub fn samples(event: &Event, after: &Order) -> Vec<Sample> {
    match event {
        Event::StepCompleted(e) if e.direction == Direction::Do && e.basis != Basis::Assumption => {
            of_step(after, &e.step, e.at)
        }
        Event::StepFailed(e) if e.direction == Direction::Do => of_step(after, &e.step, e.at),
        Event::OrderCompleted(e) => of_order(after, e.at),
        Event::OrderPlaced(_)
        | Event::StepStarted(_)
        | Event::WaitStarted(_)
        | Event::StepAccepted(_)
        | Event::StepCompleted(_)
        | Event::StepAttemptFailed(_)
        | Event::StepFailed(_)
        | Event::StepSkipped(_)
        | Event::StatusChanged(_)
        | Event::OrderNoted(_)
        | Event::OperationRequested(_)
        | Event::RequestSettled(_)
        | Event::OrderPaused(_)
        | Event::OrderResumed(_)
        | Event::CompensationStarted(_)
        | Event::CompensationCompleted(_)
        | Event::OrderCanceled(_)
        | Event::OrderStuck(_)
        | Event::DecisionSplit(_) => Vec::new(),
    }
}

/// A step that has ended. While the clock of the order stands, it is not known how long the step
/// took by itself.
fn of_step(after: &Order, id: &str, at: Timestamp) -> Vec<Sample> {
    let ended = |step: &&StepState| {
        step.mode.is_some() && matches!(step.stage, Stage::Completed | Stage::Failed { .. }) && after.clock.runs()
    };
    let step = after.steps.get(id).map(AsRef::as_ref).filter(ended);
    step.map(|step| Sample {
        key: EstimateKey::of(after, id, Part::Step),
        at,
        took: after.clock.reading(at) - step.begun_at,
    })
    .into_iter()
    .collect()
}

/// An order that is completed: itself, and its rest after the beginning of each step.
fn of_order(after: &Order, at: Timestamp) -> Vec<Sample> {
    let whole = after.clock.reading(at);
    let rest = |(id, begun_at): (&str, TimeDelta)| Sample {
        key: EstimateKey::of(after, id, Part::Rest),
        at,
        took: whole - begun_at,
    };
    let begun = after.steps.iter().filter(|(_, step)| step.mode.is_some());
    let steps = begun.map(|(id, step)| (id.as_str(), step.begun_at));
    std::iter::once(("", TimeDelta::zero())).chain(steps).map(rest).collect()
}

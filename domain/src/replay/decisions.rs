//! Where one decision ends and the next begins.

use super::Recorded;
use crate::ids::StepId;
use crate::order::{Direction, Event};

/// How many of these events were decided together with the first.
pub(super) fn length(history: &[Recorded]) -> usize {
    let Some((first, rest)) = history.split_first() else { return 0 };
    1 + rest.iter().take_while(|next| follows(first, next)).count()
}

/// Everything in a decision is caused by its first event. So is the answer to an attempt that was the first event itself; but
/// nothing is answered in the decision that asked for it.
fn follows(first: &Recorded, next: &Recorded) -> bool {
    next.metadata.causation_id == Some(first.id) && !answers(&first.event, &next.event)
}

fn answers(asked: &Event, next: &Event) -> bool {
    matches!((turn(asked), turn(next)), (Some((of, way, true)), Some((about, back, false))) if (of, way) == (about, back))
}

/// Which step somebody is asked about, or answers about, in which direction; and whether it is asked.
fn turn(event: &Event) -> Option<(&StepId, Direction, bool)> {
    match event {
        Event::StepStarted(e) => Some((&e.step, e.direction, true)),
        Event::WaitStarted(e) => Some((&e.step, Direction::Do, true)),
        Event::StepAccepted(e) => Some((&e.step, e.direction, false)),
        Event::StepCompleted(e) => Some((&e.step, e.direction, false)),
        Event::StepAttemptFailed(e) => Some((&e.step, e.direction, false)),
        Event::StepFailed(e) => Some((&e.step, e.direction, false)),
        Event::OrderPlaced(_)
        | Event::StepSkipped(_)
        | Event::StatusChanged(_)
        | Event::OrderPaused(_)
        | Event::OrderResumed(_)
        | Event::CompensationStarted(_)
        | Event::CompensationCompleted(_)
        | Event::OrderCompleted(_)
        | Event::OrderCanceled(_)
        | Event::OrderStuck(_)
        | Event::DecisionSplit(_) => None,
    }
}

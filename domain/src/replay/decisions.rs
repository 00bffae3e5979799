//! Where one decision ends and the next one begins.

use super::Recorded;
use crate::ids::StepId;
use crate::order::{Direction, Event};

/// How many of these events belong to the decision of the first.
pub(super) fn length(history: &[Recorded]) -> usize {
    let Some((first, rest)) = history.split_first() else { return 0 };
    1 + rest.iter().take_while(|next| follows(first, next)).count()
}

/// The first event of a decision causes its other events. It also causes the answer to an attempt
/// that it started, but that answer is another decision.
fn follows(first: &Recorded, next: &Recorded) -> bool {
    next.metadata.causation_id == Some(first.id) && !answers(&first.event, &next.event)
}

fn answers(request: &Event, next: &Event) -> bool {
    matches!((turn(request), turn(next)), (Some((of, way, true)), Some((about, back, false))) if (of, way) == (about, back))
}

/// The step and direction of a request or an answer, and whether it is the request.
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
        | Event::OrderNoted(_)
        | Event::OperationRequested(_)
        | Event::RequestSettled(_)
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

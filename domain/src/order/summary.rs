//! One plain sentence for each event: what a timeline shows to people.

use super::event::{Direction, Event, Mode, StepCompleted, StepStarted};

/// What happened, in a sentence without a full stop.
pub fn summary(event: &Event) -> String {
    match event {
        Event::OrderPlaced(e) => {
            let pieces = if e.lines.len() == 1 { "1 line".to_owned() } else { format!("{} lines", e.lines.len()) };
            format!("Placed by customer {}: {pieces}, {} {}", e.customer_id, e.total, e.currency)
        }
        Event::StepStarted(e) => started(e),
        Event::StepAccepted(e) => {
            format!("{}: accepted, the answer is due by {}", e.step, e.deadline.format("%F %T UTC"))
        }
        Event::StepCompleted(e) => completed(e),
        Event::StepAttemptFailed(e) => {
            format!(
                "{}: attempt {} failed: {}; again at {}",
                name(&e.step, e.direction),
                e.attempt,
                e.error,
                e.retry_at.format("%T%.3f")
            )
        }
        Event::StepFailed(e) => format!("{}: failed for good: {}", name(&e.step, e.direction), e.error),
        Event::StepSkipped(e) => format!("{}: skipped, because {}", e.step, e.because),
        Event::StatusChanged(e) => format!("The order is {}", e.status),
        Event::CompensationStarted(e) => format!("The order cannot be kept and is being undone: {}", e.because),
        Event::CompensationCompleted(_) => "Everything that was done is undone".to_owned(),
        Event::OrderCompleted(_) => "The order is completed".to_owned(),
        Event::OrderCanceled(_) => "The order is canceled".to_owned(),
        Event::OrderStuck(e) => format!("The order is stuck and needs a person: {}", e.reason),
    }
}

fn started(e: &StepStarted) -> String {
    let verb = match (e.direction, e.mode) {
        (Direction::Do, Mode::Request) => "requesting",
        (Direction::Do, Mode::Call) | (Direction::Undo, _) => "calling",
    };
    let again = if e.attempt == 1 { String::new() } else { format!(", attempt {}", e.attempt) };
    format!("{}: {verb} {}.{}{again}", name(&e.step, e.direction), e.participant, e.action)
}

fn completed(e: &StepCompleted) -> String {
    let more = if e.open_until.is_some() { ", more to come" } else { "" };
    format!("{}: {}{more}", name(&e.step, e.direction), e.outcome)
}

fn name(step: &str, direction: Direction) -> String {
    match direction {
        Direction::Do => step.to_owned(),
        Direction::Undo => format!("undo of {step}"),
    }
}

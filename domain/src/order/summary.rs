//! One plain sentence for each event: what a timeline shows to people.

use super::event::{Basis, Direction, Event, Mode, StepCompleted, StepStarted, WaitStarted};

/// What happened, in a sentence without a full stop.
pub fn summary(event: &Event) -> String {
    match event {
        Event::OrderPlaced(e) => {
            let pieces = if e.lines.len() == 1 { "1 line".to_owned() } else { format!("{} lines", e.lines.len()) };
            format!("Placed by customer {}: {pieces}, {} {}", e.customer_id, e.total, e.currency)
        }
        Event::StepStarted(e) => started(e),
        Event::WaitStarted(e) => waiting(e),
        Event::StepAccepted(e) => {
            let name = name(&e.step, e.direction);
            format!("{name}: accepted, the answer is due by {}", e.deadline.format("%F %T UTC"))
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
        Event::OrderPaused(_) => "The order is paused".to_owned(),
        Event::OrderResumed(_) => "The order goes on".to_owned(),
        Event::CompensationStarted(e) if e.step.is_none() => format!("The order is being undone: {}", e.because),
        Event::CompensationStarted(e) => format!("The order cannot be kept and is being undone: {}", e.because),
        Event::CompensationCompleted(_) => "Everything that was done is undone".to_owned(),
        Event::OrderCompleted(_) => "The order is completed".to_owned(),
        Event::OrderCanceled(_) => "The order is canceled".to_owned(),
        Event::OrderStuck(e) => format!("The order is stuck and needs a person: {}", e.reason),
    }
}

fn started(e: &StepStarted) -> String {
    let verb = if e.mode == Mode::Request { "requesting" } else { "calling" };
    let again = if e.attempt == 1 { String::new() } else { format!(", attempt {}", e.attempt) };
    format!("{}: {verb} {}.{}{again}", name(&e.step, e.direction), e.participant, e.action)
}

fn waiting(e: &WaitStarted) -> String {
    let until = e.deadline.format("%F %T UTC");
    match &e.awaits {
        Some(what) => format!("{}: waiting for {what}, until {until}", e.step),
        None => format!("{}: waiting until {until}", e.step),
    }
}

fn completed(e: &StepCompleted) -> String {
    let more = if e.open_until.is_some() { ", more to come" } else { "" };
    let basis = match e.basis {
        Basis::Answer => "",
        Basis::Assumption => ", as an operator assumes",
        Basis::Deadline => ", as time has come",
    };
    format!("{}: {}{more}{basis}", name(&e.step, e.direction), e.outcome)
}

fn name(step: &str, direction: Direction) -> String {
    match direction {
        Direction::Do => step.to_owned(),
        Direction::Undo => format!("undo of {step}"),
    }
}

//! One plain sentence for each event. A timeline shows it to people who know the shop, so it names
//! nothing of the machinery.
//!
//! A sentence begins with the step, as the workflow names it. Names of actions and outcomes are
//! shown as words. What only workflow authors need (a guard, for example) is in the event's data,
//! and in `tenuto replay`. Users and golden files know these sentences, so their wording stays.

use super::event::{
    Basis, Direction, Event, Mode, OperationRequested, RequestSettled, Settlement, StepAttemptFailed, StepCompleted,
    StepSkipped, StepStarted, WaitStarted,
};

/// An event in a sentence without a full stop.
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
            format!("{name}: taken on, to be answered by {}", e.deadline.format("%F %T UTC"))
        }
        Event::StepCompleted(e) => completed(e),
        Event::StepAttemptFailed(e) => attempt_failed(e),
        Event::StepFailed(e) if e.unsent => format!("{}: waits for a person: {}", name(&e.step, e.direction), e.error),
        Event::StepFailed(e) if e.misconfigured => {
            format!("{}: failed by a mistake that a person has to mend: {}", name(&e.step, e.direction), e.error)
        }
        Event::StepFailed(e) => format!("{}: failed for good: {}", name(&e.step, e.direction), e.error),
        Event::StepSkipped(e) => skipped(e),
        Event::StatusChanged(e) => format!("The order is {}", e.status),
        Event::OrderNoted(_) => "An operator left a note".to_owned(),
        Event::OperationRequested(e) => requested(e),
        Event::RequestSettled(e) => settled(e),
        Event::OrderPaused(_) => "The order is put on hold".to_owned(),
        Event::OrderResumed(_) => "The order goes on".to_owned(),
        Event::CompensationStarted(e) if e.step.is_none() => format!("The order is being undone: {}", e.because),
        Event::CompensationStarted(e) => format!("The order cannot be kept and is being undone: {}", e.because),
        Event::CompensationCompleted(_) => "Everything that was done is undone".to_owned(),
        Event::OrderCompleted(e) => match &e.result_error {
            Some(error) => format!("The order is completed; its result has no value: {error}"),
            None => "The order is completed".to_owned(),
        },
        Event::OrderCanceled(_) => "The order is canceled".to_owned(),
        Event::DecisionSplit(_) => "What follows is too much to record at once, and is recorded in parts".to_owned(),
        Event::OrderStuck(e) => format!("The order is stuck and needs a person: {}", e.reason),
    }
}

fn requested(e: &OperationRequested) -> String {
    let step = e.operation.step().map(|step| format!(" {step}")).unwrap_or_default();
    format!("{} asks to {}{step}, which a second person has to approve", e.requested_by, e.operation.as_str())
}

fn settled(e: &RequestSettled) -> String {
    match e.how {
        Settlement::Approved => format!("A second person approved request {}", e.request),
        Settlement::Declined => format!("A second person declined request {}", e.request),
        Settlement::Withdrawn => format!("Request {} is withdrawn", e.request),
        Settlement::Expired => format!("Request {} was not approved in time", e.request),
    }
}

fn started(e: &StepStarted) -> String {
    let again = if e.attempt == 1 { String::new() } else { format!(" again (attempt {})", e.attempt) };
    format!("{}: {} is asked to {}{again}", name(&e.step, e.direction), e.participant, words(&e.action))
}

fn waiting(e: &WaitStarted) -> String {
    let until = e.deadline.format("%F %T UTC");
    match (&e.awaits, e.mode) {
        (Some(what), _) => format!("{}: waiting for a person ({}), until {until}", e.step, words(what)),
        (None, Mode::Await) => format!("{}: waiting for a person, until {until}", e.step),
        (None, _) => format!("{}: waiting until {until}", e.step),
    }
}

fn completed(e: &StepCompleted) -> String {
    let (name, outcome) = (name(&e.step, e.direction), words(&e.outcome));
    let more = if e.open_until.is_some() { " for now; more is to follow" } else { "" };
    match e.basis {
        Basis::Answer if e.outcome == "done" && more.is_empty() => format!("{name}: done"),
        Basis::Answer => format!("{name}: answered {outcome:?}{more}"),
        Basis::Assumption => format!("{name}: skipped by an operator, and taken for {outcome:?}{more}"),
        Basis::Deadline if e.outcome == "elapsed" => format!("{name}: the wait is over"),
        Basis::Deadline => format!("{name}: not answered in time, and so taken for {outcome:?}{more}"),
    }
}

fn attempt_failed(e: &StepAttemptFailed) -> String {
    let name = name(&e.step, e.direction);
    let next = if e.retry_at > e.at { format!("is at {}", e.retry_at.format("%T%.3f")) } else { "is now".to_owned() };
    if e.unsent {
        return format!("{name}: attempt {} was not sent: {}; the next try {next}", e.attempt, e.error);
    }
    let failed = if e.misconfigured { "failed by a mistake that a person has to mend" } else { "failed" };
    format!("{name}: attempt {} {failed}: {}; the next {next}", e.attempt, e.error)
}

/// Only workflow authors need the guard.
fn skipped(e: &StepSkipped) -> String {
    match e.because.strip_suffix(" was skipped") {
        Some(before) => format!("{}: not needed either, like {before}", e.step),
        None => format!("{}: not needed for this order", e.step),
    }
}

fn name(step: &str, direction: Direction) -> String {
    match direction {
        Direction::Do => step.to_owned(),
        Direction::Undo => format!("undo of {step}"),
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

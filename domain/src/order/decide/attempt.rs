//! How a step starts (an attempt or a wait), and when its next attempt is due.

use std::time::Duration;

use chrono::TimeDelta;

use super::decision::Decision;
use crate::Timestamp;
use crate::order::event::{Direction, Event, Mode, StepStarted, WaitStarted};
use crate::order::personal::Recorded;
use crate::order::state::Stage;
use crate::workflow::{ActionRef, Retry, Step, Workflow};

/// How much slower retries after a mistake are: a person has to correct it first.
const SLOWER: f64 = 10.0;
/// The limit for a participant's `Retry-After`.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The event that starts an attempt; `None` if the step has no undo.
pub(super) fn started(
    workflow: &Workflow,
    step: &Step,
    direction: Direction,
    attempt: u32,
    input: Option<Recorded>,
    decision: &Decision,
) -> Option<Event> {
    let ActionRef { participant, action } = match direction {
        Direction::Do => step.action.as_ref()?,
        Direction::Undo => step.undo.as_ref()?,
    };
    let mode = match direction {
        Direction::Do => step.mode,
        Direction::Undo if workflow.is_reached_by_events(participant) => Mode::Request,
        Direction::Undo => Mode::Call,
    };
    let (input, placeholders) = input.map_or((None, None), |input| (Some(input.value), input.placeholders));
    Some(Event::StepStarted(StepStarted {
        step: step.id.clone(),
        direction,
        attempt,
        participant: participant.clone(),
        action: action.clone(),
        mode,
        input,
        placeholders,
        new_key: attempt > 1 && is_surely_undone(decision, step),
        deadline: later(decision.at, step.exchange_timeout),
        at: decision.at,
    }))
}

/// Whether a concluded request that is tried again certainly did nothing. Then it gets another key.
fn is_surely_undone(decision: &Decision, step: &Step) -> bool {
    decision.state.steps.get(&step.id).is_some_and(|known| {
        matches!(known.stage, Stage::Failed { .. } | Stage::Held { .. } | Stage::UndoFailed) && !known.unsure
    })
}

/// The event that starts a wait.
pub(super) fn waiting(step: &Step, input: Recorded, decision: &Decision) -> Event {
    Event::WaitStarted(WaitStarted {
        step: step.id.clone(),
        mode: step.mode,
        awaits: step.awaits.clone(),
        input: (!step.with.is_empty()).then_some(input.value),
        placeholders: input.placeholders,
        deadline: later(decision.at, step.answer_timeout),
        at: decision.at,
    })
}

/// When to try again, from [`max_wait`] or [`max_slow_wait`]: exponential back-off with "equal
/// jitter" (half of the wait is fixed, half is random; M. Brooker, "Exponential Backoff And
/// Jitter", 2015), but never before the participant's `Retry-After`.
pub(super) fn retry_at(
    longest: f64,
    retry: &Retry,
    retry_after: Option<Duration>,
    jitter: f64,
    at: Timestamp,
) -> Timestamp {
    let spread = Duration::try_from_secs_f64(longest * (0.5 + 0.5 * jitter.clamp(0.0, 1.0))).unwrap_or(retry.max);
    later(at, spread.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)))
}

/// An error, with the participant's `Retry-After` if that exceeds the limit.
pub(super) fn with_wait_asked_for(error: &str, retry_after: Option<Duration>, at: Timestamp) -> String {
    let Some(requested_wait) = retry_after.filter(|requested_wait| *requested_wait > MAX_RETRY_AFTER) else {
        return error.to_owned();
    };
    let until =
        TimeDelta::from_std(requested_wait).ok().and_then(|requested_wait| at.checked_add_signed(requested_wait));
    let until = until.map_or_else(|| "for ever".to_owned(), |until| until.format("until %F %T UTC").to_string());
    format!("{error}; it asks to wait {until}, and is asked again after 24 hours")
}

/// The wait after `failures` failures, in seconds. Jitter shortens it by at most half.
pub(crate) fn max_wait(retry: &Retry, failures: u32) -> f64 {
    let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    (retry.initial.as_secs_f64() * retry.factor.powi(exponent)).min(retry.max.as_secs_f64())
}

/// The wait after a mistake.
pub(crate) fn max_slow_wait(retry: &Retry, failures: u32) -> f64 {
    (SLOWER * max_wait(retry, failures)).min(retry.max.as_secs_f64())
}

/// The time after a wait, in whole milliseconds, rounded up.
pub(super) fn later(at: Timestamp, wait: Duration) -> Timestamp {
    let milliseconds = i64::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i64::MAX);
    TimeDelta::try_milliseconds(milliseconds).and_then(|wait| at.checked_add_signed(wait)).unwrap_or(Timestamp::MAX_UTC)
}

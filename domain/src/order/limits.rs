//! The limits of one decision: what the log takes in one append.
//!
//! The own effect of a command is small, because every input is bounded. Its consequences may be
//! large: eight steps that start together may each get the order's lines. So a decision records as
//! many as fit, and the rest is the next decision ([`DecisionSplit`](super::DecisionSplit)). A
//! single value that is too large fails its step.

use serde::Serialize;
use serde_json::Value;

use super::event::Event;
use crate::wire;

/// The limits of one decision, in bytes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All events of a decision, by [`size`](Limits::size).
    pub decision: usize,
    /// The input of one step, or the result of an order, as JSON. One such value fits into a
    /// decision.
    pub value: usize,
    /// The budget of all expressions of a decision, in units. What exceeds it is the next decision.
    pub units: u64,
}

impl Limits {
    /// What every log takes: `EventStoreDB` takes 1 MiB in one append by default. The rest of that
    /// is for actors and reasons, and for the growth of personal data by sealing.
    pub const LOG: Self = Self { decision: 1_000_000, value: 960_000, units: 2_000_000 };
    /// No limits, as for histories from before limits existed.
    pub const NONE: Self = Self { decision: usize::MAX, value: usize::MAX, units: u64::MAX };

    /// An upper bound for the bytes of an event in the log, without actor and reason.
    pub fn size(event: &Event) -> usize {
        wire::data_size(event) + ENVELOPE
    }

    /// An upper bound for [`size`](Self::size), from the lengths of texts, without writing the
    /// event.
    pub(crate) fn bound(event: &Event) -> usize {
        /// Names of fields, numbers, times, marks, and short fixed words.
        const FIELDS: usize = 400;
        let input_bound = |input: &Option<Value>| input.as_ref().map_or(0, json_bound);
        let placeholders = event.placeholders().map_or(0, json_size);
        let varies = match event {
            Event::OrderPlaced(_) | Event::OperationRequested(_) => return Self::size(event),
            Event::StepStarted(e) => texts([&e.step, &e.participant, &e.action]) + input_bound(&e.input),
            Event::WaitStarted(e) => text(&e.step) + texts(&e.awaits) + input_bound(&e.input),
            Event::StepAccepted(e) => text(&e.step),
            Event::StepCompleted(e) => texts([&e.step, &e.outcome]) + texts(&e.answer_key) + json_bound(&e.data),
            Event::StepAttemptFailed(e) => texts([&e.step, &e.error]),
            Event::StepFailed(e) => texts([&e.step, &e.error]) + texts(&e.answer_key),
            Event::StepSkipped(e) => texts([&e.step, &e.because]),
            Event::StatusChanged(e) => texts([&e.status, &e.step]),
            Event::CompensationStarted(e) => texts(&e.step) + text(&e.because),
            Event::OrderCompleted(e) => json_bound(&e.result) + texts(&e.result_error),
            Event::OrderStuck(e) => texts([&e.step, &e.reason]),
            Event::OrderNoted(_)
            | Event::RequestSettled(_)
            | Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCanceled(_) => 0,
            Event::DecisionSplit(e) => texts(&e.retry),
        };
        ENVELOPE + FIELDS + placeholders + varies
    }
}

/// The bytes of an event around its data: id, type and metadata.
const ENVELOPE: usize = 640;

/// An upper bound for a text as JSON: quotes, and six bytes for an escaped character.
fn text(text: &str) -> usize {
    text.len().saturating_mul(6) + 2
}

fn texts<'t>(all: impl IntoIterator<Item = &'t String>) -> usize {
    all.into_iter().map(|one| text(one)).sum()
}

/// An upper bound for the bytes of a value as JSON.
pub(crate) fn json_bound(value: &Value) -> usize {
    /// The longest number.
    const NUMBER: usize = 32;
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => NUMBER,
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().map(|item| json_bound(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| text(name) + json_bound(field) + 2).sum::<usize>() + 2
        }
    }
}

/// The bytes of a value as JSON.
pub(crate) fn json_size(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // To count cannot fail, and a value that cannot be written is refused when it is written.
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX / 2,
    }
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

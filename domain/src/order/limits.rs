//! How much one decision may hold: what the log takes in one append.
//!
//! What a command itself does is small, since all that comes in is bounded at the door. What follows from it need not be small:
//! eight steps that start together may each get the order's lines. So what follows is recorded as far as it fits, and the rest
//! is for the next decision ([`DecisionSplit`](super::DecisionSplit)). A single value that is too large fails where it is made.

use serde::Serialize;
use serde_json::Value;

use super::event::Event;
use crate::wire;

/// How much one decision may hold, in bytes as the log counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All events of a decision, by [`size`](Limits::size).
    pub decision: usize,
    /// The input of one step, or the result of an order, as JSON. One such value fits into a decision.
    pub value: usize,
    /// What the expressions of a decision may take, in units of their budget, before the rest is for the next decision.
    pub units: u64,
}

impl Limits {
    /// What every log takes: `EventStoreDB` takes 1 MiB in one append, unless it is configured for more. What is left of that is for
    /// who acted and why, and for what personal data grow by when they are sealed.
    pub const LOG: Self = Self { decision: 1_000_000, value: 960_000, units: 2_000_000 };
    /// No limits: histories from before there were any were decided so.
    pub const NONE: Self = Self { decision: usize::MAX, value: usize::MAX, units: u64::MAX };

    /// What an event takes in the log, at most; who acted and why left out.
    pub fn size(event: &Event) -> usize {
        wire::data_size(event) + ENVELOPE
    }

    /// No less than [`size`](Self::size), and found without writing the event: by how long its texts are.
    pub(crate) fn bound(event: &Event) -> usize {
        /// Names of fields, numbers, times, marks, and short words of our own.
        const FIELDS: usize = 400;
        let told = |input: &Option<Value>| input.as_ref().map_or(0, json_bound);
        let placeholders = event.placeholders().map_or(0, json_size);
        let varies = match event {
            Event::OrderPlaced(_) => return Self::size(event),
            Event::StepStarted(e) => texts([&e.step, &e.participant, &e.action]) + told(&e.input),
            Event::WaitStarted(e) => text(&e.step) + texts(&e.awaits) + told(&e.input),
            Event::StepAccepted(e) => text(&e.step),
            Event::StepCompleted(e) => texts([&e.step, &e.outcome]) + texts(&e.answer_key) + json_bound(&e.data),
            Event::StepAttemptFailed(e) => texts([&e.step, &e.error]),
            Event::StepFailed(e) => texts([&e.step, &e.error]) + texts(&e.answer_key),
            Event::StepSkipped(e) => texts([&e.step, &e.because]),
            Event::StatusChanged(e) => texts([&e.status, &e.step]),
            Event::CompensationStarted(e) => texts(&e.step) + text(&e.because),
            Event::OrderCompleted(e) => json_bound(&e.result) + texts(&e.result_error),
            Event::OrderStuck(e) => texts([&e.step, &e.reason]),
            Event::OrderPaused(_)
            | Event::OrderResumed(_)
            | Event::CompensationCompleted(_)
            | Event::OrderCanceled(_) => 0,
            Event::DecisionSplit(e) => texts(&e.retry),
        };
        ENVELOPE + FIELDS + placeholders + varies
    }
}

/// What an event takes besides its data: id, type and metadata.
const ENVELOPE: usize = 640;

/// What a text takes as JSON, at most: quotes, and six bytes for a character that has to be escaped.
fn text(text: &str) -> usize {
    text.len().saturating_mul(6) + 2
}

fn texts<'t>(all: impl IntoIterator<Item = &'t String>) -> usize {
    all.into_iter().map(|one| text(one)).sum()
}

/// How many bytes a value has as JSON, at most.
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

/// How many bytes a value has as JSON.
pub(crate) fn json_size(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // Counting cannot fail, and what cannot be written is refused when it is.
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

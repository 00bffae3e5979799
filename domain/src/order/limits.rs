//! How much one decision may hold: what the log takes in one append.
//!
//! What a command itself does is small by construction, since all that comes in is bounded at the door. What follows from it need not be:
//! eight steps that start together are each told the order's lines. So what follows is recorded as far as it fits, and the rest is
//! for the next decision ([`DecisionSplit`](super::DecisionSplit)); a single value that fits nowhere fails where it came to be.

use serde::Serialize;

use super::event::Event;
use crate::wire;

/// How much one decision may hold, in bytes as the log counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All events of a decision, by [`size`](Limits::size).
    pub decision: usize,
    /// What one step is told, or what an order gives back, as JSON. One such value fits into a decision.
    pub value: usize,
    /// What the expressions of a decision may take, in units of their budget, before the rest is for the next decision.
    pub units: u64,
}

impl Limits {
    /// What every log takes: `EventStoreDB` takes 1 MiB in one append, unless it is configured for more. What is left of that is for
    /// who acted and why, and for what personal data grow by when they are sealed.
    pub const LOG: Self = Self { decision: 1_000_000, value: 960_000, units: 2_000_000 };
    /// None: histories from before there were limits were decided so.
    pub const NONE: Self = Self { decision: usize::MAX, value: usize::MAX, units: u64::MAX };

    /// What an event takes in the log, at most; who acted and why left out.
    pub fn size(event: &Event) -> usize {
        /// Id, type and metadata.
        const ENVELOPE: usize = 640;
        wire::data_size(event) + ENVELOPE
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

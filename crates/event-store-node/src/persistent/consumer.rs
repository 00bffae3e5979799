//! A consumer of a group.

use super::measure::Measure;

pub(crate) type ConsumerId = u64;

/// A consumer's address and its own name for itself.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerName {
    pub(crate) from: String,
    pub(crate) name: String,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    pub(super) from: String,
    /// The consumer's own name for itself.
    pub(super) name: String,
    /// How many events it accepts at a time.
    pub(super) slots: usize,
    pub(super) in_flight: usize,
    pub(super) measure: Measure,
}

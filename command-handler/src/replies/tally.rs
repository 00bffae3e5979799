//! What became of the replies, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts replies, since this process began. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct ReplyTally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    recorded: AtomicU64,
    dropped: AtomicU64,
    parked: AtomicU64,
}

/// How many replies came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Their orders have them, from now or from before.
    pub recorded: u64,
    /// They came late, or again, and would change nothing about their orders.
    pub dropped: u64,
    /// They cannot be taken, or contradict what is on record, and are set aside.
    pub parked: u64,
}

impl ReplyTally {
    /// How many so far.
    pub fn now(&self) -> Taken {
        let Counts { recorded, dropped, parked } = &*self.0;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Taken { recorded: count(recorded), dropped: count(dropped), parked: count(parked) }
    }

    pub(super) fn recorded(&self) {
        self.0.recorded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn parked(&self) {
        self.0.parked.fetch_add(1, Ordering::Relaxed);
    }
}

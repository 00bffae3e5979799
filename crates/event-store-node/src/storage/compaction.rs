//! Compaction that can be stopped.
//!
//! The engine compacts all tables of a keyspace in one call that cannot be stopped. But it calls a
//! filter for each row, and gives up if the filter returns an error. So our filter keeps every row,
//! and returns an error once the compaction of its thread has to stop. The tables are then
//! unchanged.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use fjall::LsmError;
use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};

/// How many rows are compacted before it checks whether it has to stop.
const ROWS: u32 = 1024;

/// Whether a compaction has to stop.
pub(crate) type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

thread_local! {
    /// The stop signal of the compaction on this thread. The engine's own compactions have none.
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// Runs a compaction that can be stopped.
pub(super) fn stoppable<T>(stop: &Stop, compact: impl FnOnce() -> T) -> T {
    /// Clears the thread's `STOP`, also after a panic in the engine.
    struct Leaves;

    impl Drop for Leaves {
        fn drop(&mut self) {
            STOP.set(None);
        }
    }

    STOP.set(Some(stop.clone()));
    let _leaves = Leaves;
    compact()
}

/// Creates the filter of each compaction.
pub(super) struct Stoppable;

impl Factory for Stoppable {
    fn name(&self) -> &'static str {
        "stoppable"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(UntilStopped { stop: STOP.with_borrow(Clone::clone), rows: 0 })
    }
}

struct UntilStopped {
    stop: Option<Stop>,
    /// How many rows were compacted since the last check.
    rows: u32,
}

impl CompactionFilter for UntilStopped {
    fn filter_item(&mut self, _: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        let Some(stop) = &self.stop else { return Ok(Verdict::Keep) };
        self.rows += 1;
        if self.rows == ROWS {
            self.rows = 0;
            if stop() {
                return Err(LsmError::Io(io::ErrorKind::Interrupted.into()));
            }
        }
        Ok(Verdict::Keep)
    }
}

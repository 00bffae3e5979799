//! Compaction that can be stopped.
//!
//! The engine compacts all tables of a keyspace in one call that cannot be stopped. But it calls a
//! filter for each row, and gives up if the filter returns an error. So our filter keeps every row,
//! and returns an error once the compaction of its thread has to stop. The tables are then
//! unchanged.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fjall::LsmError;
use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};

use super::{Storage, StorageError};

/// How long compaction waits until data in memory is on disk. The next compaction handles the rest.
const FLUSHING: Duration = Duration::from_secs(5);
/// How often it checks.
const FLUSH_CHECK_INTERVAL: Duration = Duration::from_millis(10);
/// How many rows are compacted before it checks whether it has to stop.
const ROWS: u32 = 1024;

/// Whether a compaction has to stop.
pub(crate) type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

thread_local! {
    /// The stop signal of the compaction on this thread. The engine's own compactions have none.
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

impl Storage {
    /// Frees the disk space of removed events. `false`: stopped before the end. Reads all tables,
    /// and may take long.
    pub(crate) fn compact(&self, stop: &Stop) -> Result<bool, StorageError> {
        let until = Instant::now() + FLUSHING;
        for keyspace in [&self.events, &self.revisions, &self.ids] {
            keyspace.rotate_memtable()?;
            // The engine's own wait for this never ends if its workers have stopped.
            while keyspace.sealed_memtable_count() > 0 && Instant::now() < until && !stop() {
                std::thread::sleep(FLUSH_CHECK_INTERVAL);
            }
            if stop() {
                return Ok(false);
            }
            match stoppable(stop, || keyspace.major_compact()) {
                Err(_) if stop() => return Ok(false),
                compacted => compacted?,
            }
        }
        Ok(true)
    }
}

/// Runs a compaction that can be stopped.
fn stoppable<T>(stop: &Stop, compact: impl FnOnce() -> T) -> T {
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

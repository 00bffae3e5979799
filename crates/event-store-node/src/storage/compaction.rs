//! Compaction that can be stopped.
//!
//! The engine compacts all tables of a keyspace in one call, which has no way to stop it. But it asks
//! a filter about each row, and gives up where that returns an error. So ours keeps every row, and
//! returns an error once the compaction of its thread has to stop. The tables are then as they were.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fjall::LsmError;
use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};

use super::{Storage, StorageError};

/// How long compaction waits for what is in memory to be on disk. The next one compacts the rest.
const FLUSHING: Duration = Duration::from_secs(5);
/// How often it looks.
const FLUSH_LOOK: Duration = Duration::from_millis(10);
/// Rows that are compacted before it looks whether it has to stop.
const ROWS: u32 = 1024;

/// Says whether a compaction has to stop.
pub(crate) type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

thread_local! {
    /// Of the compaction that this thread runs. The engine's own have none.
    static STOP: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

impl Storage {
    /// Gives the disk back what removed events took; `false`: it was stopped before its end. Reads
    /// all tables, and may take long.
    pub(crate) fn compact(&self, stop: &Stop) -> Result<bool, StorageError> {
        let until = Instant::now() + FLUSHING;
        for keyspace in [&self.events, &self.revisions, &self.ids] {
            keyspace.rotate_memtable()?;
            // The engine's own wait for this has no end where its workers have stopped.
            while keyspace.sealed_memtable_count() > 0 && Instant::now() < until && !stop() {
                std::thread::sleep(FLUSH_LOOK);
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

/// Runs a compaction that stops when it has to.
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

/// Makes the filter of each compaction.
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
    /// Since it last looked.
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

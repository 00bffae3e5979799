//! The figures of a node, at `/metrics`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::{Collector, Counters, DescriptorEncoder, FAST, Histograms, Metric, Page, Process, SIZES};

use super::change::{Failure, Outcome};
use super::reader::Reader;
use super::storage::{Batch, Event};

metrics::metrics! {
    POSITION: 0 = Metric::gauge("tenuto_node_position", [], "Position of the last event of the node's log");
    CHANGES: 1 = Metric::counter(
        "tenuto_node_changes",
        ["result"],
        "Changes that clients requested, mostly appends: ok, refused (another revision, or a deleted stream), failed \
         (the disk) or no_room (nearly full)",
    );
    EVENTS: 0 = Metric::counter("tenuto_node_events_written", [], "Events that are on disk");
    BYTES: 0 = Metric::counter("tenuto_node_written_bytes", [], "Data and metadata of the events that are on disk");
    SYNC_TIME: 0 = Metric::histogram(
        "tenuto_node_sync_duration_seconds",
        [],
        "Time to write and sync a group of changes: its count is the number of syncs",
    );
    GROUP_SIZE: 0 = Metric::histogram("tenuto_node_group_changes", [], "Changes that went to disk together");
    DISK_FREE: 0 = Metric::gauge("tenuto_node_disk_free_bytes", [], "Free space on the disk of the log");
    DISK_KEPT: 0 = Metric::gauge(
        "tenuto_node_disk_kept_free_bytes",
        [],
        "The free space below which the node refuses changes",
    );
    FULL: 0 = Metric::gauge("tenuto_node_disk_full", [], "1 while the node refuses changes for lack of space");
}

/// What the writer of a node counts.
#[derive(Debug)]
pub(crate) struct Figures {
    changes: Counters<1>,
    events: Counters<0>,
    bytes: Counters<0>,
    sync_time: Histograms<0>,
    group_size: Histograms<0>,
    is_full: AtomicBool,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            changes: Counters::new(&CHANGES),
            events: Counters::new(&EVENTS),
            bytes: Counters::new(&BYTES),
            sync_time: Histograms::new(&SYNC_TIME, FAST),
            group_size: Histograms::new(&GROUP_SIZE, SIZES),
            is_full: AtomicBool::new(false),
        }
    }
}

impl Figures {
    /// A group of so many changes is on disk, after this time.
    pub fn synced(&self, changes: usize, batch: &Batch, took: Duration) {
        let size = |(_, event): &(_, Arc<Event>)| event.record.data.len() + event.record.metadata.len();
        self.events.add([], batch.events.len() as u64);
        self.bytes.add([], batch.events.iter().map(size).sum::<usize>() as u64);
        self.sync_time.observe([], took.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a group is small")]
        self.group_size.observe([], changes as f64);
    }

    /// A change was answered.
    pub fn answered(&self, answer: &Result<Outcome, Failure>) {
        let result = match answer {
            Ok(Ok(_)) => "ok",
            Ok(Err(_)) => "refused",
            Err(Failure::NoRoom(_)) => "no_room",
            Err(_) => "failed",
        };
        self.changes.add_one([result]);
    }

    /// Whether changes are refused for lack of space.
    pub fn is_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }
}

/// A node, for its metrics.
#[derive(Clone)]
pub(crate) struct Measured {
    pub figures: Arc<Figures>,
    pub reader: Reader,
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").finish_non_exhaustive()
    }
}

impl Collector for Measured {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Figures { changes, events, bytes, sync_time, group_size, is_full } = &*self.figures;
        POSITION.write(&mut encoder, self.reader.head())?;
        changes.encode(&mut encoder)?;
        events.encode(&mut encoder)?;
        bytes.encode(&mut encoder)?;
        sync_time.encode(&mut encoder)?;
        group_size.encode(&mut encoder)?;
        if let Some(free) = self.reader.log.free() {
            DISK_FREE.write(&mut encoder, free)?;
        }
        DISK_KEPT.write(&mut encoder, self.reader.log.kept_free())?;
        FULL.write(&mut encoder, is_full.load(Ordering::Relaxed))
    }
}

/// The page of these figures.
pub(crate) fn page(measured: Measured) -> Page {
    Page::default().with(Process { version: env!("CARGO_PKG_VERSION") }).with(measured)
}

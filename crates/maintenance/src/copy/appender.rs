//! Appends events to the target, one stream at a time, so that `$all` keeps its order.

use std::collections::HashMap;

use event_store::{EventStore, Expected, Record, described_by};

use super::error::CopyError;

/// Neighbours of one stream are appended together, up to this many events or bytes. Servers accept
/// one MiB by default.
const MAX_EVENTS: usize = 256;
const MAX_BYTES: usize = 256 << 10;

/// Events of one stream that are not yet appended, and the number of those that are.
pub(super) struct Appender {
    waiting: Vec<Record>,
    bytes: usize,
    /// How many events of each metadata stream the target has.
    metadata_events: HashMap<String, u64>,
    pub appended: u64,
}

impl Appender {
    pub fn new(metadata_events: HashMap<String, u64>) -> Self {
        Self { waiting: Vec::new(), bytes: 0, metadata_events, appended: 0 }
    }

    /// Takes the next event.
    pub async fn add(&mut self, target: &EventStore, record: Record) -> Result<(), CopyError> {
        let size = record.event.data.len() + record.event.metadata.len();
        let is_full = self.waiting.len() >= MAX_EVENTS || self.bytes + size > MAX_BYTES;
        if is_full || self.waiting.first().is_some_and(|first| first.event.stream != record.event.stream) {
            self.flush(target).await?;
        }
        self.bytes += size;
        self.waiting.push(record);
        Ok(())
    }

    /// Appends what is waiting.
    pub async fn flush(&mut self, target: &EventStore) -> Result<(), CopyError> {
        let waiting = std::mem::take(&mut self.waiting);
        let Some(first) = waiting.first() else { return Ok(()) };
        let stream = first.event.stream.clone();
        let (count, revision) = (waiting.len() as u64, first.event.revision);
        let before = if described_by(&stream).is_some() {
            let known = self.metadata_events.entry(stream.clone()).or_default();
            std::mem::replace(known, *known + count)
        } else {
            revision
        };
        let expected = before.checked_sub(1).map_or(Expected::NoStream, Expected::Revision);
        let appended = target.append_copies(&stream, expected, &waiting).await;
        appended.map_err(|source| CopyError::Append { stream, source })?;
        self.appended += count;
        self.bytes = 0;
        Ok(())
    }
}

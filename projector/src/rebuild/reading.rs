//! Reads `$all` page by page, up to a position and not beyond.

use domain::views::stream_prefixes;
use event_store::{EventStore, Position, ReadError, RecordedEvent};

/// Events read at a time.
const PAGE: usize = 8_192;

/// How far the log has been read.
pub(super) struct Reading {
    log: EventStore,
    through: Option<Position>,
    events: u64,
}

impl Reading {
    /// After that position, or from the beginning.
    pub fn new(log: EventStore, after: Option<Position>) -> Self {
        Self { log, through: after, events: 0 }
    }

    /// Everything up to here has been read.
    pub fn through(&self) -> Option<Position> {
        self.through
    }

    /// How many events have been read.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The next events that make views, at most up to the target. There may be none although there are more behind.
    pub async fn next(&mut self, target: Position) -> Result<Vec<RecordedEvent>, ReadError> {
        if self.through >= Some(target) {
            return Ok(Vec::new());
        }
        let mut page = self.log.read_all(self.through, PAGE).await?;
        let is_last = page.len() < PAGE || page.last().is_some_and(|last| last.position >= target);
        // The position to read from is that of the last event before.
        page.retain(|event| Some(event.position) > self.through && event.position <= target);
        self.events += page.len() as u64;
        self.through =
            if is_last { Some(target) } else { page.last().map_or(self.through, |last| Some(last.position)) };
        let prefixes = stream_prefixes();
        page.retain(|event| prefixes.iter().any(|prefix| event.stream.starts_with(prefix.as_str())));
        Ok(page)
    }
}

//! Reads `$all` page by page, up to a position and not beyond.

use domain::views::stream_prefixes;
use event_store::{EventStore, Position, ReadError, RecordedEvent};

/// The number of events in a page.
const PAGE: usize = 8_192;

/// The pages of the log, and how far they were read.
pub(super) struct LogPages {
    log: EventStore,
    through: Option<Position>,
    events: u64,
}

impl LogPages {
    /// Begins after this position, or at the beginning of the log.
    pub fn new(log: EventStore, after: Option<Position>) -> Self {
        Self { log, through: after, events: 0 }
    }

    /// The position up to which all events were read.
    pub fn through(&self) -> Option<Position> {
        self.through
    }

    /// How many events were read.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The next events that are for the views, at most up to the target. A page may have none
    /// although later pages have some.
    pub async fn next(&mut self, target: Position) -> Result<Vec<RecordedEvent>, ReadError> {
        if self.through >= Some(target) {
            return Ok(Vec::new());
        }
        let mut page = self.log.read_all(self.through, PAGE).await?;
        let is_last = page.len() < PAGE || page.last().is_some_and(|last| last.position >= target);
        // A page begins with the event at the position that it is read from.
        page.retain(|event| Some(event.position) > self.through && event.position <= target);
        self.events += page.len() as u64;
        self.through =
            if is_last { Some(target) } else { page.last().map_or(self.through, |last| Some(last.position)) };
        let prefixes = stream_prefixes();
        page.retain(|event| prefixes.iter().any(|prefix| event.stream.starts_with(prefix.as_str())));
        Ok(page)
    }
}

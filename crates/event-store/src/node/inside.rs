//! The node, as code in its own process reaches it: the same rules and the same answers, without a wire in between.
//!
//! What is handed out holds nothing of the node. Once that is closing, calls are answered as on the wire: it is shutting
//! down.

#![expect(clippy::result_large_err, reason = "it answers in the words of its protocol")]

use std::sync::{Arc, Weak};

use tonic::Status;

use super::change::{Change, Failure, Intent, Outcome, Proposed};
use super::decision::Expected;
use super::filter::Filter;
use super::reader::Reader;
use super::service::{checked_name, checked_writable_name, refusal};
use super::storage::{Direction, Event, PageLimits, StreamPage};
use super::writer::Writer;

/// What the node hands out holds of: gone when it closes.
pub(super) struct Core {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) max_append_size: usize,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("max_append_size", &self.max_append_size).finish_non_exhaustive()
    }
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inside(Weak<Core>);

impl Inside {
    pub(super) fn of(core: &Arc<Core>) -> Self {
        Self(Arc::downgrade(core))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Appends all events or none, and answers once they are durable.
    pub(crate) async fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<Proposed>,
    ) -> Result<Outcome, Status> {
        let core = self.core()?;
        checked_writable_name(stream)?;
        if events.iter().map(Proposed::size).sum::<usize>() > core.max_append_size {
            return Err(refusal::too_large(core.max_append_size));
        }
        let intent = Intent { stream: stream.to_owned(), expected, change: Change::Append(events) };
        core.writer.change(intent).await.map_err(refusal::failed)
    }

    /// Up to `max` events of a stream, from a revision on, that one included; `None`: it was deleted for good.
    pub(crate) async fn read(
        &self,
        stream: &str,
        mut from: u64,
        direction: Direction,
        max: usize,
    ) -> Result<Option<Vec<Arc<Event>>>, Status> {
        let core = self.core()?;
        checked_name(stream)?;
        let mut read = Vec::new();
        while read.len() < max {
            let limits = PageLimits { events: max - read.len(), ..PageLimits::default() };
            let page = core.reader.stream_page(stream, from, direction, limits).await.map_err(refusal::unreadable)?;
            let (events, next) = match page {
                StreamPage::Deleted => return Ok(None),
                StreamPage::NotFound => break,
                StreamPage::Page { events, next, .. } => (events, next),
            };
            read.extend(events);
            let Some(next) = next else { break };
            from = next;
        }
        Ok(Some(read))
    }

    /// The position of the last event; 0 while there is none.
    pub(crate) fn head(&self) -> Result<u64, Status> {
        Ok(self.core()?.reader.head())
    }

    /// Follows `$all` after a position.
    pub(crate) fn follow(&self, after: u64, filter: Filter) -> Cursor {
        Cursor { inside: self.clone(), after, filter, live: false }
    }

    fn core(&self) -> Result<Arc<Core>, Status> {
        self.0.upgrade().ok_or_else(|| refusal::failed(Failure::Closed))
    }
}

/// A place in `$all`, and what is wanted from there on.
pub(crate) struct Cursor {
    inside: Inside,
    /// The last position looked at.
    after: u64,
    filter: Filter,
    live: bool,
}

/// What a cursor has come past.
pub(crate) struct Passed {
    /// What passes the filter.
    pub(crate) events: Vec<Arc<Event>>,
    /// The last position looked at.
    pub(crate) through: u64,
    /// That was all there is, for the first time or after having fallen behind.
    pub(crate) caught_up: bool,
}

impl Cursor {
    /// Reads on, and waits where there is nothing more. May be dropped while waiting: nothing is lost by it.
    pub(crate) async fn next(&mut self) -> Result<Passed, Status> {
        loop {
            let mut reader = self.inside.core()?.reader.clone();
            let page = reader.all_after(self.after, &self.filter, PageLimits::default()).await;
            let page = page.map_err(refusal::unreadable)?;
            if page.from_disk && page.looked_at > 0 {
                self.live = false;
            }
            let caught_up = page.at_end && !self.live;
            self.live |= caught_up;
            self.after = page.last.unwrap_or(self.after);
            if page.looked_at > 0 || caught_up {
                return Ok(Passed { events: page.events, through: self.after, caught_up });
            }
            reader.wait_beyond(self.after).await.map_err(refusal::unreadable)?;
        }
    }
}

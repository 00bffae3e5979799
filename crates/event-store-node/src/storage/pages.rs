//! Reading the log page by page. A page is bounded in events and in bytes, so that a reader needs
//! little memory, however long the log and however slow the reader.

use std::ops::RangeInclusive;
use std::sync::Arc;

use fjall::Readable;

use super::view::Visible;
use super::{Event, StorageError, View, keys};
use crate::filter::{Filter, TooHard};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forwards,
    Backwards,
}

/// The bounds of a page. The first one that is reached ends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageLimits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    /// How many events may be examined, including those that the filter rejects.
    pub(crate) examined: usize,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { events: 256, bytes: 1 << 20, examined: 2048 }
    }
}

/// Events of `$all`.
#[derive(Default)]
pub(crate) struct AllPage {
    pub(crate) events: Vec<Arc<Event>>,
    pub(crate) examined: usize,
    /// The position of the last examined event. `None`: there was no event.
    pub(crate) last: Option<u64>,
    /// The log has nothing more in this direction.
    pub(crate) at_end: bool,
    /// It was read from disk: the reader does not keep up.
    pub(crate) from_disk: bool,
}

impl AllPage {
    /// Takes events until a limit is reached. `source` must not end before the log does.
    pub(crate) fn fill<E: From<TooHard>>(
        source: impl IntoIterator<Item = Result<Arc<Event>, E>>,
        filter: &Filter,
        limits: PageLimits,
    ) -> Result<Self, E> {
        let mut page = Self::default();
        let mut bytes = 0;
        for event in source {
            let event = event?;
            page.last = Some(event.position);
            page.examined += 1;
            if filter.passes(&event.record.stream, &event.record.event_type)? {
                bytes += event.size();
                page.events.push(event);
            }
            if page.events.len() >= limits.events || page.examined >= limits.examined || bytes >= limits.bytes {
                return Ok(page);
            }
        }
        page.at_end = true;
        Ok(page)
    }
}

/// Events of one stream.
pub(crate) enum StreamPage {
    NotFound,
    Deleted,
    Page {
        events: Vec<Arc<Event>>,
        /// The stream's last revision.
        last: u64,
        /// Where the next page begins. `None`: the stream has nothing more in this direction.
        next: Option<u64>,
    },
}

impl View<'_> {
    /// A page of `$all` with these positions.
    pub(crate) fn all_page(
        &self,
        positions: RangeInclusive<u64>,
        direction: Direction,
        filter: &Filter,
        limits: PageLimits,
    ) -> Result<AllPage, StorageError> {
        if positions.is_empty() {
            return Ok(AllPage { at_end: true, ..AllPage::default() });
        }
        let keys = keys::position(*positions.start())..=keys::position(*positions.end());
        let rows = self.snapshot.range(&self.keyspaces.events, keys);
        let rows: Box<dyn Iterator<Item = fjall::Guard>> = match direction {
            Direction::Forwards => Box::new(rows),
            Direction::Backwards => Box::new(rows.rev()),
        };
        let events = rows.map(|row| {
            let (key, value) = row.into_inner()?;
            Ok::<_, StorageError>(Arc::new(Event::decode(keys::number_from(&key)?, value.into())?))
        });
        AllPage::fill(events, filter, limits)
    }

    /// A page of a stream from a revision on, inclusive.
    pub(crate) fn stream_page(
        &self,
        name: &str,
        from: u64,
        direction: Direction,
        limits: PageLimits,
    ) -> Result<StreamPage, StorageError> {
        let (number, first, last) = match self.visible(name)? {
            Visible::Nothing => return Ok(StreamPage::NotFound),
            Visible::Deleted => return Ok(StreamPage::Deleted),
            Visible::Events { number, first, last } => (number, first, last),
        };
        let revisions = match direction {
            Direction::Forwards => from.max(first)..=last,
            Direction::Backwards => first..=from.min(last),
        };
        let (events, next) = self.events_of(number, revisions, direction, limits)?;
        Ok(StreamPage::Page { events, last, next })
    }

    fn events_of(
        &self,
        number: u64,
        revisions: RangeInclusive<u64>,
        direction: Direction,
        limits: PageLimits,
    ) -> Result<(Vec<Arc<Event>>, Option<u64>), StorageError> {
        let mut events = Vec::new();
        let mut bytes = 0;
        if revisions.is_empty() {
            return Ok((events, None));
        }
        let keys = keys::revision(number, *revisions.start())..=keys::revision(number, *revisions.end());
        let rows = self.snapshot.range(&self.keyspaces.revisions, keys);
        let rows: Box<dyn Iterator<Item = fjall::Guard>> = match direction {
            Direction::Forwards => Box::new(rows),
            Direction::Backwards => Box::new(rows.rev()),
        };
        for row in rows {
            let position = keys::number_from(&row.value()?)?;
            let event = self.event(position)?.ok_or_else(|| {
                StorageError::Damaged(format!("position {position}, which a stream names, has no event"))
            })?;
            bytes += event.size();
            let revision = event.record.revision;
            events.push(Arc::new(event));
            if events.len() >= limits.events || bytes >= limits.bytes {
                let next = match direction {
                    Direction::Forwards => Some(revision + 1).filter(|next| revisions.contains(next)),
                    Direction::Backwards => revision.checked_sub(1).filter(|next| revisions.contains(next)),
                };
                return Ok((events, next));
            }
        }
        Ok((events, None))
    }
}

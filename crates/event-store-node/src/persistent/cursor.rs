//! Reads the events of a group's stream, or of `$all`, from a place on: old events, then new ones.

use std::sync::Arc;

use super::message::Message;
use super::settings::{BOOKS, Entry};
use crate::filter::Filter;
use crate::reader::{ReadFailure, Reader};
use crate::storage::{Direction, Event, PageLimits, Resolved, StreamPage};

/// Events, and the last place that was examined.
pub(super) struct Page {
    pub(super) messages: Vec<Message>,
    pub(super) last_read: Option<u64>,
    /// There are no more events at present.
    pub(super) at_end: bool,
}

enum Source {
    /// Reading continues after this position.
    All { after: u64, filter: Filter },
    /// Reading continues with this revision. After the last old event, new events are found in
    /// `$all`, after a position.
    Stream { name: String, next: u64, live_after: Option<u64> },
}

pub(super) struct Cursor {
    reader: Reader,
    source: Source,
    follow_links: bool,
}

impl Cursor {
    /// Begins after the group's checkpoint, or without one at the group's start. As on any server,
    /// changing the start does not move a group that has a checkpoint.
    pub(super) fn new(reader: Reader, entry: &Entry, checkpoint: Option<u64>) -> Result<Self, fancy_regex::Error> {
        let next = checkpoint.map_or(entry.first, |place| place.saturating_add(1));
        let source = if entry.key.reads_all() {
            let filter = entry.filter.as_ref().map_or(Ok(Filter::Everything), super::settings::FilterText::filter)?;
            Source::All { after: next.saturating_sub(1), filter }
        } else {
            Source::Stream { name: entry.key.source.clone(), next, live_after: None }
        };
        Ok(Self { reader, source, follow_links: entry.settings.resolve_link_tos })
    }

    /// Reads up to this many events.
    pub(super) async fn read(&mut self, events: usize) -> Result<Page, ReadFailure> {
        let limits = PageLimits { events, ..PageLimits::default() };
        match &mut self.source {
            Source::All { after, filter } => {
                let page = self.reader.all_after(*after, filter, limits).await?;
                *after = page.last.unwrap_or(*after);
                let last_read = Some(*after).filter(|after| *after > 0);
                // The groups' own records are left out. Otherwise a group on `$all` would read its
                // own checkpoints without end.
                let events = page.events.into_iter().filter(|event| !event.record.stream.starts_with(BOOKS)).collect();
                let messages = messages(&self.reader, events, self.follow_links, |event| event.position).await?;
                Ok(Page { messages, last_read, at_end: page.at_end })
            }
            Source::Stream { name, next, live_after } => {
                let (events, at_end) = match *live_after {
                    None => Self::old(&self.reader, name, *next, live_after, limits).await?,
                    Some(after) => Self::new_ones(&self.reader, name, after, live_after, limits).await?,
                };
                let events: Vec<_> = events.into_iter().filter(|event| event.record.revision >= *next).collect();
                if let Some(last) = events.last() {
                    *next = last.record.revision.saturating_add(1);
                }
                let last_read = next.checked_sub(1);
                let messages = messages(&self.reader, events, self.follow_links, |event| event.record.revision).await?;
                Ok(Page { messages, last_read, at_end })
            }
        }
    }

    async fn old(
        reader: &Reader,
        name: &str,
        next: u64,
        live_after: &mut Option<u64>,
        limits: PageLimits,
    ) -> Result<(Vec<Arc<Event>>, bool), ReadFailure> {
        // Taken before the page is read: later events are found in `$all`.
        let head = reader.head();
        let (events, more) = match reader.stream_page(name, next, Direction::Forwards, limits).await? {
            StreamPage::Deleted | StreamPage::NotFound => (Vec::new(), false),
            StreamPage::Page { events, next, .. } => (events, next.is_some()),
        };
        if !more {
            *live_after = Some(head);
        }
        Ok((events, false))
    }

    async fn new_ones(
        reader: &Reader,
        name: &str,
        after: u64,
        live_after: &mut Option<u64>,
        limits: PageLimits,
    ) -> Result<(Vec<Arc<Event>>, bool), ReadFailure> {
        let page = reader.all_after(after, &Filter::Stream(name.into()), limits).await?;
        *live_after = Some(page.last.unwrap_or(after));
        let events = page.events.into_iter().filter(|event| !event.is_tombstone()).collect();
        Ok((events, page.at_end))
    }

    /// Waits until there may be more events.
    pub(super) async fn wait(&mut self) -> Result<(), ReadFailure> {
        let seen = match &self.source {
            Source::All { after, .. } => *after,
            Source::Stream { live_after, .. } => live_after.unwrap_or(0),
        };
        self.reader.wait_beyond(seen).await
    }
}

async fn messages(
    reader: &Reader,
    events: Vec<Arc<Event>>,
    follow_links: bool,
    place: impl Fn(&Event) -> u64,
) -> Result<Vec<Message>, ReadFailure> {
    let resolved = reader.resolve(events, follow_links).await?;
    let message = |event: Resolved| {
        let place = place(event.original()?);
        Message::new(event, Some(place), None)
    };
    Ok(resolved.into_iter().filter_map(message).collect())
}

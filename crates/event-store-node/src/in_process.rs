//! Access to the node from the same process: the same rules and answers, without the network.
//!
//! The returned handle does not keep the node open. After the node begins to close, a call gets the
//! same answer as over the network: it is shutting down.

#![expect(clippy::result_large_err, reason = "refusals are made in the protocol's type")]

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use chrono::DateTime;
use event_store::{
    Appended, Cursor, Expected, Filter, InProcess, InProcessError, NewEvent, Passed, Position, RecordedEvent,
};
use event_store_protocol::NOT_SYSTEM;
use tonic::{Code, Status};
use uuid::Uuid;

use super::change::{Change, Failure, Intent, JSON, Proposed, Refusal};
use super::filter::Pattern;
use super::reader::Reader;
use super::service::{checked_name, checked_writable_name, refusal};
use super::storage::{Direction, Event, PageLimits, StreamPage};
use super::writer::Writer;
use super::{decision, filter};

/// What the handle refers to. The node drops it when it closes.
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

/// The handle that the node gives out.
pub(super) struct Inside {
    core: Weak<Core>,
    connection_string: String,
}

impl Inside {
    pub(super) fn of(core: &Arc<Core>, connection_string: String) -> Self {
        Self { core: Arc::downgrade(core), connection_string }
    }

    async fn read(
        &self,
        stream: &str,
        mut from: u64,
        direction: Direction,
        max: usize,
    ) -> Result<Vec<RecordedEvent>, InProcessError> {
        let core = open(&self.core)?;
        checked_name(stream).map_err(failed)?;
        let mut read = Vec::new();
        while read.len() < max {
            let limits = PageLimits { events: max - read.len(), ..PageLimits::default() };
            let page = core.reader.stream_page(stream, from, direction, limits).await;
            let (events, next) = match page.map_err(|failure| failed(refusal::unreadable(failure)))? {
                StreamPage::Deleted => return Err(InProcessError::StreamDeleted),
                StreamPage::NotFound => break,
                StreamPage::Page { events, next, .. } => (events, next),
            };
            read.extend(events.iter().map(|event| recorded(event)));
            let Some(next) = next else { break };
            from = next;
        }
        Ok(read)
    }
}

#[async_trait]
impl InProcess for Inside {
    fn connection_string(&self) -> &str {
        &self.connection_string
    }

    fn is_closed(&self) -> bool {
        self.core.strong_count() == 0
    }

    async fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, InProcessError> {
        let core = open(&self.core)?;
        checked_writable_name(stream).map_err(failed)?;
        let events: Vec<Proposed> = events.into_iter().map(proposed).collect();
        if events.iter().map(Proposed::size).sum::<usize>() > core.max_append_size {
            let status = refusal::too_large(core.max_append_size);
            return Err(InProcessError::TooLarge(status.message().to_owned()));
        }
        let change = Change::Append(events);
        let intent = Intent { stream: stream.to_owned(), expected: expectation(expected), change };
        let outcome = core.writer.change(intent).await.map_err(|failure| failed(refusal::failed(failure)))?;
        let written = outcome.map_err(|refusal| match refusal {
            Refusal::WrongExpectedRevision { current } => InProcessError::WrongExpectedRevision(current),
            Refusal::StreamDeleted => InProcessError::StreamDeleted,
        })?;
        let revision = written.revision.unwrap_or_default();
        Ok(Appended { revision, position: position(written.position.unwrap_or_default()) })
    }

    async fn read_forwards(&self, stream: &str, from: u64, max: usize) -> Result<Vec<RecordedEvent>, InProcessError> {
        self.read(stream, from, Direction::Forwards, max).await
    }

    async fn read_backwards(&self, stream: &str, max: usize) -> Result<Vec<RecordedEvent>, InProcessError> {
        self.read(stream, u64::MAX, Direction::Backwards, max).await
    }

    fn head(&self) -> Result<Option<Position>, InProcessError> {
        let head = open(&self.core)?.reader.head();
        Ok((head > 0).then(|| position(head)))
    }

    fn follow(&self, filter: &Filter, after: Option<Position>) -> Result<Box<dyn Cursor>, InProcessError> {
        let filter = filter_within(filter).map_err(failed)?;
        let after = after.map_or(0, |position| position.commit);
        Ok(Box::new(AllCursor { core: self.core.clone(), after, filter, live: false }))
    }
}

/// A position in `$all`, and what the reader wants after it.
struct AllCursor {
    core: Weak<Core>,
    /// The last position that was examined.
    after: u64,
    filter: filter::Filter,
    live: bool,
}

#[async_trait]
impl Cursor for AllCursor {
    async fn next(&mut self) -> Result<Passed, InProcessError> {
        let unreadable = |failure| failed(refusal::unreadable(failure));
        loop {
            let mut reader = open(&self.core)?.reader.clone();
            let page = reader.all_after(self.after, &self.filter, PageLimits::default()).await;
            let page = page.map_err(unreadable)?;
            if page.from_disk && page.examined > 0 {
                self.live = false;
            }
            let caught_up = page.at_end && !self.live;
            self.live |= caught_up;
            self.after = page.last.unwrap_or(self.after);
            if page.examined > 0 || caught_up {
                let events = page.events.iter().map(|event| recorded(event)).collect();
                let through = (self.after > 0).then(|| position(self.after));
                return Ok(Passed { events, through, caught_up });
            }
            reader.wait_beyond(self.after).await.map_err(unreadable)?;
        }
    }
}

fn open(core: &Weak<Core>) -> Result<Arc<Core>, InProcessError> {
    core.upgrade().ok_or_else(|| failed(refusal::failed(Failure::Closed)))
}

#[expect(clippy::needless_pass_by_value, reason = "it converts the error of a result")]
fn failed(status: Status) -> InProcessError {
    let reason = status.message().to_owned();
    match status.code() {
        Code::Unavailable => InProcessError::Unavailable(reason),
        Code::ResourceExhausted | Code::Aborted | Code::Cancelled | Code::DeadlineExceeded => {
            InProcessError::Overloaded(reason)
        }
        _ => InProcessError::Refused(reason),
    }
}

fn proposed(NewEvent { id, event_type, data, metadata }: NewEvent) -> Proposed {
    Proposed { id, event_type, content_type: JSON.to_owned(), metadata, data }
}

fn recorded(event: &Event) -> RecordedEvent {
    let record = &event.record;
    let created = i64::try_from(record.created / 10).ok().and_then(DateTime::from_timestamp_micros);
    RecordedEvent {
        id: Uuid::from_slice(&record.id).unwrap_or_default(),
        stream: record.stream.clone(),
        revision: record.revision,
        position: position(event.position),
        event_type: record.event_type.clone(),
        data: record.data.clone(),
        metadata: record.metadata.clone(),
        created: created.unwrap_or_default(),
    }
}

fn position(position: u64) -> Position {
    Position { commit: position, prepare: position }
}

fn expectation(expected: Expected) -> decision::Expected {
    match expected {
        Expected::Any => decision::Expected::Any,
        Expected::NoStream => decision::Expected::NoStream,
        Expected::Exists => decision::Expected::StreamExists,
        Expected::Revision(revision) => decision::Expected::Revision(revision),
    }
}

/// Converts the filter to the node's form. An invalid expression is refused with the server's
/// message.
fn filter_within(filter: &Filter) -> Result<filter::Filter, Status> {
    let pattern = |regex: &str, prefixes: &[String]| {
        Pattern::new(regex, prefixes.to_vec())
            .map_err(|error| Status::invalid_argument(format!("the filter's expression cannot be used: {error}")))
    };
    Ok(match filter {
        Filter::StreamPrefixes(prefixes) => filter::Filter::OnStream(pattern("", prefixes)?),
        Filter::StreamRegex(regex) => filter::Filter::OnStream(pattern(regex, &[])?),
        Filter::EventTypePrefixes(prefixes) => filter::Filter::OnEventType(pattern("", prefixes)?),
        Filter::EventTypeRegex(regex) => filter::Filter::OnEventType(pattern(regex, &[])?),
        Filter::ExcludeSystem => filter::Filter::OnEventType(pattern(NOT_SYSTEM, &[])?),
    })
}

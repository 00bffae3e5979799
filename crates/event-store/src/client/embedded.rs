//! The way into a node in this very process, which needs no connection: for the calls of every order and every view. What is
//! asked once in a while goes over the wire there too.

#![expect(clippy::result_large_err, reason = "the node answers in the words of its protocol")]

use std::collections::VecDeque;
use std::future::pending;

use chrono::DateTime;
use serde_json::value::RawValue;
use tonic::{Code, Status};
use tracing::{debug, warn};
use uuid::Uuid;

use super::connection::Retry;
use super::error::{AppendError, ReadError};
use super::subscription::SubscriptionItem;
use super::types::{Appended, Expected, Filter, NewEvent, Position, RecordedEvent};
use crate::node::{self, Cursor, Direction, Event, Inside, Passed, Pattern, Proposed, Refusal};

const JSON: &str = "application/json";

pub(super) async fn append(
    node: &Inside,
    stream: &str,
    expected: Expected,
    events: Vec<NewEvent>,
) -> Result<Appended, AppendError> {
    let events = events.into_iter().map(proposed).collect::<Result<Vec<_>, _>>()?;
    let mut retry = Retry::new();
    loop {
        match node.append(stream, expectation(expected), events.clone()).await {
            Ok(Ok(written)) => {
                let revision = written.revision.unwrap_or_default();
                return Ok(Appended { revision, position: position(written.position.unwrap_or_default()) });
            }
            Ok(Err(Refusal::WrongExpectedRevision { current })) => {
                return Err(AppendError::WrongExpectedRevision { stream: stream.into(), expected, actual: current });
            }
            Ok(Err(Refusal::StreamDeleted)) => return Err(AppendError::StreamDeleted(stream.into())),
            Err(status) if is_worth_another_try(node, &status) && retry.pause().await => {}
            Err(status) => return Err(append_error(&status)),
        }
    }
}

pub(super) async fn read(
    node: &Inside,
    stream: &str,
    from: u64,
    direction: Direction,
    max: usize,
) -> Result<Vec<RecordedEvent>, ReadError> {
    let mut retry = Retry::new();
    loop {
        match node.read(stream, from, direction, max).await {
            Ok(Some(events)) => return Ok(events.iter().map(|event| recorded(event)).collect()),
            Ok(None) => return Err(ReadError::StreamDeleted(stream.into())),
            Err(status) if is_worth_another_try(node, &status) && retry.pause().await => {}
            Err(status) => return Err(read_error(&status)),
        }
    }
}

pub(super) fn head(node: &Inside) -> Result<Option<Position>, ReadError> {
    let head = node.head().map_err(|status| read_error(&status))?;
    Ok((head > 0).then(|| position(head)))
}

/// Follows `$all` by reading on: there is nothing that could break but the node itself.
pub(super) struct Following {
    node: Inside,
    cursor: Result<Cursor, Status>,
    /// Read, and not yet handed out.
    items: VecDeque<SubscriptionItem>,
    retry: Retry,
}

impl Following {
    pub(super) fn start(node: &Inside, filter: &Filter, after: Option<Position>) -> Self {
        let after = after.map_or(0, |position| position.commit);
        let cursor = filter_within(filter).map(|filter| node.follow(after, filter));
        Self { node: node.clone(), cursor, items: VecDeque::new(), retry: Retry::new() }
    }

    pub(super) async fn next(&mut self) -> SubscriptionItem {
        loop {
            if let Some(item) = self.items.pop_front() {
                return item;
            }
            let passed = match &mut self.cursor {
                Ok(cursor) => cursor.next().await,
                Err(status) => Err(status.clone()),
            };
            match passed {
                Ok(passed) => {
                    self.retry = Retry::new();
                    self.items.extend(items(passed));
                }
                Err(status) if self.node.is_closed() => {
                    debug!(%status, "the subscription to $all has ended with the node");
                    pending::<()>().await;
                }
                Err(status) => {
                    warn!(%status, "the subscription to $all broke and is taken up again");
                    self.retry.pause_once().await;
                }
            }
        }
    }
}

fn items(Passed { events, through, caught_up }: Passed) -> impl Iterator<Item = SubscriptionItem> {
    let further = events.last().is_none_or(|event| event.position < through) && through > 0;
    let events = events.into_iter().map(|event| SubscriptionItem::Event(recorded(&event)));
    events
        .chain(further.then(|| SubscriptionItem::Checkpoint(position(through))))
        .chain(caught_up.then_some(SubscriptionItem::CaughtUp))
}

fn proposed(event: NewEvent) -> Result<Proposed, AppendError> {
    let not_json = |error| AppendError::Refused(format!("the data of {} is not JSON: {error}", event.event_type));
    serde_json::from_slice::<&RawValue>(&event.data).map_err(not_json)?;
    let NewEvent { id, event_type, data, metadata } = event;
    Ok(Proposed { id, event_type, content_type: JSON.to_owned(), metadata, data })
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

fn expectation(expected: Expected) -> node::Expected {
    match expected {
        Expected::Any => node::Expected::Any,
        Expected::NoStream => node::Expected::NoStream,
        Expected::Exists => node::Expected::StreamExists,
        Expected::Revision(revision) => node::Expected::Revision(revision),
    }
}

fn is_unavailable(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Cancelled | Code::DeadlineExceeded
    )
}

/// As on the wire: a node that says it is overloaded is believed at once, and one that has closed stays so.
fn is_worth_another_try(node: &Inside, status: &Status) -> bool {
    status.code() == Code::Unavailable && !node.is_closed()
}

fn append_error(status: &Status) -> AppendError {
    match status.message().to_owned() {
        message if is_unavailable(status) => AppendError::Unavailable(message),
        message if message.starts_with("Maximum Append Size") => AppendError::TooLarge(message),
        message => AppendError::Refused(message),
    }
}

fn read_error(status: &Status) -> ReadError {
    let message = status.message().to_owned();
    if is_unavailable(status) { ReadError::Unavailable(message) } else { ReadError::Refused(message) }
}

/// The server's own events are told by their type.
const NOT_THE_SERVERS: &str = r"^[^\$].*";

/// The filter as the node has it; an expression that cannot be used is said to be so as the server would say it.
fn filter_within(filter: &Filter) -> Result<node::Filter, Status> {
    let pattern = |regex: &str, prefixes: &[String]| {
        Pattern::new(regex, prefixes.to_vec())
            .map_err(|error| Status::invalid_argument(format!("the filter's expression cannot be used: {error}")))
    };
    Ok(match filter {
        Filter::StreamPrefixes(prefixes) => node::Filter::OnStream(pattern("", prefixes)?),
        Filter::StreamRegex(regex) => node::Filter::OnStream(pattern(regex, &[])?),
        Filter::EventTypePrefixes(prefixes) => node::Filter::OnEventType(pattern("", prefixes)?),
        Filter::EventTypeRegex(regex) => node::Filter::OnEventType(pattern(regex, &[])?),
        Filter::ExcludeSystem => node::Filter::OnEventType(pattern(NOT_THE_SERVERS, &[])?),
    })
}

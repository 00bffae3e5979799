//! Conversion between the client's types and the messages of the protocol.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use event_store_protocol::NOT_SYSTEM;
use event_store_protocol::shared::uuid::{Structured, Value};
use event_store_protocol::shared::{AllStreamPosition, Empty, StreamIdentifier, Uuid as WireUuid};
use event_store_protocol::streams::append_req::options::ExpectedStreamRevision;
use event_store_protocol::streams::append_req::{self, ProposedMessage};
use event_store_protocol::streams::append_resp::success::{CurrentRevisionOption, PositionOption};
use event_store_protocol::streams::append_resp::wrong_expected_version::{
    CurrentRevisionOption as Actual, CurrentRevisionOption2060 as ActualOnOldServers,
};
use event_store_protocol::streams::append_resp::{self, Success, WrongExpectedVersion};
use event_store_protocol::streams::read_req::Options;
use event_store_protocol::streams::read_req::options::all_options::AllOption;
use event_store_protocol::streams::read_req::options::filter_options::{Expression, Filter as WireFilter, Window};
use event_store_protocol::streams::read_req::options::stream_options::RevisionOption;
use event_store_protocol::streams::read_req::options::{
    AllOptions, ControlOption, CountOption, FilterOption, FilterOptions, ReadDirection, StreamOption, StreamOptions,
    SubscriptionOptions, UuidOption, uuid_option,
};
use event_store_protocol::streams::read_resp::read_event::Property;
use event_store_protocol::streams::read_resp::{Content, ReadEvent, read_event};
use event_store_protocol::streams::{AppendReq, AppendResp, ReadReq};
use uuid::Uuid;

use super::fault::Fault;
use super::link::Reading;
use super::types::{Appended, Expected, Filter, NewEvent, Position, Record, RecordedEvent};

/// How many records the server examines between two checkpoints. A larger window makes catching up
/// faster, a smaller one makes checkpoints more frequent.
const SEARCH_WINDOW: u32 = 256;
const JSON: &str = "application/json";

/// The messages of an append: first the stream, then each event.
pub(super) fn append(stream: &str, expected: Expected, events: Vec<NewEvent>) -> Vec<AppendReq> {
    proposals(stream, expected, events.into_iter().map(|event| proposed(event, JSON)))
}

/// The same, for events of another log.
pub(super) fn append_copies(stream: &str, expected: Expected, events: &[Record]) -> Vec<AppendReq> {
    let proposed = |Record { event, content_type, .. }: &Record| {
        let RecordedEvent { id, event_type, data, metadata, .. } = event.clone();
        proposed(NewEvent { id, event_type, data, metadata }, content_type)
    };
    proposals(stream, expected, events.iter().map(proposed))
}

fn proposals(
    stream: &str,
    expected: Expected,
    events: impl ExactSizeIterator<Item = ProposedMessage>,
) -> Vec<AppendReq> {
    let options = append_req::Options {
        stream_identifier: Some(identifier(stream)),
        expected_stream_revision: Some(match expected {
            Expected::Any => ExpectedStreamRevision::Any(Empty {}),
            Expected::NoStream => ExpectedStreamRevision::NoStream(Empty {}),
            Expected::Exists => ExpectedStreamRevision::StreamExists(Empty {}),
            Expected::Revision(revision) => ExpectedStreamRevision::Revision(revision),
        }),
    };
    let mut messages = Vec::with_capacity(events.len() + 1);
    messages.push(AppendReq { content: Some(append_req::Content::Options(options)) });
    let of = |event| AppendReq { content: Some(append_req::Content::ProposedMessage(event)) };
    messages.extend(events.map(of));
    messages
}

fn proposed(event: NewEvent, content_type: &str) -> ProposedMessage {
    let NewEvent { id, event_type, data, metadata: custom_metadata } = event;
    let (most, least) = id.as_u64_pair();
    let id = Structured { most_significant_bits: most.cast_signed(), least_significant_bits: least.cast_signed() };
    let metadata =
        HashMap::from([("type".to_owned(), event_type), ("content-type".to_owned(), content_type.to_owned())]);
    ProposedMessage { id: Some(WireUuid { value: Some(Value::Structured(id)) }), metadata, custom_metadata, data }
}

/// The result of an append.
pub(super) fn appended(answer: AppendResp) -> Result<Appended, Fault> {
    match answer.result {
        Some(append_resp::Result::Success(Success { current_revision_option, position_option })) => {
            let revision = match current_revision_option {
                Some(CurrentRevisionOption::CurrentRevision(revision)) => revision,
                _ => 0,
            };
            let position = match position_option {
                Some(PositionOption::Position(at)) => position(&at),
                _ => Position { commit: 0, prepare: 0 },
            };
            Ok(Appended { revision, position })
        }
        Some(append_resp::Result::WrongExpectedVersion(wrong)) => {
            Err(Fault::WrongExpectedRevision(actual_revision(&wrong)))
        }
        None => Err(Fault::Malformed("an append with neither success nor refusal")),
    }
}

fn actual_revision(wrong: &WrongExpectedVersion) -> Option<u64> {
    match (&wrong.current_revision_option, &wrong.current_revision_option_20_6_0) {
        (Some(Actual::CurrentRevision(revision)), _)
        | (None, Some(ActualOnOldServers::CurrentRevision2060(revision))) => Some(*revision),
        _ => None,
    }
}

pub(super) fn read_stream(stream: &str, from: u64, count: u64) -> ReadReq {
    let at = RevisionOption::Revision(from);
    read(stream_option(stream, at), ReadDirection::Forwards, CountOption::Count(count), None)
}

pub(super) fn read_stream_backwards(stream: &str, count: u64) -> ReadReq {
    let at = RevisionOption::End(Empty {});
    read(stream_option(stream, at), ReadDirection::Backwards, CountOption::Count(count), None)
}

pub(super) fn read_all(from: Option<Position>, count: u64) -> ReadReq {
    read(all_option(from), ReadDirection::Forwards, CountOption::Count(count), None)
}

pub(super) fn read_all_backwards(count: u64) -> ReadReq {
    let end = StreamOption::All(AllOptions { all_option: Some(AllOption::End(Empty {})) });
    read(end, ReadDirection::Backwards, CountOption::Count(count), None)
}

pub(super) fn subscribe_all(after: Option<Position>, filter: &Filter) -> ReadReq {
    let forever = CountOption::Subscription(SubscriptionOptions {});
    read(all_option(after), ReadDirection::Forwards, forever, Some(filter_options(filter)))
}

fn read(from: StreamOption, direction: ReadDirection, count: CountOption, filter: Option<FilterOptions>) -> ReadReq {
    let filter = filter.map_or(FilterOption::NoFilter(Empty {}), FilterOption::Filter);
    let structured = UuidOption { content: Some(uuid_option::Content::Structured(Empty {})) };
    let options = Options {
        stream_option: Some(from),
        read_direction: direction.into(),
        resolve_links: false,
        count_option: Some(count),
        filter_option: Some(filter),
        uuid_option: Some(structured),
        // Makes the server report when a subscriber has caught up.
        control_option: Some(ControlOption { compatibility: 1 }),
    };
    ReadReq { options: Some(options) }
}

fn stream_option(stream: &str, at: RevisionOption) -> StreamOption {
    StreamOption::Stream(StreamOptions { stream_identifier: Some(identifier(stream)), revision_option: Some(at) })
}

fn all_option(from: Option<Position>) -> StreamOption {
    let from = match from {
        Some(Position { commit, prepare }) => {
            AllOption::Position(AllStreamPosition { commit_position: commit, prepare_position: prepare })
        }
        None => AllOption::Start(Empty {}),
    };
    StreamOption::All(AllOptions { all_option: Some(from) })
}

fn identifier(stream: &str) -> StreamIdentifier {
    StreamIdentifier { stream_name: Bytes::copy_from_slice(stream.as_bytes()) }
}

fn filter_options(filter: &Filter) -> FilterOptions {
    let prefixes = |prefix: &[String]| Expression { regex: String::new(), prefix: prefix.to_vec() };
    let regex = |regex: &str| Expression { regex: regex.to_owned(), prefix: Vec::new() };
    let filter = match filter {
        Filter::StreamPrefixes(named) => WireFilter::StreamIdentifier(prefixes(named)),
        Filter::StreamRegex(text) => WireFilter::StreamIdentifier(regex(text)),
        Filter::EventTypePrefixes(named) => WireFilter::EventType(prefixes(named)),
        Filter::EventTypeRegex(text) => WireFilter::EventType(regex(text)),
        Filter::ExcludeSystem => WireFilter::EventType(regex(NOT_SYSTEM)),
    };
    FilterOptions { filter: Some(filter), window: Some(Window::Max(SEARCH_WINDOW)), checkpoint_interval_multiplier: 1 }
}

/// All events in the answer to a read. A stream that does not exist has none.
pub(super) async fn collect(mut reading: Reading) -> Result<Vec<RecordedEvent>, Fault> {
    let mut events = Vec::new();
    while let Some(message) = reading.next().await? {
        if let Some(Content::Event(event)) = message.content {
            events.extend(recorded(event));
        }
    }
    Ok(events)
}

/// The next event in the answer to a read, with everything that the server stores about it.
pub(super) async fn next_record(reading: &mut Reading) -> Result<Option<Record>, Fault> {
    while let Some(message) = reading.next().await? {
        if let Some(Content::Event(event)) = message.content {
            return record(event).map(Some).ok_or(Fault::Malformed("an event of $all without an id or a time"));
        }
    }
    Ok(None)
}

fn record(resolved: ReadEvent) -> Option<Record> {
    let properties = &resolved.event.as_ref()?.metadata;
    let created_ticks = property(properties, "created")?.parse().ok()?;
    let content_type = property(properties, "content-type").unwrap_or_default().to_owned();
    Some(Record { event: recorded(resolved)?, content_type, created_ticks })
}

/// Links are not resolved, so there is always an event. `None` covers a server that sends none.
pub(super) fn recorded(resolved: ReadEvent) -> Option<RecordedEvent> {
    let event: read_event::RecordedEvent = resolved.event?;
    let ticks = property(&event.metadata, "created").and_then(|ticks| ticks.parse::<i64>().ok());
    Some(RecordedEvent {
        id: id(event.id?)?,
        stream: String::from_utf8_lossy(&event.stream_identifier?.stream_name).into_owned(),
        revision: event.stream_revision,
        position: Position { commit: event.commit_position, prepare: event.prepare_position },
        event_type: property(&event.metadata, "type").unwrap_or_default().to_owned(),
        data: event.data,
        metadata: event.custom_metadata,
        created: ticks.and_then(created).unwrap_or_default(),
    })
}

fn property<'a>(properties: &'a [Property], name: &str) -> Option<&'a str> {
    let property = properties.iter().find(|property| property.name == name.as_bytes())?;
    std::str::from_utf8(&property.value).ok()
}

fn id(wire: WireUuid) -> Option<Uuid> {
    match wire.value? {
        Value::Structured(Structured { most_significant_bits: most, least_significant_bits: least }) => {
            Some(Uuid::from_u64_pair(most.cast_unsigned(), least.cast_unsigned()))
        }
        Value::String(text) => Uuid::parse_str(&text).ok(),
    }
}

pub(super) fn position(wire: &AllStreamPosition) -> Position {
    Position { commit: wire.commit_position, prepare: wire.prepare_position }
}

/// The server sends ticks of 100 ns since 1970.
fn created(ticks: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(ticks / 10)
}

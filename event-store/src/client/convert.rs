//! Between our types and those of the `eventstore` crate.

use chrono::{DateTime, Utc};
use eventstore::{EventData, ExpectedRevision, ResolvedEvent, StreamPosition, SubscriptionFilter};
use serde_json::value::RawValue;

use super::error::AppendError;
use super::history::Record;
use super::types::{Expected, Filter, NewEvent, Position, RecordedEvent};

/// How many records the server looks through before it says how far it got. A larger window makes catching up faster,
/// a smaller one makes checkpoints more frequent.
const SEARCH_WINDOW: u32 = 256;

/// The crate takes JSON only as something to be serialised. A raw value passes through it byte for byte.
pub(super) fn to_wire(event: NewEvent) -> Result<EventData, AppendError> {
    let not_json = |error| AppendError::Refused(format!("the data of {} is not JSON: {error}", event.event_type));
    let json: &RawValue = serde_json::from_slice(&event.data).map_err(not_json)?;
    let wire = EventData::json(&event.event_type, &json).map_err(not_json)?;
    Ok(wire.id(event.id).metadata(event.metadata))
}

pub(super) fn expected_to_wire(expected: Expected) -> ExpectedRevision {
    match expected {
        Expected::Any => ExpectedRevision::Any,
        Expected::NoStream => ExpectedRevision::NoStream,
        Expected::Exists => ExpectedRevision::StreamExists,
        Expected::Revision(revision) => ExpectedRevision::Exact(revision),
    }
}

pub(super) fn filter_to_wire(filter: &Filter) -> SubscriptionFilter {
    let beginning_with =
        |base: SubscriptionFilter, prefixes: &[String]| prefixes.iter().fold(base, SubscriptionFilter::add_prefix);
    let filter = match filter {
        Filter::StreamPrefixes(prefixes) => beginning_with(SubscriptionFilter::on_stream_name(), prefixes),
        Filter::StreamRegex(regex) => SubscriptionFilter::on_stream_name().regex(regex),
        Filter::EventTypePrefixes(prefixes) => beginning_with(SubscriptionFilter::on_event_type(), prefixes),
        Filter::EventTypeRegex(regex) => SubscriptionFilter::on_event_type().regex(regex),
        Filter::ExcludeSystem => SubscriptionFilter::on_event_type().exclude_system_events(),
    };
    filter.max(SEARCH_WINDOW)
}

pub(super) fn position(position: eventstore::Position) -> Position {
    Position { commit: position.commit, prepare: position.prepare }
}

pub(super) fn position_to_wire(position: Position) -> eventstore::Position {
    eventstore::Position { commit: position.commit, prepare: position.prepare }
}

/// Where a read of `$all` begins.
pub(super) fn start_to_wire(from: Option<Position>) -> StreamPosition<eventstore::Position> {
    from.map_or(StreamPosition::Start, |from| StreamPosition::Position(position_to_wire(from)))
}

/// An event with all that the server says about it; `None`: it does not say when it was recorded.
pub(super) fn record_from_wire(resolved: ResolvedEvent) -> Option<Record> {
    let said = &resolved.event.as_ref()?.metadata;
    let created_ticks = said.get("created")?.parse().ok()?;
    let content_type = said.get("content-type").cloned().unwrap_or_default();
    Some(Record { event: from_wire(resolved)?, content_type, created_ticks })
}

/// Links are not resolved, so that there is always an event; were there none, there would be nothing to hand on.
pub(super) fn from_wire(resolved: ResolvedEvent) -> Option<RecordedEvent> {
    let event = resolved.event?;
    Some(RecordedEvent {
        created: event.metadata.get("created").and_then(|ticks| created(ticks)).unwrap_or(event.created),
        id: event.id,
        stream: event.stream_id,
        revision: event.revision,
        position: position(event.position),
        event_type: event.event_type,
        data: event.data,
        metadata: event.custom_metadata,
    })
}

/// The crate cuts the time to whole seconds; the server sends ticks of 100 ns since 1970.
fn created(ticks: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(ticks.parse::<i64>().ok()? / 10)
}

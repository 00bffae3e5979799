//! The links that the system projections create for an event. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use event_store_protocol::metadata::{METADATA_TYPE, SOFT_DELETED, described_by, limits_in, object_in};
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};
use xxhash_rust::xxh3::xxh3_128;

use crate::change::Proposed;
use crate::storage::Event;

/// The streams of the node's own records. They get no links: links to them would produce more of
/// them without end.
const BOOKS: [&str; 4] = ["$persistentsubscription-", "$persistentSubscriptionConfig", "$projections-", "$scavenges"];
pub(super) const STREAMS: &str = "$streams";
pub(super) const BY_CATEGORY: &str = "$ce-";
pub(super) const BY_TYPE: &str = "$et-";
pub(super) const BY_CORRELATION: &str = "$bc-";
/// The category of a stream is the part of its name before the first separator.
const SEPARATOR: char = '-';
/// A link whose stream would have a longer name is left out, because such a stream could not be
/// read.
const MAX_NAME_BYTES: usize = 16 << 10;

/// The links to an event, each with the stream into which it goes.
pub(super) fn of(event: &Event) -> Vec<(String, Proposed)> {
    let stream = event.record.stream.as_str();
    let about = described_by(stream).unwrap_or(stream);
    if BOOKS.iter().any(|books| about.starts_with(books)) {
        return Vec::new();
    }
    let links = [by_category(event), by_type(event), by_correlation(event), to_first(event)];
    let named = |(name, _): &(String, Proposed)| name.len() <= MAX_NAME_BYTES;
    links.into_iter().flatten().filter(named).collect()
}

/// For a deleted stream, the link points to the event that deleted it.
fn by_category(event: &Event) -> Option<(String, Proposed)> {
    let record = &event.record;
    let deleted = deleted_by(event);
    let stream = deleted.unwrap_or(&record.stream);
    let category = category_of(stream)?;
    // A link to a link would point to the link and not to the event.
    let target = if event.is_link() {
        String::from_utf8(record.data.to_vec()).ok()?
    } else {
        format!("{}@{}", record.revision, record.stream)
    };
    let mut metadata = metadata_of(event);
    metadata.insert("$o".into(), stream.into());
    if deleted.is_some() {
        metadata.insert("$deleted".into(), json!(-1));
    }
    Some(link(event, format!("{BY_CATEGORY}{category}"), target, metadata))
}

fn by_type(event: &Event) -> Option<(String, Proposed)> {
    let record = &event.record;
    if event.is_link() {
        return None;
    }
    let mut metadata = metadata_of(event);
    let (stream, event_type) = match deleted_by(event) {
        Some(deleted) => {
            metadata.insert("$deleted".into(), json!(-1));
            (deleted, "$deleted")
        }
        None => (record.stream.as_str(), record.event_type.as_str()),
    };
    Some(link(event, format!("{BY_TYPE}{event_type}"), format!("{}@{stream}", record.revision), metadata))
}

fn by_correlation(event: &Event) -> Option<(String, Proposed)> {
    let record = &event.record;
    if event.is_link() {
        return None;
    }
    let correlation = match object_in(&record.metadata)?.remove("$correlationId")? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut metadata = metadata_of(event);
    let created = i64::try_from(record.created / 10).ok().and_then(DateTime::<Utc>::from_timestamp_micros);
    metadata.insert("$eventTimestamp".into(), json!(created.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true))));
    let target = format!("{}@{}", record.revision, record.stream);
    Some(link(event, format!("{BY_CORRELATION}{correlation}"), target, metadata))
}

/// A link to the first event of each stream, including streams of links.
fn to_first(event: &Event) -> Option<(String, Proposed)> {
    let record = &event.record;
    let is_listed = record.revision == 0 && record.stream != STREAMS && described_by(&record.stream).is_none();
    is_listed.then(|| link(event, STREAMS.into(), format!("0@{}", record.stream), metadata_of(event)))
}

/// `None` for the system's own streams, and for names without a category.
fn category_of(stream: &str) -> Option<&str> {
    let (category, _) = stream.split_once(SEPARATOR)?;
    (!category.is_empty() && !stream.starts_with('$')).then_some(category)
}

/// The stream that this event deletes, for good or so that it may be written again.
fn deleted_by(event: &Event) -> Option<&str> {
    let record = &event.record;
    if event.is_tombstone() {
        return Some(&record.stream);
    }
    let described = described_by(&record.stream)?;
    let deletes = record.event_type == METADATA_TYPE && limits_in(&record.data).truncate_before == Some(SOFT_DELETED);
    deletes.then_some(described)
}

/// The metadata of every link: facts about the event to which it points.
fn metadata_of(event: &Event) -> Map<String, Value> {
    let cause = Uuid::from_slice(&event.record.id).unwrap_or_default();
    let mut metadata = Map::new();
    metadata.insert("$c".into(), event.position.into());
    metadata.insert("$p".into(), event.position.into());
    metadata.insert("$causedBy".into(), cause.to_string().into());
    metadata
}

fn link(event: &Event, stream: String, target: String, metadata: Map<String, Value>) -> (String, Proposed) {
    let id = xxh3_128(format!("{}@{stream}", event.position).as_bytes());
    let id = Builder::from_custom_bytes(id.to_be_bytes()).into_uuid();
    (stream, Proposed::link(id, target, Value::Object(metadata).to_string()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::storage::StoredEvent;
    use crate::storage::event::{TOMBSTONE_REVISION, TOMBSTONE_TYPE};

    fn event(stream: &str, revision: u64, event_type: &str, data: &str) -> Event {
        let record = StoredEvent {
            stream: stream.into(),
            revision,
            event_type: event_type.into(),
            metadata: Bytes::from_static(br#"{"$correlationId":"c-1"}"#),
            data: Bytes::copy_from_slice(data.as_bytes()),
            ..StoredEvent::default()
        };
        Event { position: 7, record }
    }

    /// The streams of the links, and their targets.
    fn links(event: &Event) -> Vec<(String, String)> {
        let text = |link: Proposed| String::from_utf8(link.data.to_vec()).unwrap();
        of(event).into_iter().map(|(stream, link)| (stream, text(link))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(stream, target)| ((*stream).to_owned(), (*target).to_owned())).collect()
    }

    #[test]
    fn an_event_is_linked_by_category_type_and_correlation_and_the_first_one_by_its_stream() {
        assert_eq!(
            links(&event("order-1-a", 0, "Placed", "{}")),
            pairs(&[
                ("$ce-order", "0@order-1-a"),
                ("$et-Placed", "0@order-1-a"),
                ("$bc-c-1", "0@order-1-a"),
                ("$streams", "0@order-1-a"),
            ])
        );
        let later = [("$ce-order", "3@order-1-a"), ("$et-Shipped", "3@order-1-a"), ("$bc-c-1", "3@order-1-a")];
        assert_eq!(links(&event("order-1-a", 3, "Shipped", "{}")), pairs(&later));
    }

    #[test]
    fn a_stream_without_a_category_has_none() {
        for name in ["order", "-1", "$ce-order"] {
            let categories = links(&event(name, 1, "Placed", "{}"));
            assert!(categories.iter().all(|(stream, _)| !stream.starts_with(BY_CATEGORY)), "{name}: {categories:?}");
        }
    }

    #[test]
    fn a_link_is_linked_by_the_category_of_its_target() {
        assert_eq!(links(&event("mine-1", 4, "$>", "2@order-1")), pairs(&[("$ce-mine", "2@order-1")]));
    }

    #[test]
    fn a_deletion_is_linked_as_such() {
        let tombstone = event("order-1", TOMBSTONE_REVISION, TOMBSTONE_TYPE, "");
        let at = format!("{TOMBSTONE_REVISION}@order-1");
        let linked = links(&tombstone);
        assert_eq!(linked[..2], pairs(&[("$ce-order", &at), ("$et-$deleted", &at)]));
        let soft = event("$$order-1", 0, "$metadata", &json!({ "$tb": SOFT_DELETED }).to_string());
        let linked = links(&soft);
        assert_eq!(linked[..2], pairs(&[("$ce-order", "0@$$order-1"), ("$et-$deleted", "0@order-1")]));
        let metadata: Value = serde_json::from_slice(&of(&soft)[0].1.metadata).unwrap();
        assert_eq!((&metadata["$o"], &metadata["$deleted"]), (&json!("order-1"), &json!(-1)));
    }

    #[test]
    fn the_nodes_own_records_get_no_links() {
        for name in ["$persistentsubscription-a::b-parked", "$$$persistentsubscription-a::b-parked", "$scavenges"] {
            assert_eq!(links(&event(name, 0, "Any", "{}")), [], "{name}");
        }
        assert_eq!(links(&event("$streams", 0, "$>", "0@order-1")), []);
        assert_eq!(links(&event(super::super::CHECKPOINTS, 0, "Any", "{}")), []);
    }

    #[test]
    fn a_link_has_the_same_id_however_often_it_is_made_and_another_in_each_stream() {
        let ids = |event: &Event| of(event).into_iter().map(|(_, link)| link.id).collect::<Vec<_>>();
        let first = ids(&event("order-1", 0, "Placed", "{}"));
        assert_eq!(first, ids(&event("order-1", 0, "Placed", "{}")));
        let mut different = first.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), first.len());
    }

    #[test]
    fn a_name_that_no_stream_can_have_gets_no_link() {
        let long = "x".repeat(1 << 20);
        assert_eq!(
            links(&event("order-1", 1, &long, "{}")),
            pairs(&[("$ce-order", "1@order-1"), ("$bc-c-1", "1@order-1")])
        );
    }
}

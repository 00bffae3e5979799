//! Conversion between the protocol's messages and the node's own types.

use std::sync::Arc;

use bytes::Bytes;
use event_store_protocol::scavenge::is_of_scavenges;
use event_store_protocol::shared::{self, AllStreamPosition, Empty, StreamIdentifier, uuid::Structured, uuid::Value};
use event_store_protocol::streams::append_req::ProposedMessage;
use event_store_protocol::streams::append_resp::Success;
use event_store_protocol::streams::append_resp::success::{CurrentRevisionOption, PositionOption};
use event_store_protocol::streams::read_resp::{Content, ReadEvent, read_event};
use event_store_protocol::streams::{ReadResp, read_req::options::uuid_option};
use tonic::Status;
use uuid::Uuid;

use super::refusal;
use crate::change::{Proposed, Written};
use crate::reader::Reader;
use crate::storage::{Event, Resolved};

/// Longer names would not fit into a key of the storage, and no client needs them.
const MAX_NAME_BYTES: usize = 16 << 10;
/// The name of the stream of all events.
pub(super) const ALL: &str = "$all";

/// The name of a stream to read.
pub(super) fn stream_name(identifier: Option<StreamIdentifier>) -> Result<String, Status> {
    let bytes = identifier.ok_or_else(|| refusal::missing("StreamIdentifier"))?.stream_name;
    let name = String::from_utf8(bytes.into()).map_err(|_| refusal::invalid("The stream name is not UTF-8."))?;
    checked_name(&name)?;
    Ok(name)
}

/// Refuses an invalid stream name.
pub(crate) fn checked_name(name: &str) -> Result<(), Status> {
    if name.is_empty() || name == "$$" {
        return Err(refusal::invalid(format!("'{name}' is not a valid stream name.")));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(refusal::invalid(format!("The stream name is longer than {MAX_NAME_BYTES} bytes.")));
    }
    Ok(())
}

/// Refuses an invalid name of a stream to write. Only the node may record what a scavenge has
/// removed: a client's record would make the node remove other events.
pub(crate) fn checked_writable_name(name: &str) -> Result<(), Status> {
    checked_name(name)?;
    if name == ALL || is_of_scavenges(name) { Err(refusal::access_denied()) } else { Ok(()) }
}

/// The name of a stream to write.
pub(super) fn writable_stream_name(identifier: Option<StreamIdentifier>) -> Result<String, Status> {
    let name = stream_name(identifier)?;
    checked_writable_name(&name)?;
    Ok(name)
}

pub(super) fn uuid(wire: Option<shared::Uuid>) -> Result<Uuid, Status> {
    match wire.and_then(|uuid| uuid.value) {
        Some(Value::Structured(Structured { most_significant_bits: most, least_significant_bits: least })) => {
            Ok(Uuid::from_u64_pair(most.cast_unsigned(), least.cast_unsigned()))
        }
        Some(Value::String(text)) => {
            Uuid::parse_str(&text).map_err(|_| refusal::invalid(format!("'{text}' is not a UUID.")))
        }
        None => Err(refusal::missing("Id")),
    }
}

pub(super) fn proposed(message: ProposedMessage) -> Result<Proposed, Status> {
    let ProposedMessage { id, metadata: mut properties, custom_metadata, data } = message;
    let mut take = |name: &str| properties.remove(name).ok_or_else(|| refusal::missing_property(name));
    let (event_type, content_type) = (take("type")?, take("content-type")?);
    Ok(Proposed { id: uuid(id)?, event_type, content_type, metadata: custom_metadata, data })
}

pub(super) fn success(written: Written) -> Success {
    Success {
        current_revision_option: Some(match written.revision {
            Some(revision) => CurrentRevisionOption::CurrentRevision(revision),
            None => CurrentRevisionOption::NoStream(Empty {}),
        }),
        position_option: Some(match written.position {
            Some(at) => PositionOption::Position(position(at)),
            None => PositionOption::NoPosition(Empty {}),
        }),
    }
}

/// The protocol has two numbers for a position. A node without transactions needs only one.
pub(super) fn position(position: u64) -> AllStreamPosition {
    AllStreamPosition { commit_position: position, prepare_position: position }
}

/// The form in which the caller wants ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdForm {
    Structured,
    Text,
}

impl IdForm {
    pub(super) fn from_wire(option: Option<uuid_option::Content>) -> Result<Self, Status> {
        match option {
            Some(uuid_option::Content::Structured(_)) => Ok(Self::Structured),
            Some(uuid_option::Content::String(_)) => Ok(Self::Text),
            None => Err(refusal::missing("UuidOption")),
        }
    }

    fn wire(self, id: &[u8]) -> shared::Uuid {
        let id = Uuid::from_slice(id).unwrap_or_default();
        let value = match self {
            Self::Text => Value::String(id.to_string()),
            Self::Structured => {
                let (most, least) = id.as_u64_pair();
                Value::Structured(Structured {
                    most_significant_bits: most.cast_signed(),
                    least_significant_bits: least.cast_signed(),
                })
            }
        };
        shared::Uuid { value: Some(value) }
    }
}

/// The form in which a reader wants events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) ids: IdForm,
    pub(super) follow_links: bool,
}

/// The messages for some events.
pub(super) async fn read_events(reader: &Reader, events: Vec<Arc<Event>>, form: Form) -> Result<Vec<ReadResp>, Status> {
    let resolved = reader.resolve(events, form.follow_links).await.map_err(refusal::unreadable)?;
    Ok(resolved.iter().map(|event| read_event(event, form.ids)).collect())
}

fn read_event(event: &Resolved, ids: IdForm) -> ReadResp {
    let (event, link, position) = resolved(event, ids);
    response(Content::Event(ReadEvent { event, link, position: position.map(read_event::Position::CommitPosition) }))
}

/// The event, the link to it, and the position at which a reader of `$all` finds the event or the
/// link.
pub(super) fn resolved(
    resolved: &Resolved,
    ids: IdForm,
) -> (Option<read_event::RecordedEvent>, Option<read_event::RecordedEvent>, Option<u64>) {
    let recorded = |event: &Option<Arc<Event>>| event.as_deref().map(|event| recorded_event(event, ids));
    let position = resolved.original().map(|event| event.position);
    (recorded(&resolved.event), recorded(&resolved.link), position)
}

fn recorded_event(event: &Event, ids: IdForm) -> read_event::RecordedEvent {
    let record = &event.record;
    let property =
        |name: &'static str, value| read_event::Property { name: Bytes::from_static(name.as_bytes()), value };
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    read_event::RecordedEvent {
        id: Some(ids.wire(&record.id)),
        stream_identifier: Some(identifier(&record.stream)),
        stream_revision: record.revision,
        prepare_position: event.position,
        commit_position: event.position,
        metadata: vec![
            property("type", text(&record.event_type)),
            property("created", record.created.to_string().into()),
            property("content-type", text(&record.content_type)),
        ],
        custom_metadata: record.metadata.clone(),
        data: record.data.clone(),
    }
}

pub(super) fn identifier(stream: &str) -> StreamIdentifier {
    StreamIdentifier { stream_name: Bytes::copy_from_slice(stream.as_bytes()) }
}

pub(super) fn response(content: Content) -> ReadResp {
    ReadResp { content: Some(content) }
}

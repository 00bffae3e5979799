//! The records of consumer groups: the list of groups, the checkpoint of each, and links to its
//! parked events. They are ordinary events in streams of the log, under the server's names for
//! them, so that any client can read them.

use bytes::Bytes;
use chrono::Utc;
use event_store_protocol::metadata::{METADATA_TYPE, metadata_stream_of};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::message::Message;
use super::settings::{Entry, GroupKey};
use crate::change::{Change, Failure, Intent, Proposed};
use crate::decision::Expected;
use crate::reader::{ReadFailure, Reader};
use crate::storage::{Direction, PageLimits, Resolved, StreamPage};
use crate::writer::Writer;

const CONFIGURATION: &str = "$persistentSubscriptionConfig";
const CONFIGURATION_TYPE: &str = "$PersistentConfig";
const CHECKPOINT_TYPE: &str = "$SubscriptionCheckpoint";

#[derive(Serialize, Deserialize)]
struct Configuration {
    version: String,
    updated: String,
    entries: Vec<Entry>,
}

/// Writes and reads the records of groups.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

impl Books {
    pub(super) async fn groups(&self) -> Result<Vec<Entry>, ReadFailure> {
        let Some(last) = self.reader.last_of(CONFIGURATION).await? else { return Ok(Vec::new()) };
        let read = serde_json::from_slice::<Configuration>(&last.record.data);
        read.map(|read| read.entries).map_err(|error| ReadFailure::Broken(format!("{CONFIGURATION}: {error}")))
    }

    pub(super) async fn write_groups(&self, entries: Vec<Entry>) -> Result<(), Failure> {
        let configuration = Configuration { version: "2".into(), updated: Utc::now().to_rfc3339(), entries };
        self.append(CONFIGURATION.into(), CONFIGURATION_TYPE, &json!(configuration)).await
    }

    /// The place up to which the group has finished every event.
    pub(super) async fn checkpoint(&self, key: &GroupKey) -> Result<Option<u64>, ReadFailure> {
        let Some(last) = self.reader.last_of(&key.checkpoint_stream()).await? else { return Ok(None) };
        let read = match serde_json::from_slice(&last.record.data) {
            Ok(Value::Number(revision)) => revision.as_u64(),
            Ok(Value::String(position)) => place_in(&position),
            _ => None,
        };
        let broken = || ReadFailure::Broken(format!("{}: not a checkpoint", key.checkpoint_stream()));
        read.map(Some).ok_or_else(broken)
    }

    pub(super) async fn write_checkpoint(&self, key: &GroupKey, place: u64, is_first: bool) -> Result<(), Failure> {
        let stream = key.checkpoint_stream();
        let checkpoint = if key.reads_all() { json!(place_name(key, place)) } else { json!(place) };
        if is_first {
            // Only the last checkpoint counts.
            let metadata = metadata_stream_of(&stream);
            self.append(metadata, METADATA_TYPE, &json!({ "$maxCount": 2 })).await?;
        }
        self.append(stream, CHECKPOINT_TYPE, &checkpoint).await
    }

    /// Parks an event, and returns the revision of the link to it.
    pub(super) async fn park(&self, key: &GroupKey, message: &Message, reason: &str) -> Result<u64, Failure> {
        let metadata = json!({
            "added": Utc::now().to_rfc3339(),
            "reason": reason,
            "subscriptionEventNumber": message.place,
        });
        let link = Proposed::link(Uuid::new_v4(), link_to(message), metadata.to_string());
        self.write(key.parked_stream(), link).await
    }

    /// The range of revisions of the parked events.
    pub(super) async fn parked(&self, key: &GroupKey) -> Result<std::ops::Range<u64>, ReadFailure> {
        let stream = key.parked_stream();
        let one = PageLimits { events: 1, ..PageLimits::default() };
        match self.reader.stream_page(&stream, 0, Direction::Forwards, one).await? {
            StreamPage::Page { events, last, .. } => {
                let end = last + 1;
                Ok(events.first().map_or(end, |event| event.record.revision)..end)
            }
            StreamPage::NotFound | StreamPage::Deleted => Ok(0..0),
        }
    }

    /// A page of the parked events, from a revision on.
    pub(super) async fn read_parked(
        &self,
        key: &GroupKey,
        from: u64,
        most: usize,
    ) -> Result<Vec<Message>, ReadFailure> {
        let limits = PageLimits { events: most, ..PageLimits::default() };
        let page = self.reader.stream_page(&key.parked_stream(), from, Direction::Forwards, limits).await?;
        let StreamPage::Page { events, .. } = page else { return Ok(Vec::new()) };
        let places: Vec<_> = events.iter().map(|event| event.record.revision).collect();
        // As from any server, a consumer gets both the link and the event, even if the group does
        // not resolve links.
        let resolved = self.reader.resolve(events, true).await?;
        let message = |(resolved, place)| Message::new(resolved, None, Some(place));
        Ok(resolved.into_iter().zip(places).filter_map(message).collect())
    }

    /// Removes the parked events before a revision, because they are finished.
    pub(super) async fn forget_parked(&self, key: &GroupKey, before: u64) -> Result<(), Failure> {
        let metadata = metadata_stream_of(&key.parked_stream());
        self.append(metadata, METADATA_TYPE, &json!({ "$tb": before })).await
    }

    /// Deletes a group's records, so that a new group of the same name begins from scratch.
    pub(super) async fn forget(&self, key: &GroupKey) -> Result<(), Failure> {
        for stream in [key.checkpoint_stream(), key.parked_stream()] {
            // Refused if there is nothing to delete.
            let intent = Intent { stream, expected: Expected::StreamExists, change: Change::Delete };
            let _refused = self.writer.change(intent).await?;
        }
        Ok(())
    }

    async fn append(&self, stream: String, event_type: &str, data: &Value) -> Result<(), Failure> {
        self.write(stream, Proposed::own(event_type, data)).await.map(drop)
    }

    /// Appends an event and returns its revision.
    async fn write(&self, stream: String, event: Proposed) -> Result<u64, Failure> {
        let name = stream.clone();
        let intent = Intent { stream, expected: Expected::Any, change: Change::Append(vec![event]) };
        match self.writer.change(intent).await? {
            Ok(written) => Ok(written.revision.unwrap_or(0)),
            Err(refusal) => Err(Failure::Broken(format!("{name} cannot be written: {refusal:?}"))),
        }
    }
}

/// A link to the event itself, and not to the link that led to it. A link to nothing is kept as it
/// is.
fn link_to(message: &Message) -> Bytes {
    match &message.event {
        Resolved { event: Some(event), .. } => {
            Bytes::from(format!("{}@{}", event.record.revision, event.record.stream))
        }
        Resolved { event: None, link } => link.as_ref().map_or_else(Bytes::new, |link| link.record.data.clone()),
    }
}

/// A place in the form that clients see: a revision, or a position of `$all`.
pub(super) fn place_name(key: &GroupKey, place: u64) -> String {
    if key.reads_all() { format!("C:{place}/P:{place}") } else { place.to_string() }
}

fn place_in(position: &str) -> Option<u64> {
    position.strip_prefix("C:")?.split_once('/')?.0.parse().ok()
}

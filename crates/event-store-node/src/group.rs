//! A group of changes that go to disk together.
//!
//! Each change is decided on the log as it will be after the earlier changes of the group. So a
//! group has the same result as the same changes one by one. No reader sees any of it until the
//! group is committed as one batch.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use event_store_protocol::metadata::{METADATA_TYPE, SOFT_DELETED, described_by, metadata_stream_of, object_in};
use serde_json::{Value, json};
use uuid::Uuid;

use super::change::{Change, Intent, JSON, Outcome, Proposed, Refusal, Written};
use super::decision::{Decision, History, Standing, decide};
use super::storage::event::{TOMBSTONE_REVISION, TOMBSTONE_TYPE, now};
use super::storage::{Batch, Event, StorageError, StoredEvent, StoredLimits, StoredStream, View};

pub(super) struct Group<'a> {
    view: View<'a>,
    first_position: u64,
    created: u64,
    batch: Batch,
    ids: HashMap<(u64, Uuid), u64>,
    positions: HashMap<(u64, u64), u64>,
}

impl<'a> Group<'a> {
    /// An empty group. Its first event gets this position.
    pub(super) fn new(view: View<'a>, first_position: u64) -> Self {
        Self {
            view,
            first_position,
            created: now(),
            batch: Batch::default(),
            ids: HashMap::new(),
            positions: HashMap::new(),
        }
    }

    /// How many events are to be written.
    pub(super) fn len(&self) -> usize {
        self.batch.events.len()
    }

    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }

    /// Decides on a change. If the change is accepted, adds it to the group.
    pub(super) fn add(&mut self, intent: Intent) -> Result<Outcome, StorageError> {
        let Intent { stream, expected, change } = intent;
        if let Change::Links(links) = change {
            return self.link(links).map(Ok);
        }
        let ids: Vec<Uuid> = match &change {
            Change::Append(events) => events.iter().map(|event| event.id).collect(),
            // These changes have no event ids of the caller. A new id ensures that they count as no
            // repeat.
            Change::Delete | Change::Tombstone | Change::Links(_) => vec![Uuid::new_v4()],
        };
        let (standing, number) = self.standing(&stream)?;
        match decide(expected, standing, &ids, &GroupHistory { group: self, number })? {
            Decision::Deleted => Ok(Err(Refusal::StreamDeleted)),
            Decision::WrongExpectedRevision => Ok(Err(Refusal::WrongExpectedRevision { current: standing.last })),
            Decision::Repeated { last } => {
                let position = match number {
                    Some(number) => self.position_of(number, last)?,
                    None => None,
                };
                Ok(Ok(Written { revision: Some(last), position }))
            }
            // Nothing to hide. (A tombstone may be written for a stream without events.)
            Decision::Write if matches!(change, Change::Delete) && standing.never_was() => {
                Ok(Err(Refusal::WrongExpectedRevision { current: None }))
            }
            Decision::Write => self.write(&stream, standing, change).map(Ok),
        }
    }

    fn write(&mut self, stream: &str, standing: Standing, change: Change) -> Result<Written, StorageError> {
        match change {
            Change::Append(events) => {
                if standing.soft_deleted && !events.is_empty() {
                    self.revive(stream, standing.last.map_or(0, |last| last + 1))?;
                }
                let mut written = Written { revision: standing.last, position: None };
                for event in events {
                    written = self.append(stream, event)?;
                }
                Ok(written)
            }
            Change::Delete => self.append(&metadata_stream_of(stream), metadata_event(&json!({ "$tb": SOFT_DELETED }))),
            Change::Tombstone => self.tombstone(stream),
            Change::Links(links) => self.link(links),
        }
    }

    /// Adds the links that do not exist yet.
    fn link(&mut self, links: Vec<(String, Proposed)>) -> Result<Written, StorageError> {
        let mut written = Written { revision: None, position: None };
        for (stream, link) in links {
            let (standing, number) = self.standing(&stream)?;
            let is_there = GroupHistory { group: self, number }.revision_of(link.id)?.is_some();
            if !is_there && !standing.tombstoned {
                written = self.write(&stream, standing, Change::Append(vec![link]))?;
            }
        }
        Ok(written)
    }

    fn append(&mut self, stream: &str, event: Proposed) -> Result<Written, StorageError> {
        let found = self.stream(stream)?;
        let revision = found.and_then(|found| found.last_revision).map_or(0, |last| last + 1);
        let (id, position) = (event.id, self.next_position());
        let number = self.push(found, stream, revision, event);
        self.ids.insert((number, id), revision);
        self.positions.insert((number, revision), position);
        Ok(Written { revision: Some(revision), position: Some(position) })
    }

    fn tombstone(&mut self, stream: &str) -> Result<Written, StorageError> {
        let found = self.stream(stream)?;
        let position = self.next_position();
        let event = Proposed {
            id: Uuid::new_v4(),
            event_type: TOMBSTONE_TYPE.into(),
            content_type: JSON.into(),
            metadata: Bytes::new(),
            data: Bytes::new(),
        };
        self.push(found, stream, TOMBSTONE_REVISION, event);
        Ok(Written { revision: None, position: Some(position) })
    }

    /// Makes a deleted stream visible again, from the revision that is written next.
    fn revive(&mut self, stream: &str, from: u64) -> Result<(), StorageError> {
        let name = metadata_stream_of(stream);
        let mut metadata = self.last_data_of(&name)?.and_then(|data| object_in(&data)).unwrap_or_default();
        metadata.insert("$tb".into(), from.into());
        self.append(&name, metadata_event(&Value::Object(metadata)))?;
        Ok(())
    }

    /// Adds an event to a stream, and returns the stream's number.
    fn push(&mut self, found: Option<StoredStream>, stream: &str, revision: u64, event: Proposed) -> u64 {
        let position = self.next_position();
        let record = StoredEvent {
            stream: stream.into(),
            revision,
            id: Bytes::copy_from_slice(event.id.as_bytes()),
            created: self.created,
            event_type: event.event_type,
            content_type: event.content_type,
            metadata: event.metadata,
            data: event.data,
        };
        self.batch.add(found, Event { position, record }).number
    }

    fn next_position(&self) -> u64 {
        self.first_position + self.batch.events.len() as u64
    }

    /// The stream's state and its number. Without a number, it has never been written.
    fn standing(&self, stream: &str) -> Result<(Standing, Option<u64>), StorageError> {
        let found = self.stream(stream)?;
        // As on a server: a stream with metadata accepts more metadata, even after it was deleted
        // for good.
        let described = match described_by(stream) {
            Some(described) if found.is_none() => self.stream(described)?,
            _ => None,
        };
        let limits = self.limits(stream)?;
        let last = found.and_then(|found| found.last_revision);
        let standing = Standing {
            last,
            soft_deleted: limits.truncate_before == Some(SOFT_DELETED),
            tombstoned: [found, described].into_iter().flatten().any(|stream| stream.tombstoned),
            has_metadata: last.is_none() && self.stream(&metadata_stream_of(stream))?.is_some(),
        };
        Ok((standing, found.map(|found| found.number)))
    }

    fn stream(&self, name: &str) -> Result<Option<StoredStream>, StorageError> {
        match self.batch.streams.get(name) {
            Some(stream) => Ok(Some(*stream)),
            None => self.view.stream(name),
        }
    }

    fn limits(&self, name: &str) -> Result<StoredLimits, StorageError> {
        match self.batch.limits.get(name) {
            Some(limits) => Ok(*limits),
            None => self.view.limits(name),
        }
    }

    fn position_of(&self, number: u64, revision: u64) -> Result<Option<u64>, StorageError> {
        match self.positions.get(&(number, revision)) {
            Some(position) => Ok(Some(*position)),
            None => self.view.position_of(number, revision),
        }
    }

    fn event(&self, position: u64) -> Result<Option<Arc<Event>>, StorageError> {
        let pending = position.checked_sub(self.first_position).and_then(|index| usize::try_from(index).ok());
        match pending.and_then(|index| self.batch.events.get(index)) {
            Some((_, event)) => Ok(Some(event.clone())),
            None => Ok(self.view.event(position)?.map(Arc::new)),
        }
    }

    fn last_data_of(&self, stream: &str) -> Result<Option<Bytes>, StorageError> {
        let Some(StoredStream { number, last_revision: Some(last), .. }) = self.stream(stream)? else {
            return Ok(None);
        };
        let Some(position) = self.position_of(number, last)? else { return Ok(None) };
        Ok(self.event(position)?.map(|event| event.record.data.clone()))
    }
}

/// One stream as it will be after the group. Without a number, it has never been written.
struct GroupHistory<'a, 'b> {
    group: &'a Group<'b>,
    number: Option<u64>,
}

impl History for GroupHistory<'_, '_> {
    type Error = StorageError;

    fn id_at(&self, revision: u64) -> Result<Option<Uuid>, StorageError> {
        let Some(number) = self.number else { return Ok(None) };
        let Some(position) = self.group.position_of(number, revision)? else { return Ok(None) };
        Ok(self.group.event(position)?.and_then(|event| Uuid::from_slice(&event.record.id).ok()))
    }

    fn revision_of(&self, id: Uuid) -> Result<Option<u64>, StorageError> {
        let Some(number) = self.number else { return Ok(None) };
        match self.group.ids.get(&(number, id)) {
            Some(revision) => Ok(Some(*revision)),
            None => self.group.view.revision_of(number, id.as_bytes()),
        }
    }
}

fn metadata_event(metadata: &Value) -> Proposed {
    Proposed::own(METADATA_TYPE, metadata)
}

//! What a scavenge may remove: events that no reader of their stream can see any more.
//!
//! The last event of each stream stays, because the stream's revisions continue from it. Of a
//! stream that is deleted for good only the tombstone stays.

use event_store_protocol::metadata::described_by;
use event_store_protocol::scavenge::{Removed, is_of_scavenges};
use fjall::Readable;
use prost::Message;

use super::{StorageError, StoredStream, View, keys};

/// How many events one commit removes. Bounded, so that the commit's record stays small.
const MAX_EVENTS: u64 = 512;
/// How many bytes of stream names one record may have.
const MAX_NAMES: usize = 128 << 10;
/// How many streams are examined before the scavenge may be stopped.
const MAX_STREAMS: usize = 1024;

/// A part of what a scavenge may remove.
#[derive(Debug, Default)]
pub(crate) struct Waste {
    pub(crate) removed: Vec<Removed>,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    /// The stream and the revision with which the next part begins. `None`: this was the last part.
    pub(crate) next: Option<(String, u64)>,
}

impl View<'_> {
    /// What may be removed, in the order of the streams' names, from a revision of a stream on.
    /// Events after the position `through` are not included.
    pub(crate) fn waste(&self, (first, from): (&str, u64), through: u64) -> Result<Waste, StorageError> {
        let mut waste = Waste::default();
        let mut names = 0;
        let rows = self.snapshot.range(&self.keyspaces.streams, first.as_bytes()..);
        for (examined, row) in rows.enumerate() {
            let (name, stream) = row.into_inner()?;
            let name = String::from_utf8_lossy(&name).into_owned();
            if examined == MAX_STREAMS || waste.events >= MAX_EVENTS || names >= MAX_NAMES {
                waste.next = Some((name, 0));
                return Ok(waste);
            }
            let from = if name == first { from } else { 0 };
            let rest = self.waste_of((&name, from), StoredStream::decode(&*stream)?, through, &mut waste)?;
            names += name.len();
            if let Some(revision) = rest {
                waste.next = Some((name, revision));
                return Ok(waste);
            }
        }
        Ok(waste)
    }

    /// Adds the removable events of a stream. `Some`: it has more, from this revision on.
    fn waste_of(
        &self,
        (name, from): (&str, u64),
        stream: StoredStream,
        through: u64,
        waste: &mut Waste,
    ) -> Result<Option<u64>, StorageError> {
        let first_kept = self.first_kept(name, stream)?;
        let Some(last_removed) = first_kept.checked_sub(1) else { return Ok(None) };
        if from > last_removed {
            return Ok(None);
        }
        let keys = keys::revision(stream.number, from)..=keys::revision(stream.number, last_removed);
        let mut removed: Option<Removed> = None;
        let mut rest = None;
        for row in self.snapshot.range(&self.keyspaces.revisions, keys) {
            let (key, position) = row.into_inner()?;
            let ((_, revision), position) = (keys::pair_from(&key)?, keys::number_from(&position)?);
            if position > through {
                break;
            }
            if waste.events >= MAX_EVENTS {
                rest = Some(revision);
                break;
            }
            let event = self.event(position)?.ok_or_else(|| {
                StorageError::Damaged(format!("position {position}, which a stream names, has no event"))
            })?;
            waste.events += 1;
            waste.bytes += event.size() as u64;
            match &mut removed {
                Some(removed) => removed.add(revision, position),
                None => removed = Some(Removed::begin(name, revision, position)),
            }
        }
        waste.removed.extend(removed);
        Ok(rest)
    }

    /// The first revision of a stream that a scavenge keeps.
    fn first_kept(&self, name: &str, stream: StoredStream) -> Result<u64, StorageError> {
        if is_of_scavenges(name) {
            return Ok(0);
        }
        let StoredStream { number, last_revision, tombstoned } = stream;
        let Some(last) = last_revision else { return Ok(0) };
        if tombstoned {
            return Ok(last + 1);
        }
        if described_by(name).is_some() {
            return Ok(last);
        }
        Ok(self.first_within(self.limits(name)?, number, last)?.min(last))
    }
}

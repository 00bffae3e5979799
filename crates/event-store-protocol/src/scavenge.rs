//! How an embedded node records what its scavenges have removed.
//!
//! `EventStoreDB` also reports a scavenge in streams of this name. Only the node's record names
//! each removed event.

use serde::{Deserialize, Serialize};

use crate::metadata::described_by;

/// Links to the beginning and the end of each scavenge. The names of the scavenges' own streams
/// begin with the same text.
pub const SCAVENGES: &str = "$scavenges";
/// The type of an event that records removed events.
pub const REMOVED_TYPE: &str = "$scavengeEventsRemoved";

/// Whether the stream belongs to a scavenge, or is the metadata of such a stream.
pub fn is_of_scavenges(stream: &str) -> bool {
    described_by(stream).unwrap_or(stream).starts_with(SCAVENGES)
}

/// Removed events of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// The stream.
    pub stream: String,
    /// The first of their revisions.
    pub from_revision: u64,
    /// The last of their revisions.
    pub to_revision: u64,
    /// First and last of each run of positions, in order.
    pub positions: Vec<(u64, u64)>,
}

impl Removed {
    /// A record of one event.
    pub fn begin(stream: &str, revision: u64, position: u64) -> Self {
        Self {
            stream: stream.into(),
            from_revision: revision,
            to_revision: revision,
            positions: vec![(position, position)],
        }
    }

    /// Adds the next event of the stream.
    pub fn add(&mut self, revision: u64, position: u64) {
        self.to_revision = revision;
        match self.positions.last_mut() {
            Some((_, last)) if *last + 1 == position => *last = position,
            _ => self.positions.push((position, position)),
        }
    }

    /// The position of each removed event.
    pub fn each_position(&self) -> impl Iterator<Item = u64> + '_ {
        self.positions.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Whether this record has the event at this revision of this stream.
    pub fn names(&self, stream: &str, revision: u64) -> bool {
        stream == self.stream && (self.from_revision..=self.to_revision).contains(&revision)
    }
}

/// The progress of a scavenge, with the events that it removed last: the data of an event of
/// [`REMOVED_TYPE`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The id of the scavenge.
    pub scavenge_id: String,
    /// How many events it has removed.
    pub events_removed: u64,
    /// How many bytes it has freed.
    pub space_saved: u64,
    /// The events that it removed last.
    #[serde(default)]
    pub removed: Vec<Removed>,
}

impl Progress {
    /// Reads the data of an event. `None`: it is no progress.
    pub fn of(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }
}

/// The removals in an event of this stream and type. An event that is no record removes nothing.
pub fn recorded(stream: &str, event_type: &str, data: &[u8]) -> Vec<Removed> {
    if event_type != REMOVED_TYPE || !stream.starts_with(SCAVENGES) {
        return Vec::new();
    }
    Progress::of(data).map(|progress| progress.removed).unwrap_or_default()
}

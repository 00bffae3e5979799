//! The hash chain of an order's events: whether each event is unchanged and in its place.
//!
//! A hash covers an event's id, type, data and metadata, and the hash before it ([`wire::link`]).
//! It does not cover what the server states: revision, position, and the time of recording.
//! Revisions are checked by counting. A chain does not know its end: only a later [`Head`] shows
//! that events at the end were cut off.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Hash;
use crate::ids::OrderId;
use crate::{json, wire};

/// How many events before and after a wrong event are searched for its real predecessor.
const NEIGHBOURS: usize = 512;

/// An event from the log, with any content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// The revision in its stream.
    pub revision: u64,
    /// The position in the log.
    pub position: u64,
    /// The id from its writer.
    pub id: Uuid,
    /// The type.
    pub event_type: &'a str,
    /// The data.
    pub data: &'a [u8],
    /// The metadata.
    pub metadata: &'a [u8],
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The revision of the last event.
    pub revision: u64,
    /// Its hash; `None`: it has none.
    pub hash: Option<Hash>,
}

/// A difference from what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The revision in the order's stream.
    pub revision: u64,
    /// The event at this revision, if one exists.
    pub event_id: Option<Uuid>,
    /// Its position in the log.
    pub position: Option<u64>,
    /// The reason.
    #[serde(flatten)]
    pub flaw: Flaw,
}

/// A flaw of an event, or of a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Flaw {
    /// Its hash does not fit its contents after any event.
    Changed,
    /// It is unchanged, but not in its original place.
    Moved {
        /// The present revision of its original predecessor; `None`: it was the first event.
        after: Option<u64>,
    },
    /// Events of these revisions are missing before a later one.
    Missing {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Its revision is not greater than the one before it.
    Repeated,
    /// Its metadata name another order.
    Foreign {
        /// The other order.
        belongs_to: String,
    },
    /// It has no hash that can be checked.
    Unreadable {
        /// The reason.
        reason: String,
    },
    /// The order ends here, but is known to have had more events.
    Cut {
        /// The last known revision.
        to: u64,
    },
    /// The chain holds, but this is not the known event: it and all later ones were written again.
    Rewritten {
        /// The known hash.
        known: Hash,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str(
                "does not have the hash that it says: it was changed, or an event before it was removed and the others renumbered",
            ),
            Self::Moved { after: Some(after) } => {
                write!(f, "was moved: it was written right after the event that is now revision {after}")
            }
            Self::Moved { after: None } => f.write_str("was moved: it was written as the first event"),
            Self::Missing { from, to } if from == to => write!(f, "revision {from} is missing before it"),
            Self::Missing { from, to } => write!(f, "revisions {from} to {to} are missing before it"),
            Self::Repeated => f.write_str("its revision does not come after that of the event before it"),
            Self::Foreign { belongs_to } => write!(f, "is foreign: its metadata name the order {belongs_to:?}"),
            Self::Unreadable { reason } => write!(f, "cannot be checked: {reason}"),
            Self::Cut { to } => write!(f, "the order ends here, and its events up to revision {to} were cut off"),
            Self::Rewritten { known } => {
                write!(f, "is not the known event of this revision, whose hash is {known}")
            }
        }
    }
}

impl RawEvent<'_> {
    fn fault(&self, flaw: Flaw) -> Fault {
        Fault { revision: self.revision, event_id: Some(self.id), position: Some(self.position), flaw }
    }

    /// The order and the hash in its metadata.
    fn read(&self) -> Result<Metadata, String> {
        let value = json::parse(self.metadata).map_err(|error| format!("its metadata: {error}"))?;
        let text = |name: &str| {
            value[name].as_str().ok_or_else(|| format!("its metadata have no {name:?}, as all events of Tenuto's have"))
        };
        let (order, hash) = (text("$correlationId")?.to_owned(), text("hash")?);
        let hash = hash.parse().map_err(|error| format!("its hash is {hash:?}, and {error}"))?;
        Ok(Metadata { order, hash, value })
    }

    /// Whether it was written after an event with this hash, or as the first event.
    fn follows(&self, before: Option<Hash>, metadata: &Metadata) -> bool {
        let before = before.map_or_else(|| wire::CHAIN_START.to_owned(), |hash| hash.to_string());
        wire::link(&before, self.id, self.event_type, self.data, &metadata.value) == metadata.hash.to_string()
    }
}

struct Metadata {
    order: String,
    hash: Hash,
    value: Value,
}

/// Checks the next event of an order: the resulting head, and the event's flaw. The next event is
/// compared with this one's own hash, so that each flaw is reported once.
pub fn follow(order: &OrderId, before: Option<&Head>, event: &RawEvent<'_>) -> (Head, Option<Flaw>) {
    let due = before.map_or(0, |head| head.revision.saturating_add(1));
    let metadata = match event.read() {
        Ok(metadata) => metadata,
        Err(reason) => {
            return (Head { revision: event.revision, hash: None }, Some(Flaw::Unreadable { reason }));
        }
    };
    let head = Head { revision: event.revision, hash: Some(metadata.hash) };
    if metadata.order != order.as_str() {
        return (head, Some(Flaw::Foreign { belongs_to: metadata.order }));
    }
    if event.revision > due {
        return (head, Some(Flaw::Missing { from: due, to: event.revision - 1 }));
    }
    if event.revision < due {
        return (head, Some(Flaw::Repeated));
    }
    let holds = match before {
        None => event.follows(None, &metadata),
        // The event before is unreadable, so nothing is known about this one.
        Some(Head { hash: None, .. }) => true,
        Some(Head { hash, .. }) => event.follows(*hash, &metadata),
    };
    (head, (!holds).then_some(Flaw::Changed))
}

/// Checks all events of an order in its stream, and the latest known head.
pub fn check(order: &OrderId, events: &[RawEvent<'_>], known: Option<&Head>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut head = None;
    for (index, event) in events.iter().enumerate() {
        let (now, flaw) = follow(order, head.as_ref(), event);
        head = Some(now);
        faults.extend(flaw.map(|flaw| event.fault(moved_or_changed(flaw, events, index))));
    }
    faults.extend(known.and_then(|known| compare_with_known(events, head.as_ref(), known)));
    faults
}

/// An event that does not follow the one before it may be unchanged. If so, it follows another one.
fn moved_or_changed(flaw: Flaw, events: &[RawEvent<'_>], index: usize) -> Flaw {
    let event = &events[index];
    let (Flaw::Changed, Ok(metadata)) = (&flaw, event.read()) else { return flaw };
    if event.follows(None, &metadata) {
        return Flaw::Moved { after: None };
    }
    let around = index.saturating_sub(NEIGHBOURS)..events.len().min(index + NEIGHBOURS);
    let before = events[around].iter().find(|other| {
        other.revision != event.revision && other.read().is_ok_and(|other| event.follows(Some(other.hash), &metadata))
    });
    before.map_or(flaw, |before| Flaw::Moved { after: Some(before.revision) })
}

/// Whether an order still has its known head.
fn compare_with_known(events: &[RawEvent<'_>], head: Option<&Head>, known: &Head) -> Option<Fault> {
    let last = head.map_or(0, |head| head.revision);
    if head.is_none_or(|head| head.revision < known.revision) {
        let flaw = Flaw::Cut { to: known.revision };
        let event = events.last();
        return Some(Fault {
            revision: last,
            event_id: event.map(|event| event.id),
            position: event.map(|e| e.position),
            flaw,
        });
    }
    let event = events.iter().find(|event| event.revision == known.revision)?;
    let (found, known) = (event.read().ok()?.hash, known.hash?);
    (found != known).then(|| event.fault(Flaw::Rewritten { known }))
}

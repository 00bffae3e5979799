//! The chain of hashes through an order's events: whether each is what was written, in the place where it was written.
//!
//! A hash covers an event's id, type, data and metadata, and the hash before it ([`wire::link`]). It does not cover what the
//! server says of the event: its revision, its position, and when it was recorded. Revisions are checked by counting them.
//! A chain does not know where it ends: what was cut off behind is only missed by who knows of a later [`Head`].

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Hash;
use crate::ids::OrderId;
use crate::{json, wire};

/// How many events before and behind one that does not follow are looked at for the one that it does follow.
const NEIGHBOURS: usize = 512;

/// An event as the log gives it, whatever is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// Its index in its stream.
    pub revision: u64,
    /// Its place in the log.
    pub position: u64,
    /// The id that its writer gave it.
    pub id: Uuid,
    /// The name of the fact.
    pub event_type: &'a str,
    /// The fact.
    pub data: &'a [u8],
    /// What is known about the event itself.
    pub metadata: &'a [u8],
}

/// How far a chain has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The revision of the last event.
    pub revision: u64,
    /// The hash that it carries; `None`: it carries none.
    pub hash: Option<Hash>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Where in the order's stream.
    pub revision: u64,
    /// The event that stands there, if one does.
    pub event_id: Option<Uuid>,
    /// Where that stands in the log.
    pub position: Option<u64>,
    /// What is wrong.
    #[serde(flatten)]
    pub flaw: Flaw,
}

/// What can be wrong with an event, or where one should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Flaw {
    /// Its hash is neither that of its contents after the event before it, nor after another one.
    Changed,
    /// It is unchanged, and stands in another place than where it was written.
    Moved {
        /// The revision at which the event now stands that it was written after; `None`: it was written as the first.
        after: Option<u64>,
    },
    /// There are no events of these revisions, though there are later ones.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Its revision is not greater than that of the event before it.
    Repeated,
    /// It says that it belongs to something else.
    Foreign {
        /// To what.
        belongs_to: String,
    },
    /// It has no hash, or nothing that could be checked against it.
    Unreadable {
        /// What is wrong.
        reason: String,
    },
    /// The order ends here, and is known to have had more events.
    Cut {
        /// The revision of the last that it is known to have had.
        to: u64,
    },
    /// The chain holds, but this event is another one than the one that is known: it and all behind it were written anew.
    Rewritten {
        /// The hash that is known.
        known: Hash,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str(
                "does not have the hash that it says: it was changed, or an event before it was taken out and the others renumbered",
            ),
            Self::Moved { after: Some(after) } => {
                write!(f, "was moved: it was written right after the event that is now revision {after}")
            }
            Self::Moved { after: None } => f.write_str("was moved: it was written as the first event"),
            Self::Missing { from, to } if from == to => write!(f, "revision {from} is missing before it"),
            Self::Missing { from, to } => write!(f, "revisions {from} to {to} are missing before it"),
            Self::Repeated => f.write_str("its revision does not come after that of the event before it"),
            Self::Foreign { belongs_to } => write!(f, "is foreign: it says that it belongs to {belongs_to:?}"),
            Self::Unreadable { reason } => write!(f, "cannot be checked: {reason}"),
            Self::Cut { to } => write!(f, "the order ends here, and its events up to revision {to} were cut off"),
            Self::Rewritten { known } => {
                write!(f, "is another event than the one that is known to have stood here, whose hash is {known}")
            }
        }
    }
}

impl RawEvent<'_> {
    fn fault(&self, flaw: Flaw) -> Fault {
        Fault { revision: self.revision, event_id: Some(self.id), position: Some(self.position), flaw }
    }

    /// What the metadata say about it: the order, and its hash.
    fn read(&self) -> Result<Metadata, String> {
        let value = json::parse(self.metadata).map_err(|error| format!("its metadata: {error}"))?;
        let text = |name: &str| {
            value[name].as_str().ok_or_else(|| format!("its metadata have no {name:?}, as all events of Tenuto's have"))
        };
        let (order, hash) = (text("$correlationId")?.to_owned(), text("hash")?);
        let hash = hash.parse().map_err(|error| format!("its hash is {hash:?}, and {error}"))?;
        Ok(Metadata { order, hash, value })
    }

    /// Whether it was written after an event with this hash, or as the first.
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

/// Takes up the next event of an order: the head then, and what is wrong with the event. Whatever that is, the next one is
/// compared with what this one says, so that each fault is found once.
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
        // What stands before cannot be read, so nothing can be said about this one.
        Some(Head { hash: None, .. }) => true,
        Some(Head { hash, .. }) => event.follows(*hash, &metadata),
    };
    (head, (!holds).then_some(Flaw::Changed))
}

/// Checks all events of an order, as they stand in its stream, and `known`, the latest head that it is known to have had.
pub fn check(order: &OrderId, events: &[RawEvent<'_>], known: Option<&Head>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut head = None;
    for (index, event) in events.iter().enumerate() {
        let (now, flaw) = follow(order, head.as_ref(), event);
        head = Some(now);
        faults.extend(flaw.map(|flaw| event.fault(told_apart(flaw, events, index))));
    }
    faults.extend(known.and_then(|known| against(events, head.as_ref(), known)));
    faults
}

/// An event that does not follow the one before it may still be whole: then it follows another one.
fn told_apart(flaw: Flaw, events: &[RawEvent<'_>], index: usize) -> Flaw {
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

/// Whether an order still has a head that it is known to have had.
fn against(events: &[RawEvent<'_>], head: Option<&Head>, known: &Head) -> Option<Fault> {
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

//! A bundle: one order's history, and all that it takes to prove it, in one file that needs no server.
//!
//! What it proves is three things, each on its own: that its events hang together; that the seal's tree had this very history up
//! to some revision; and that the seal was signed. Who signed it is only known to who has the public key from elsewhere.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chain::{self, Fault, Head, RawEvent};
use super::keys::PublicKey;
use super::merkle::{self, Inclusion};
use super::seal::{Seal, SealFault};
use crate::ids::OrderId;
use crate::{Timestamp, json};

/// The version that all bundles are written in.
pub const VERSION: u32 = 1;

/// What a bundle says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The history of an order.
    #[serde(rename = "tenuto-order-bundle")]
    OrderBundle,
}

/// One order's history with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// That it is one.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How it is written.
    pub version: u32,
    /// The order.
    pub order: OrderId,
    /// Its events, as they stood in the log when it was made.
    pub events: Vec<BundledEvent>,
    /// The newest seal that covers the order; none: no seal does.
    pub sealed: Option<SealedPart>,
}

/// What a seal says of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedPart {
    /// The order's last event that the seal covers.
    pub revision: u64,
    /// That the order's head then is in the seal's tree.
    pub inclusion: Inclusion,
    /// The seal, with the key that it is signed with.
    pub seal: Seal,
}

/// An event with the very bytes that are hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundledEvent {
    /// Its index in the order's stream.
    pub revision: u64,
    /// Its place in the log.
    pub position: u64,
    /// When the log recorded it. Not covered by the hash: the server says so.
    pub recorded_at: Timestamp,
    /// The id that its writer gave it.
    pub id: Uuid,
    /// The name of the fact.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The fact.
    pub data: Content,
    /// What is known about the event itself.
    pub metadata: Content,
}

/// Bytes, as text where they are text, so that people can read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64(#[serde(with = "base64_text")] Vec<u8>),
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        // JSON's NUL is text that not every reader takes.
        match str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Self::Text(text.to_owned()),
            _ => Self::Base64(bytes.to_vec()),
        }
    }
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Base64(bytes) => bytes,
        }
    }
}

mod base64_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::{BASE64_STANDARD, Engine};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl BundledEvent {
    fn raw(&self) -> RawEvent<'_> {
        let Self { revision, position, recorded_at: _, id, event_type, data, metadata } = self;
        RawEvent {
            revision: *revision,
            position: *position,
            id: *id,
            event_type,
            data: data.bytes(),
            metadata: metadata.bytes(),
        }
    }
}

/// What is wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "in", rename_all = "camelCase")]
pub enum BundleFault {
    /// With one of its events.
    #[error("revision {}{}: {}", .0.revision, .0.event_id.map(|id| format!(", event {id}")).unwrap_or_default(), .0.flaw)]
    Chain(Fault),
    /// With the seal.
    #[error("seal: {0}")]
    Seal(SealFault),
    /// The order, as it is here, is not in the seal's tree.
    #[error("proof: {reason}")]
    Proof {
        /// What does not agree.
        reason: String,
    },
}

/// What checking a bundle has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// How many events it has.
    pub events: u64,
    /// How many of them, from the first, the seal covers.
    pub sealed_events: u64,
    /// What is wrong.
    pub faults: Vec<BundleFault>,
}

impl Bundle {
    /// Reads a bundle.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let value = json::parse(text).map_err(|error| error.to_string())?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(later) => {
                return Err(format!("it is written in version {later}, and this version of Tenuto knows {VERSION}"));
            }
            None => return Err("it has no version".to_owned()),
        }
        Self::deserialize(value).map_err(|error| error.to_string())
    }

    /// Checks everything, with one of these keys where any is given, and with the seal's own where none is.
    pub fn check(&self, keys: &[PublicKey]) -> Checked {
        let events: Vec<RawEvent<'_>> = self.events.iter().map(BundledEvent::raw).collect();
        // What was cut off before the sealed revision, the chain's check names by this; the hash is compared through the tree.
        let known = self.sealed.as_ref().map(|sealed| Head { revision: sealed.revision, hash: None });
        let chain = chain::check(&self.order, &events, known.as_ref());
        let mut faults: Vec<BundleFault> = chain.into_iter().map(BundleFault::Chain).collect();
        let mut sealed_events = 0;
        match &self.sealed {
            None if events.is_empty() => faults.push(proof("it has neither events nor a seal")),
            None => {}
            Some(sealed) => {
                let seal = sealed.seal.verify().and_then(|()| sealed.seal.verify_key(keys));
                let included = self.included(sealed);
                faults.extend(seal.err().map(BundleFault::Seal));
                faults.extend(included.err());
                if faults.is_empty() {
                    sealed_events = sealed.revision.saturating_add(1);
                }
            }
        }
        Checked { events: events.len() as u64, sealed_events, faults }
    }

    /// Whether the order, as it is here, is in the seal's tree.
    fn included(&self, SealedPart { revision, inclusion, seal }: &SealedPart) -> Result<(), BundleFault> {
        if inclusion.size != seal.orders {
            let (size, orders) = (inclusion.size, seal.orders);
            return Err(proof(&format!("it is of a tree of {size} orders, and the seal covers {orders}")));
        }
        let head = self.head_at(*revision);
        let root = head.and_then(|head| inclusion.root(merkle::leaf(&self.order, &head)));
        if root == Some(seal.root) {
            return Ok(());
        }
        Err(proof(&format!("the order with revision {revision} as its last, as it is here, is not in the seal's tree")))
    }

    fn head_at(&self, revision: u64) -> Option<Head> {
        let event = self.events.iter().find(|event| event.revision == revision)?;
        Some(chain::follow(&self.order, None, &event.raw()).0)
    }
}

fn proof(reason: &str) -> BundleFault {
    BundleFault::Proof { reason: reason.to_owned() }
}

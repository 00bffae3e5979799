//! A bundle: one order's history with its proof, in one file that needs no server.
//!
//! It proves three things, each independently: its events form a chain; the seal's tree contained
//! exactly this history up to some revision; the seal is signed. The reader must know from
//! elsewhere whose public key it is.

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

/// The version of all bundles.
pub const VERSION: u32 = 1;

/// The type of a bundle.
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
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The version of the format.
    pub version: u32,
    /// The order.
    pub order: OrderId,
    /// Its events in the log at the time of the export.
    pub events: Vec<BundledEvent>,
    /// The newest seal that covers the order; `None`: no seal does.
    pub sealed: Option<SealedPart>,
}

/// The part of a seal that covers the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedPart {
    /// The last event that the seal covers.
    pub revision: u64,
    /// The proof that the order's head at that time is in the seal's tree.
    pub inclusion: Inclusion,
    /// The seal, with its public key.
    pub seal: Seal,
}

/// An event with the exact bytes of the hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundledEvent {
    /// The revision in the order's stream.
    pub revision: u64,
    /// The position in the log.
    pub position: u64,
    /// When the log recorded it. The hash does not cover this statement of the server.
    pub recorded_at: Timestamp,
    /// The id from its writer.
    pub id: Uuid,
    /// The type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The data.
    pub data: Content,
    /// The metadata.
    pub metadata: Content,
}

/// Bytes, as readable text if they are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Other bytes.
    Base64(#[serde(with = "base64_text")] Vec<u8>),
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        // Not every JSON reader accepts NUL.
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

/// A fault of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "in", rename_all = "camelCase")]
pub enum BundleFault {
    /// A fault of an event.
    #[error("revision {}{}: {}", .0.revision, .0.event_id.map(|id| format!(", event {id}")).unwrap_or_default(), .0.flaw)]
    Chain(Fault),
    /// A fault of the seal.
    #[error("seal: {0}")]
    Seal(SealFault),
    /// The seal's tree does not contain this history.
    #[error("proof: {reason}")]
    Proof {
        /// The difference.
        reason: String,
    },
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The number of events.
    pub events: u64,
    /// How many of them, from the first, the seal covers.
    pub sealed_events: u64,
    /// The faults.
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

    /// Checks everything. The seal's key must be one of `keys`, if any are given.
    pub fn check(&self, keys: &[PublicKey]) -> Checked {
        let events: Vec<RawEvent<'_>> = self.events.iter().map(BundledEvent::raw).collect();
        // With this, the chain's check reports events cut off before the sealed revision. The tree
        // compares the hash.
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

    /// Whether the seal's tree contains this history.
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

//! A seal: a signed statement of the heads of all orders up to a position of the log.
//!
//! Seals form a chain, too: each names the hash of the seal before it, and its position is not
//! lower. The signature covers the seal as JSON without the signature, in canonical form
//! ([`json::canonical`]).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use crate::streams::SEALS as STREAM;

use super::Hash;
use super::keys::{PublicKey, Signature, SigningKey};
use crate::{Timestamp, json};

/// The event type of a seal.
pub const EVENT_TYPE: &str = "LogSealed";
/// The version of all seals.
pub const VERSION: u32 = 1;

/// The type, so that no other signed text counts as a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A seal of a log.
    #[serde(rename = "tenuto-log-seal")]
    LogSeal,
}

/// The state of a log to be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// The log's identity: the hash of the first event of its first order.
    pub log: Hash,
    /// The position up to which everything is sealed.
    pub position: u64,
    /// The number of orders.
    pub orders: u64,
    /// The number of orders with faults.
    pub faulty_orders: u64,
    /// The root of the tree over their heads.
    pub root: Hash,
}

/// A seal, inside the log and outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seal {
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The version of the format.
    pub version: u32,
    /// Its number, from 0: its revision in [`STREAM`].
    pub number: u64,
    /// The log's identity: the hash of the first event of its first order.
    pub log: Hash,
    /// The position up to which everything is sealed.
    pub position: u64,
    /// The number of orders.
    pub orders: u64,
    /// The number of orders that had faults when the seal was made.
    pub faulty_orders: u64,
    /// The root of the tree over their heads.
    pub root: Hash,
    /// When it was made, by the clock of its instance.
    pub at: Timestamp,
    /// The hash of the seal before it.
    pub previous: Option<Hash>,
    /// The key that checks the signature.
    pub public_key: PublicKey,
    /// The signature over the rest.
    pub signature: Signature,
}

/// Why a seal is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase")]
pub enum SealFault {
    /// It is not a seal.
    #[error("it is not a seal: {reason}")]
    Unreadable {
        /// The reason.
        reason: String,
    },
    /// The signature does not fit the key.
    #[error("its signature does not hold: it was changed after it was signed, or never signed")]
    Signature,
    /// It has an unexpected key.
    #[error("it is signed with another key than expected: {found}")]
    Key {
        /// The key, in base64.
        found: String,
    },
    /// Its number does not fit its place.
    #[error("its number is {found}, where {expected} was due: a seal was removed or inserted")]
    Number {
        /// The expected number.
        expected: u64,
        /// Its number.
        found: u64,
    },
    /// The seal before it is not the one that it names.
    #[error("the seal before it is not the one that it names")]
    Previous,
    /// It belongs to another log.
    #[error("it is of another log, whose first hash is {found}")]
    OtherLog {
        /// The identity of that log.
        found: Hash,
    },
    /// It covers less than the seal before it.
    #[error("it covers less than the one before it")]
    Backwards,
}

impl Seal {
    /// Seals the state of a log after the previous seal.
    pub fn sign(sealed: Sealed, previous: Option<&Seal>, at: Timestamp, key: &SigningKey) -> Self {
        let Sealed { log, position, orders, faulty_orders, root } = sealed;
        let mut seal = Self {
            kind: Kind::LogSeal,
            version: VERSION,
            number: previous.map_or(0, |previous| previous.number + 1),
            log,
            position,
            orders,
            faulty_orders,
            root,
            at,
            previous: previous.map(Self::hash),
            public_key: key.public_key(),
            signature: key.sign(b""),
        };
        seal.signature = key.sign(seal.signed_text().as_bytes());
        seal
    }

    /// Reads a seal, and checks its signature.
    pub fn read(text: &[u8]) -> Result<Self, SealFault> {
        let unreadable = |reason: String| SealFault::Unreadable { reason };
        let value = json::parse(text).map_err(|error| unreadable(error.to_string()))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(later) => {
                return Err(unreadable(format!(
                    "it is written in version {later}, and this version of Tenuto knows {VERSION}"
                )));
            }
            None => return Err(unreadable("it has no version".to_owned())),
        }
        let seal = Self::deserialize(value).map_err(|error| unreadable(error.to_string()))?;
        seal.verify()?;
        Ok(seal)
    }

    /// Whether its signature fits its key. The caller must know whether the key is the right one.
    pub fn verify(&self) -> Result<(), SealFault> {
        let holds = self.public_key.verifies(self.signed_text().as_bytes(), &self.signature);
        holds.then_some(()).ok_or(SealFault::Signature)
    }

    /// Whether it is signed with one of these keys; with none given, any key is right.
    pub fn verify_key(&self, keys: &[PublicKey]) -> Result<(), SealFault> {
        let known = keys.is_empty() || keys.contains(&self.public_key);
        known.then_some(()).ok_or_else(|| SealFault::Key { found: self.public_key.to_string() })
    }

    /// Whether it directly follows another seal of the same log, or is the first.
    pub fn follows(&self, previous: Option<&Self>) -> Result<(), SealFault> {
        let expected = previous.map_or(0, |previous| previous.number.saturating_add(1));
        if self.number != expected {
            return Err(SealFault::Number { expected, found: self.number });
        }
        if self.previous != previous.map(Self::hash) {
            return Err(SealFault::Previous);
        }
        match previous {
            Some(previous) if previous.log != self.log => Err(SealFault::OtherLog { found: self.log }),
            Some(previous) if previous.position > self.position => Err(SealFault::Backwards),
            _ => Ok(()),
        }
    }

    /// The hash that the next seal refers to.
    pub fn hash(&self) -> Hash {
        Hash::of(&[self.to_json().as_bytes()])
    }

    /// The seal as text.
    pub fn to_json(&self) -> String {
        json::canonical(&self.value())
    }

    /// The id of its event, so that a repeated append changes nothing.
    pub fn event_id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("tenuto:seal:{}", self.hash()).as_bytes())
    }

    fn signed_text(&self) -> String {
        let mut value = self.value();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("signature");
        }
        json::canonical(&value)
    }

    fn value(&self) -> Value {
        // It has only texts, numbers and maps with text keys, so writing cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}

//! A seal: a signed statement of what all orders' heads were, up to a position of the log.
//!
//! Seals are a chain too: each names the hash of the one before it, and each is at the same position or a later one. What is
//! signed is the seal as JSON without its signature, in the one form that equal values share ([`json::canonical`]).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Hash;
use super::keys::{PublicKey, Signature, SigningKey};
use crate::{Timestamp, json};

/// The stream that holds a log's seals.
pub const STREAM: &str = "audit-seals";
/// The name of the event that holds a seal.
pub const EVENT_TYPE: &str = "LogSealed";
/// The version that all seals are written in.
pub const VERSION: u32 = 1;

/// What a seal says it is, so that no other signed text can be taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A seal of a log.
    #[serde(rename = "tenuto-log-seal")]
    LogSeal,
}

/// What is known of a log when it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// The log's identity: the hash of the first event of the order that began first.
    pub log: Hash,
    /// Everything up to here is sealed.
    pub position: u64,
    /// How many orders there are.
    pub orders: u64,
    /// In how many of them something is not as it was written.
    pub faulty_orders: u64,
    /// The root of the tree over their heads.
    pub root: Hash,
}

/// A seal as it stands in the log, and outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seal {
    /// That it is one.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How it is written.
    pub version: u32,
    /// Its number, from 0: its revision in [`STREAM`].
    pub number: u64,
    /// The log's identity: the hash of the first event of the order that began first.
    pub log: Hash,
    /// Everything up to here is sealed.
    pub position: u64,
    /// How many orders there are.
    pub orders: u64,
    /// In how many of them something was not as it was written, when they were sealed.
    pub faulty_orders: u64,
    /// The root of the tree over their heads.
    pub root: Hash,
    /// When it was made, by the clock of whoever made it.
    pub at: Timestamp,
    /// The hash of the seal before it.
    pub previous: Option<Hash>,
    /// Who checks the signature.
    pub public_key: PublicKey,
    /// The signature over all the rest.
    pub signature: Signature,
}

/// Why a seal cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase")]
pub enum SealFault {
    /// It is none.
    #[error("it is no seal: {reason}")]
    Unreadable {
        /// What is wrong.
        reason: String,
    },
    /// Its signature is not that of its key.
    #[error("its signature does not hold: it was changed after it was signed, or never signed")]
    Signature,
    /// It is signed with another key than the one that is expected.
    #[error("it is signed with another key than expected: {found}")]
    Key {
        /// The key, in base64.
        found: String,
    },
    /// It has not the number of its place.
    #[error("its number is {found}, where {expected} was due: a seal was taken out or put in")]
    Number {
        /// The number of its place.
        expected: u64,
        /// The number that it has.
        found: u64,
    },
    /// The seal before it is another one than the one that it names.
    #[error("the seal before it is not the one that it names")]
    Previous,
    /// It is of another log.
    #[error("it is of another log, whose first hash is {found}")]
    OtherLog {
        /// That log's identity.
        found: Hash,
    },
    /// It covers less than the one before it.
    #[error("it covers less than the one before it")]
    Backwards,
}

impl Seal {
    /// Seals what is known of a log, after the seal before.
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

    /// Reads a seal and checks that it holds by itself.
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

    /// Whether its signature is that of its key. Whether that is the right key is for the caller to know.
    pub fn verify(&self) -> Result<(), SealFault> {
        let holds = self.public_key.verifies(self.signed_text().as_bytes(), &self.signature);
        holds.then_some(()).ok_or(SealFault::Signature)
    }

    /// Whether it is signed with one of these keys; any will do where none is given.
    pub fn verify_key(&self, keys: &[PublicKey]) -> Result<(), SealFault> {
        let known = keys.is_empty() || keys.contains(&self.public_key);
        known.then_some(()).ok_or_else(|| SealFault::Key { found: self.public_key.to_string() })
    }

    /// Whether it comes right after another seal of the same log, or is the first.
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

    /// What the next seal names it by.
    pub fn hash(&self) -> Hash {
        Hash::of(&[self.to_json().as_bytes()])
    }

    /// The seal as it is written.
    pub fn to_json(&self) -> String {
        json::canonical(&self.value())
    }

    /// The id of the event that holds it: a seal that is appended again is not made twice.
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
        // Nothing in it can fail to be written: texts, numbers and no map with other keys.
        serde_json::to_value(self).unwrap_or_default()
    }
}

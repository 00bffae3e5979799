//! The master key, which wraps the keys of customers before they are stored (envelope encryption).
//! It is configuration, so the database, or a copy of it, opens nothing without it.
//!
//! A process has one configuration, and so one set of master keys. It is set before the first key
//! is read. The first master key wraps; the others only open what they wrapped before a rotation.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::order::CustomerKey;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The form of a wrapped key.
const VERSION: u8 = 1;
/// How much of the hash of a master key names it, in bytes.
const ID_LENGTH: usize = 8;
const HEAD_LENGTH: usize = 1 + ID_LENGTH;
const WRAPPED_LENGTH: usize = HEAD_LENGTH + NONCE_LEN + CustomerKey::LENGTH + MAX_TAG_LEN;
/// The length of a master key, in bytes.
const LENGTH: usize = 32;

static IN_USE: OnceLock<MasterKeys> = OnceLock::new();
static NONE: MasterKeys = MasterKeys(Vec::new());

/// The master keys of this process.
pub struct MasterKeys(Vec<MasterKey>);

struct MasterKey {
    id: [u8; ID_LENGTH],
    key: LessSafeKey,
}

/// A text that holds no master keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found}, where {LENGTH} random bytes in Base64 are needed: `openssl rand -base64 {LENGTH}` makes them; several keys are \
     separated by commas, the current one first"
)]
pub struct InvalidMasterKey {
    found: &'static str,
}

/// A key cannot be wrapped, or opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The process does not have the master key.
    #[error(
        "key {key} is wrapped by the master key {master}, which this process does not have; name it in TENUTO_MASTER_KEY or \
         in the file of TENUTO_MASTER_KEY_FILE, and restart"
    )]
    Locked {
        /// The customer's key.
        key: Uuid,
        /// The id of the master key.
        master: String,
    },
    /// The stored bytes were changed.
    #[error("key {0} was changed since it was wrapped, or its row was; restore it from a copy (tenuto keys import)")]
    Changed(Uuid),
    /// The system has no randomness.
    #[error("key {0} cannot be wrapped: the system has no randomness")]
    NoRandomness(Uuid),
}

impl From<WrapError> for sqlx::Error {
    fn from(error: WrapError) -> Self {
        Self::Decode(Box::new(error))
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| hex(&key.id))).finish()
    }
}

/// Sets the master keys of this process, which may be done once.
pub fn set(keys: MasterKeys) -> Result<(), MasterKeys> {
    IN_USE.set(keys)
}

/// Whether this process wraps keys.
pub fn is_set() -> bool {
    IN_USE.get().is_some()
}

/// The master keys of this process.
pub(crate) fn in_use() -> &'static MasterKeys {
    IN_USE.get().unwrap_or(&NONE)
}

impl MasterKeys {
    /// Reads keys in Base64, separated by commas.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let key = |text: &str| {
            let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidMasterKey { found: "it is not Base64" })?;
            let key = UnboundKey::new(&AES_256_GCM, &bytes);
            let key = key.map_err(|_| InvalidMasterKey { found: "it has another length" })?;
            let mut id = [0; ID_LENGTH];
            id.copy_from_slice(&Sha256::digest(&bytes)[..ID_LENGTH]);
            Ok(MasterKey { id, key: LessSafeKey::new(key) })
        };
        Ok(Self(text.split(',').map(key).collect::<Result<_, _>>()?))
    }

    /// The bytes to store of a customer's key: wrapped, if there is a master key.
    pub(crate) fn wrap(&self, id: Uuid, secret: &[u8]) -> Result<Vec<u8>, WrapError> {
        let Some(MasterKey { id: master, key }) = self.0.first() else { return Ok(secret.to_vec()) };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| WrapError::NoRandomness(id))?;
        let mut sealed = secret.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(id), &mut sealed)
            .map_err(|_| WrapError::Changed(id))?;
        Ok([&[VERSION], master.as_slice(), &nonce, &sealed].concat())
    }

    /// A customer's key from the stored bytes.
    pub(crate) fn open(&self, id: Uuid, stored: &[u8]) -> Result<Vec<u8>, WrapError> {
        let Some((master, sealed)) = parts(stored) else { return Ok(stored.to_vec()) };
        let known = self.0.iter().find(|key| key.id == master);
        let MasterKey { key, .. } = known.ok_or_else(|| WrapError::Locked { key: id, master: hex(master) })?;
        let (nonce, sealed) = sealed.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| WrapError::Changed(id))?;
        let mut sealed = sealed.to_vec();
        let opened = key.open_in_place(nonce, associated(id), &mut sealed).map_err(|_| WrapError::Changed(id))?;
        Ok(opened.to_vec())
    }

    /// Whether stored bytes are wrapped by the current master key.
    pub(crate) fn is_current(&self, stored: &[u8]) -> bool {
        let current = self.0.first().map(|key| key.id.as_slice());
        current.is_some() && parts(stored).map(|(master, _)| master) == current
    }
}

/// The id of the master key and the sealed part; `None`: the key is stored as it is.
fn parts(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    (stored.len() == WRAPPED_LENGTH && stored[0] == VERSION).then(|| stored[1..].split_at(ID_LENGTH))
}

/// A wrapped key opens only in its own row.
fn associated(id: Uuid) -> Aad<[u8; 16]> {
    Aad::from(*id.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);
    const SECRET: [u8; CustomerKey::LENGTH] = [9; CustomerKey::LENGTH];

    fn keys(bytes: &[u8]) -> MasterKeys {
        let texts: Vec<String> = bytes.iter().map(|byte| STANDARD.encode([*byte; LENGTH])).collect();
        MasterKeys::parse(&texts.join(",")).unwrap()
    }

    #[test]
    fn a_wrapped_key_opens_with_its_master_key_alone() {
        let wrapped = keys(&[1]).wrap(ID, &SECRET).unwrap();
        assert_eq!(wrapped.len(), WRAPPED_LENGTH);
        assert!(!wrapped.windows(4).any(|window| window == &SECRET[..4]));
        assert_eq!(keys(&[1]).open(ID, &wrapped).unwrap(), SECRET);
        assert_eq!(keys(&[2, 1]).open(ID, &wrapped).unwrap(), SECRET);
        for others in [MasterKeys(Vec::new()), keys(&[2])] {
            let locked = others.open(ID, &wrapped).unwrap_err();
            assert!(matches!(locked, WrapError::Locked { key: ID, .. }), "{locked}");
        }
    }

    #[test]
    fn a_key_that_was_stored_as_it_is_stays_readable() {
        for keys in [MasterKeys(Vec::new()), keys(&[1])] {
            assert_eq!(keys.open(ID, &SECRET).unwrap(), SECRET);
            assert!(!keys.is_current(&SECRET));
        }
        assert_eq!(MasterKeys(Vec::new()).wrap(ID, &SECRET).unwrap(), SECRET);
    }

    #[test]
    fn after_a_rotation_the_first_master_key_wraps() {
        let (before, rotated) = (keys(&[1]), keys(&[2, 1]));
        let wrapped = before.wrap(ID, &SECRET).unwrap();
        assert!(before.is_current(&wrapped) && !rotated.is_current(&wrapped));
        let again = rotated.wrap(ID, &rotated.open(ID, &wrapped).unwrap()).unwrap();
        assert!(rotated.is_current(&again));
        assert_eq!(keys(&[2]).open(ID, &again).unwrap(), SECRET);
    }

    #[test]
    fn a_changed_or_moved_key_does_not_open() {
        let keys = keys(&[1]);
        let wrapped = keys.wrap(ID, &SECRET).unwrap();
        assert_eq!(keys.open(Uuid::nil(), &wrapped).unwrap_err(), WrapError::Changed(Uuid::nil()));
        for at in HEAD_LENGTH..WRAPPED_LENGTH {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open(ID, &changed).unwrap_err(), WrapError::Changed(ID), "byte {at}");
        }
    }

    #[test]
    fn what_is_no_master_key_is_refused_and_not_shown() {
        for text in ["", "s3cret", "s3cret==", "czNjcmV0", "s3cret,s3cret"] {
            let refused = MasterKeys::parse(text).unwrap_err().to_string();
            assert!(refused.contains("openssl rand -base64 32") && !refused.contains("s3cret"), "{refused}");
        }
        assert!(!format!("{:?}", keys(&[1])).contains(&STANDARD.encode([1; LENGTH])[..8]));
    }
}

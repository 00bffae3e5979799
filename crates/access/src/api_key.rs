//! API keys: `tnt_ID_SECRET`. The id finds the key; the hash of the secret is all that is kept.
//!
//! The secret has 256 random bits, so one SHA-256 is enough: it cannot be guessed, however fast.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;

/// What every key begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "tnt_";
const ID_BYTES: usize = 9;
const SECRET_BYTES: usize = 32;
/// The length of an id, in characters of base64url.
const ID_CHARACTERS: usize = 12;

/// A key as its owner has it. It does not print itself.
pub struct ApiKey {
    id: String,
    secret: [u8; SECRET_BYTES],
}

/// What is kept of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl ApiKey {
    /// A key of these random bytes.
    fn of(random: [u8; ID_BYTES + SECRET_BYTES]) -> Self {
        let (id, secret) = random.split_at(ID_BYTES);
        let secret = std::array::from_fn(|index| secret[index]);
        Self { id: URL_SAFE_NO_PAD.encode(id), secret }
    }

    /// A new key; `None`: the system gives no random numbers.
    pub fn generate() -> Option<Self> {
        let mut random = [0; ID_BYTES + SECRET_BYTES];
        SystemRandom::new().fill(&mut random).ok()?;
        Some(Self::of(random))
    }

    /// Reads a key; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(PREFIX)?;
        // Both parts may have underscores in them.
        let (id, secret) = (text.get(..ID_CHARACTERS)?, text.get(ID_CHARACTERS..)?.strip_prefix('_')?);
        URL_SAFE_NO_PAD.decode(id).ok()?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        Some(Self { id: id.to_owned(), secret })
    }

    /// The key as its owner keeps it. It is shown once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// The public part.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        let hash = digest(&SHA256, &self.secret);
        SecretHash(std::array::from_fn(|index| hash.as_ref()[index]))
    }

    /// Whether that was kept of this key. Takes as long for each answer.
    pub fn is(&self, kept: &SecretHash) -> bool {
        self.hash().0.ct_eq(&kept.0).into()
    }
}

impl SecretHash {
    /// What was kept as these bytes; `None`: they are not 32.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to keep.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.id)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn random() -> impl Strategy<Value = [u8; ID_BYTES + SECRET_BYTES]> {
        proptest::array::uniform32(any::<u8>()).prop_flat_map(|first| {
            proptest::array::uniform9(any::<u8>()).prop_map(move |rest| {
                std::array::from_fn(|index| if index < 32 { first[index] } else { rest[index - 32] })
            })
        })
    }

    proptest! {
        #[test]
        fn a_key_is_read_as_it_was_revealed_and_is_itself_alone(random in random(), flipped in 0..256_usize) {
            let key = ApiKey::of(random);
            let read = ApiKey::parse(&key.reveal()).unwrap();
            prop_assert_eq!(read.id(), key.id());
            prop_assert!(read.is(&key.hash()));
            let mut other = random;
            other[ID_BYTES + flipped / 8] ^= 1 << (flipped % 8);
            prop_assert!(!ApiKey::of(other).is(&key.hash()));
        }

        #[test]
        fn any_other_text_is_no_key(text in ".{0,80}") {
            prop_assert!(ApiKey::parse(&text).is_none());
            let prefixed = format!("tnt_{text}");
            prop_assert!(ApiKey::parse(&prefixed).is_none());
        }
    }

    #[test]
    fn a_key_does_not_print_its_secret() {
        let key = ApiKey::of([7; ID_BYTES + SECRET_BYTES]);
        let secret = key.reveal().split_off(PREFIX.len() + ID_CHARACTERS + 1);
        assert!(!format!("{key:?} {:?}", key.hash()).contains(&secret));
    }
}

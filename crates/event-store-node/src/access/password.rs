//! Passwords at rest: PBKDF2 with HMAC-SHA-256, and a salt for each.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// As OWASP recommends for this function. Without optimisation a round takes a hundred times as
/// long, so a build for development makes fewer. A record names its own number.
const ROUNDS: u32 = if cfg!(debug_assertions) { 6_000 } else { 600_000 };
/// More rounds in a record would let a check take minutes.
const MAX_ROUNDS: u32 = 10_000_000;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// The hash of a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hashed {
    salt: String,
    hash: String,
    /// Missing in a record that another server has written with its own function: no password fits
    /// it.
    #[serde(default)]
    rounds: u32,
}

/// The system has no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes for the salt of a password")]
pub(crate) struct NoSalt;

impl Hashed {
    /// Takes a good part of a second, so that guessing takes long.
    pub(crate) fn of(password: &str) -> Result<Self, NoSalt> {
        let (mut salt, mut hash) = ([0; SALT_BYTES], [0; HASH_BYTES]);
        SystemRandom::new().fill(&mut salt).map_err(|_| NoSalt)?;
        let rounds = NonZeroU32::MIN.saturating_add(ROUNDS - 1);
        pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut hash);
        Ok(Self { salt: STANDARD.encode(salt), hash: STANDARD.encode(hash), rounds: rounds.get() })
    }

    /// A hash that no password is known to fit. A check against it takes as long as any.
    pub(crate) fn decoy() -> Self {
        Self { salt: STANDARD.encode([0; SALT_BYTES]), hash: STANDARD.encode([0; HASH_BYTES]), rounds: ROUNDS }
    }

    /// Takes as long.
    pub(crate) fn fits(&self, password: &str) -> bool {
        let rounds = NonZeroU32::new(self.rounds).filter(|rounds| rounds.get() <= MAX_ROUNDS);
        let (Some(rounds), Ok(salt), Ok(hash)) = (rounds, STANDARD.decode(&self.salt), STANDARD.decode(&self.hash))
        else {
            return false;
        };
        pbkdf2::verify(PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &hash).is_ok()
    }

    /// What changes with the password, and tells nothing about it.
    pub(crate) fn mark(&self) -> &str {
        &self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_hash_and_no_other_does() {
        let hashed = Hashed::of("change it").unwrap();
        assert!(hashed.fits("change it") && !hashed.fits("change It") && !hashed.fits(""));
        assert!(Hashed::of("change it").unwrap() != hashed, "each has its own salt");
        let read: Hashed = serde_json::from_value(serde_json::to_value(&hashed).unwrap()).unwrap();
        assert!(read.fits("change it"));
    }

    #[test]
    fn a_record_that_cannot_be_checked_fits_no_password() {
        for record in [
            r#"{"salt":"AAAA","hash":""}"#,
            r#"{"salt":"AAAA","hash":"","rounds":1}"#,
            r#"{"salt":"!","hash":"AAAA","rounds":1}"#,
            r#"{"salt":"AAAA","hash":"AAAA","rounds":4000000000}"#,
        ] {
            assert!(!serde_json::from_str::<Hashed>(record).unwrap().fits(""), "{record}");
        }
    }
}

//! Ed25519 keys in the text forms of other tools: PEM of PKCS#8 and of `SubjectPublicKeyInfo` (RFC
//! 8410).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::{Deserialize, Serialize};

/// The length of a seed, and of a public key.
const BYTES: usize = 32;
/// The bytes before the seed in a private key (RFC 8410, section 7, without the public key, as all
/// tools read it).
const PRIVATE_START: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// The bytes before a public key (RFC 8410, section 4).
const PUBLIC_START: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM, or PEM of another kind.
    #[error("it is not a PEM file of {expected}: {reason}")]
    Pem {
        /// The expected kind.
        expected: &'static str,
        /// The reason.
        reason: String,
    },
    /// A private key of another kind, or a damaged one.
    #[error("it is not an Ed25519 private key in PKCS#8: {0}")]
    Private(String),
    /// A public key of another kind, or a damaged one.
    #[error("it is not an Ed25519 public key")]
    Public,
}

/// A private key.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads the text form.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(text)
            .map_err(|error| KeyError::Pem { expected: "a PKCS#8 private key", reason: error.to_string() })?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der());
        Ok(Self(pair.map_err(|error| KeyError::Private(error.to_string()))?))
    }

    /// The text form of the key from 32 random bytes.
    pub fn pem_of(seed: &[u8; BYTES]) -> String {
        pem("PRIVATE KEY", &[PRIVATE_START, seed].concat())
    }

    /// The public key that checks its signatures.
    pub fn public_key(&self) -> PublicKey {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    pub(super) fn sign(&self, text: &[u8]) -> Signature {
        Signature(self.0.sign(text).as_ref().to_vec())
    }
}

/// A public key. Its short form is the base64 line of its PEM file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; BYTES]);

impl PublicKey {
    /// Reads the text form.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let key = SubjectPublicKeyInfoDer::from_pem_slice(text)
            .map_err(|error| KeyError::Pem { expected: "a public key", reason: error.to_string() })?;
        Self::from_der(&key)
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let bytes = der.strip_prefix(PUBLIC_START).and_then(|key| key.try_into().ok());
        bytes.map(Self).ok_or(KeyError::Public)
    }

    /// The text form.
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &self.der())
    }

    fn der(&self) -> Vec<u8> {
        [PUBLIC_START, &self.0].concat()
    }

    pub(super) fn verifies(&self, text: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(text, &signature.0).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.der()))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::from_der(&BASE64_STANDARD.decode(text).map_err(|_| KeyError::Public)?)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// A signature, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature(Vec<u8>);

impl TryFrom<String> for Signature {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, base64::DecodeError> {
        BASE64_STANDARD.decode(text).map(Self)
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        BASE64_STANDARD.encode(signature.0)
    }
}

/// Both kinds of key are shorter than one line of PEM.
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8410, section 10.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_text_forms_are_those_of_rfc_8410() {
        let key = SigningKey::from_pem(PRIVATE.as_bytes()).unwrap();
        assert_eq!(key.public_key().to_pem(), PUBLIC);
        assert_eq!(PublicKey::from_pem(PUBLIC.as_bytes()).unwrap(), key.public_key());
        let seed = BASE64_STANDARD.decode(PRIVATE.lines().nth(1).unwrap()).unwrap().split_off(PRIVATE_START.len());
        assert_eq!(SigningKey::pem_of(&seed.try_into().unwrap()), PRIVATE);
    }

    #[test]
    fn an_invalid_key_is_refused_with_a_reason() {
        let refusal_of = |text: &str| SigningKey::from_pem(text.as_bytes()).unwrap_err().to_string();
        assert!(refusal_of("").contains("not a PEM file of a PKCS#8 private key"), "{}", refusal_of(""));
        assert!(refusal_of(PUBLIC).contains("PKCS#8"), "{}", refusal_of(PUBLIC));
        let short = PRIVATE.replace("9EdVhC", "9EdV");
        assert!(refusal_of(&short).contains("not "), "{}", refusal_of(&short));
        assert!(PublicKey::from_pem(PRIVATE.as_bytes()).is_err());
        // X25519, which differs in one number.
        let other = PUBLIC.replace("MCowBQYDK2VwAyEA", "MCowBQYDK2VuAyEA");
        assert_eq!(PublicKey::from_pem(other.as_bytes()), Err(KeyError::Public));
    }
}

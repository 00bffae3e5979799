//! Signatures of requests to participants and of notifications: Standard Webhooks 1.0.0.
//!
//! A receiver checks that a request is from this server, whole, and not an old one that is sent
//! again. While a secret is rotated, a request has a signature with each.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{self, HMAC_SHA256};

/// The header with the id of a message: the same for each attempt.
pub const ID: &str = "webhook-id";
/// The header with the time of an attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// How far the time of an attempt may be from the participant's clock, in seconds.
pub const TOLERANCE_SECONDS: i64 = 300;

const PREFIX: &str = "whsec_";
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The most signatures of a request that are compared.
const MAX_SIGNATURES: usize = 8;

/// A secret that a receiver and this server share.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

/// A text that is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret must be `whsec_` and then the Base64 of 24 to 64 random bytes")]
pub struct InvalidSecret;

impl WebhookSecret {
    /// Reads a secret as it is exchanged.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        Self::of(&STANDARD.decode(encoded).map_err(|_| InvalidSecret)?)
    }

    /// A secret of these bytes.
    pub fn of(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        if BYTES.contains(&bytes.len()) { Ok(Self(hmac::Key::new(HMAC_SHA256, bytes))) } else { Err(InvalidSecret) }
    }

    /// A secret of these bytes, as it is exchanged.
    pub fn text(bytes: &[u8]) -> String {
        format!("{PREFIX}{}", STANDARD.encode(bytes))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// The value of [`SIGNATURE`] for a message, with each of the secrets.
pub fn sign(secrets: &[WebhookSecret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signatures = secrets.iter().map(|WebhookSecret(key)| {
        let mut signing = hmac::Context::with_key(key);
        for part in [id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body] {
            signing.update(part);
        }
        format!("v1,{}", STANDARD.encode(signing.sign()))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// The headers of a request that is signed.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the headers describe themselves")]
pub struct SignedHeaders<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
}

/// Why a request is not accepted as signed. The text is for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// The time is not a number.
    #[error("the header webhook-timestamp must be a whole number of seconds since 1970")]
    NoTime,
    /// The time is too far away.
    #[error("the header webhook-timestamp is more than {TOLERANCE_SECONDS} seconds from the present time")]
    NotNow,
    /// No signature is right.
    #[error("no signature in the header webhook-signature is right for this request")]
    WrongSignature,
}

/// Accepts a request that one of the secrets has signed, around this second.
pub fn verify(secrets: &[WebhookSecret], headers: SignedHeaders<'_>, body: &[u8], now: i64) -> Result<(), NotSigned> {
    let SignedHeaders { id, timestamp, signature } = headers;
    let at: i64 = timestamp.parse().map_err(|_| NotSigned::NoTime)?;
    if at.abs_diff(now) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(NotSigned::NotNow);
    }
    let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signatures = signature.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    let is_right = |mac: Vec<u8>| secrets.iter().any(|WebhookSecret(key)| hmac::verify(key, &message, &mac).is_ok());
    if signatures.take(MAX_SIGNATURES).any(is_right) { Ok(()) } else { Err(NotSigned::WrongSignature) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_614_265_330;
    const EXAMPLE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::parse(text).unwrap()
    }

    /// The example that the libraries of the standard share.
    #[test]
    fn a_message_is_signed_as_the_standard_has_it() {
        let signed = sign(&[secret(EXAMPLE)], "msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_message_is_accepted_with_either_secret_of_a_rotation_and_only_as_it_was_sent() {
        let (old, new) = (secret(EXAMPLE), secret("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        let signature = sign(&[new.clone(), old.clone()], "a", NOW, b"{}");
        let at = NOW.to_string();
        let check = |secret: &WebhookSecret, id: &str, timestamp: &str, body: &[u8], now: i64| {
            let headers = SignedHeaders { id, timestamp, signature: &signature };
            verify(std::slice::from_ref(secret), headers, body, now)
        };
        let wrong = Err(NotSigned::WrongSignature);
        assert_eq!([check(&old, "a", &at, b"{}", NOW), check(&new, "a", &at, b"{}", NOW + 300)], [Ok(()), Ok(())]);
        assert_eq!([check(&old, "b", &at, b"{}", NOW), check(&old, "a", &at, b"{ }", NOW)], [wrong, wrong]);
        assert_eq!(check(&old, "a", &(NOW + 1).to_string(), b"{}", NOW), wrong);
        for now in [NOW + 301, NOW - 301, i64::MIN, i64::MAX] {
            assert_eq!(check(&old, "a", &at, b"{}", now), Err(NotSigned::NotNow), "{now}");
        }
        assert_eq!(check(&old, "a", "soon", b"{}", NOW), Err(NotSigned::NoTime));
        assert_eq!(check(&secret("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"), "a", &at, b"{}", NOW), wrong);
    }

    #[test]
    fn without_a_secret_nothing_is_right() {
        let timestamp = NOW.to_string();
        let headers = SignedHeaders { id: "a", timestamp: &timestamp, signature: &sign(&[], "a", NOW, b"") };
        assert_eq!(verify(&[], headers, b"", NOW), Err(NotSigned::WrongSignature));
    }

    #[test]
    fn a_text_that_is_not_a_secret_is_refused_and_a_secret_is_not_printed() {
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_###"] {
            assert_eq!(WebhookSecret::parse(text).err(), Some(InvalidSecret), "{text}");
        }
        assert_eq!(format!("{:?}", secret(EXAMPLE)), "WebhookSecret");
    }

    proptest! {
        #[test]
        fn what_is_signed_is_accepted_as_it_is(id in "[!-~]{1,80}", body in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secrets = [secret(&format!("{PREFIX}{}", STANDARD.encode(bytes)))];
            let (timestamp, signature) = (NOW.to_string(), sign(&secrets, &id, NOW, body.as_bytes()));
            let headers = SignedHeaders { id: &id, timestamp: &timestamp, signature: &signature };
            prop_assert_eq!(verify(&secrets, headers, body.as_bytes(), NOW), Ok(()));
        }

        #[test]
        fn any_headers_are_refused_without_a_panic(id in ".{0,20}", timestamp in "[0-9+-]{0,25}", signature in ".{0,80}") {
            let headers = SignedHeaders { id: &id, timestamp: &timestamp, signature: &signature };
            let verified = verify(&[secret(EXAMPLE)], headers, b"", NOW);
            prop_assert!(verified.is_err());
        }
    }
}

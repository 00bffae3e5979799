//! The token in the address of a callback: it lets its bearer answer one request of one order,
//! until it expires.
//!
//! `EXPIRES.KEY.MAC`: seconds since 1970, the id of the server's key, and an HMAC-SHA-256 of the
//! expiry and of the request. Each character may stand in a query as it is.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac::{self, HMAC_SHA256};

use crate::file::{FromLines, LineFault, lines_of};

/// The shortest secret, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;
/// The most secrets of a file.
const MAX_SECRETS: usize = 8;
/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 200;

/// The request that a token is for: only an answer to the same one is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the terms of an order")]
pub struct CallbackScope<'a> {
    pub order: &'a str,
    pub step: &'a str,
    /// `do` or `undo`.
    pub direction: &'a str,
}

/// A secret of the server.
#[derive(Clone)]
pub struct CallbackSecret {
    id: String,
    key: hmac::Key,
}

/// A secret that is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret for callbacks must have at least {MIN_SECRET_BYTES} bytes, and has {0}")]
pub struct ShortSecret(usize);

/// The secrets of the server: one signs new tokens, and several are accepted.
#[derive(Clone)]
pub struct CallbackSecrets {
    signing: CallbackSecret,
    accepted: Vec<Accepted>,
}

/// A secret whose tokens are accepted.
#[derive(Clone)]
pub struct Accepted {
    /// The secret.
    pub secret: CallbackSecret,
    /// Until this second since 1970; `None`: for as long as its tokens are valid.
    pub until: Option<i64>,
}

/// Why the token of a callback is refused. The text is for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is not a token.
    #[error("the callback's token is malformed")]
    Malformed,
    /// No secret of this server made it for this request.
    #[error("the callback's token is for another request, or forged")]
    Forged,
    /// It was for this request.
    #[error("the callback's token has expired")]
    Expired,
}

impl Rejected {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Malformed, Self::Forged, Self::Expired];

    /// The reason as one word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Expired => "expired",
        }
    }
}

impl CallbackSecret {
    /// A secret of these bytes. Its id is derived from them, and reveals nothing of them.
    pub fn of(bytes: &[u8]) -> Result<Self, ShortSecret> {
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(ShortSecret(bytes.len()));
        }
        let key = hmac::Key::new(HMAC_SHA256, bytes);
        let id = URL_SAFE_NO_PAD.encode(&hmac::sign(&key, b"tenuto callback key id").as_ref()[..6]);
        Ok(Self { id, key })
    }
}

impl fmt::Debug for CallbackSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

impl CallbackSecrets {
    /// Signs with this secret, and accepts it and the others.
    pub fn new(signing: CallbackSecret, others: impl IntoIterator<Item = Accepted>) -> Self {
        let mut accepted = vec![Accepted { secret: signing.clone(), until: None }];
        accepted.extend(others);
        Self { signing, accepted }
    }

    /// A token for a request, valid until that second.
    pub fn issue(&self, scope: CallbackScope<'_>, expires: i64) -> String {
        let mac = hmac::sign(&self.signing.key, &message(scope, expires));
        format!("{expires}.{}.{}", self.signing.id, URL_SAFE_NO_PAD.encode(mac))
    }

    /// Accepts a token for this request, in this second.
    pub fn check(&self, token: &str, scope: CallbackScope<'_>, now: i64) -> Result<(), Rejected> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejected::Malformed);
        }
        let mut parts = token.split('.');
        let (Some(expires), Some(id), Some(mac), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Rejected::Malformed);
        };
        let expires: i64 = expires.parse().map_err(|_| Rejected::Malformed)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| Rejected::Malformed)?;
        let is_usable =
            |accepted: &&Accepted| accepted.secret.id == id && accepted.until.is_none_or(|until| now < until);
        let Accepted { secret, .. } = self.accepted.iter().find(is_usable).ok_or(Rejected::Forged)?;
        hmac::verify(&secret.key, &message(scope, expires), &mac).map_err(|_| Rejected::Forged)?;
        if now < expires { Ok(()) } else { Err(Rejected::Expired) }
    }
}

impl fmt::Debug for CallbackSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackSecrets").field("signing", &self.signing).finish_non_exhaustive()
    }
}

/// One secret a line, in Base64. The first signs, and all are accepted.
impl FromLines for CallbackSecrets {
    fn from_lines(text: &str) -> Result<Self, LineFault> {
        let mut secrets = Vec::new();
        for (number, line) in lines_of(text) {
            let bytes = STANDARD.decode(line);
            let bytes =
                bytes.map_err(|_| LineFault::at(number, "is not Base64; make one with: openssl rand -base64 32"))?;
            secrets.push(CallbackSecret::of(&bytes).map_err(|short| LineFault::at(number, &short.to_string()))?);
        }
        if secrets.len() > MAX_SECRETS {
            let fault = format!("has {} secrets; at most {MAX_SECRETS} are allowed", secrets.len());
            return Err(LineFault::of_file(&fault));
        }
        let mut secrets = secrets.into_iter();
        let nothing = "has no secret; write one a line, made with: openssl rand -base64 32";
        let signing = secrets.next().ok_or_else(|| LineFault::of_file(nothing))?;
        Ok(Self::new(signing, secrets.map(|secret| Accepted { secret, until: None })))
    }
}

/// The parts with their lengths, so that no two requests have one message.
fn message(CallbackScope { order, step, direction }: CallbackScope<'_>, expires: i64) -> Vec<u8> {
    let mut message = expires.to_be_bytes().to_vec();
    for part in [order, step, direction] {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend(part.as_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const SHIP: CallbackScope<'static> = CallbackScope { order: "10248", step: "ship", direction: "do" };

    fn secret(byte: u8) -> CallbackSecret {
        CallbackSecret::of(&[byte; MIN_SECRET_BYTES]).unwrap()
    }

    fn secrets() -> CallbackSecrets {
        CallbackSecrets::new(secret(1), [])
    }

    fn old(byte: u8, until: Option<i64>) -> [Accepted; 1] {
        [Accepted { secret: secret(byte), until }]
    }

    #[test]
    fn a_token_is_good_for_its_request_until_it_expires() {
        let token = secrets().issue(SHIP, NOW + 60);
        assert_eq!(secrets().check(&token, SHIP, NOW + 59), Ok(()));
        assert_eq!(secrets().check(&token, SHIP, NOW + 60), Err(Rejected::Expired));
        for other in [
            CallbackScope { order: "10249", ..SHIP },
            CallbackScope { step: "charge", ..SHIP },
            CallbackScope { step: "ship[BER]", ..SHIP },
            CallbackScope { direction: "undo", ..SHIP },
            CallbackScope { order: "1024", step: "8ship", ..SHIP },
        ] {
            assert_eq!(secrets().check(&token, other, NOW), Err(Rejected::Forged), "{other:?}");
        }
    }

    #[test]
    fn a_later_expiry_another_key_or_a_cut_token_is_not_accepted() {
        let token = secrets().issue(SHIP, NOW);
        let rest = token.split_once('.').unwrap().1;
        assert_eq!(secrets().check(&format!("{}.{rest}", NOW + 60), SHIP, NOW), Err(Rejected::Forged));
        let stranger = CallbackSecrets::new(secret(2), []).issue(SHIP, NOW + 60);
        assert_eq!(secrets().check(&stranger, SHIP, NOW), Err(Rejected::Forged));
        for cut in 0..token.len() {
            assert!(secrets().check(&token[..cut], SHIP, NOW - 1).is_err(), "{cut}");
        }
        assert_eq!(secrets().check(&"1.".repeat(1_000), SHIP, NOW), Err(Rejected::Malformed));
    }

    #[test]
    fn a_secret_is_rotated_without_refusing_a_token() {
        let rotated = CallbackSecrets::new(secret(2), old(1, Some(NOW + 30)));
        let tokens = [secrets().issue(SHIP, NOW + 60), rotated.issue(SHIP, NOW + 60)];
        for token in &tokens {
            assert_eq!(rotated.check(token, SHIP, NOW + 29), Ok(()));
        }
        let at_the_end = tokens.map(|token| rotated.check(&token, SHIP, NOW + 30));
        assert_eq!(at_the_end, [Err(Rejected::Forged), Ok(())], "the old secret is no longer accepted");
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(CallbackSecret::of(&[0; 31]).err(), Some(ShortSecret(31)));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let shown = format!("{:?} {:?}", secret(b's'), secrets());
        assert!(!shown.contains("sss") && !shown.contains("115"), "{shown}");
    }

    #[test]
    fn the_first_secret_of_a_file_signs_and_all_are_accepted() {
        let line = |byte: u8| STANDARD.encode([byte; 32]);
        let file = format!("# rotated in May\n{}\n\n  {}  \n", line(1), line(2));
        let read = CallbackSecrets::from_lines(&file).unwrap();
        assert_eq!(secrets().check(&read.issue(SHIP, NOW + 1), SHIP, NOW), Ok(()));
        let by_the_second = CallbackSecrets::new(secret(2), []).issue(SHIP, NOW + 1);
        assert_eq!(read.check(&by_the_second, SHIP, NOW), Ok(()));
    }

    #[test]
    fn a_file_without_a_usable_secret_names_the_line_and_not_the_secret() {
        let fault = |text: &str| CallbackSecrets::from_lines(text).unwrap_err().to_string();
        assert!(fault("# nothing\n").contains("no secret"));
        assert!(fault("not/Base64!\n").starts_with("line 1: is not Base64"), "{}", fault("not/Base64!\n"));
        let short = fault(&format!("{}\nc2hvcnQ=\n", STANDARD.encode([1; 32])));
        assert!(short.starts_with("line 2:") && short.contains("has 5") && !short.contains("c2hv"), "{short}");
        assert!(fault(&format!("{}\n", STANDARD.encode([1; 32])).repeat(9)).contains("at most 8"));
    }

    proptest! {
        #[test]
        fn no_two_requests_have_one_message(
            a in (".{0,4}", ".{0,4}", ".{0,4}"),
            b in (".{0,4}", ".{0,4}", ".{0,4}"),
        ) {
            let of = |(order, step, direction): &(String, String, String)| {
                message(CallbackScope { order, step, direction }, NOW)
            };
            prop_assert_eq!(a == b, of(&a) == of(&b));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,220}") {
            prop_assert!(secrets().check(&text, SHIP, NOW).is_err());
        }

        #[test]
        fn a_token_needs_no_escaping_in_a_query(order in "[A-Za-z0-9._~-]{1,40}", expires in 0..i64::MAX) {
            let token = secrets().issue(CallbackScope { order: &order, ..SHIP }, expires);
            prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
        }
    }
}

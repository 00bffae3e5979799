//! Bearer tokens: JWTs that an OIDC issuer signed (RFC 7519, RFC 8725).
//!
//! A token is bounded, signed by a key of its issuer with an algorithm that the configuration
//! allows for that issuer, meant for this service, and valid now. What it says about keys (`jku`,
//! `jwk`, `x5u`, `x5c`) is never followed.

mod claims;
pub mod key_set;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Deserialize;

use crate::Principal;
use crate::Role;
use claims::{Claims, Critical};
pub use signature::ALGORITHMS;
use signature::decoded;

/// The longest token, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What it is called here: the principal of a subject is `subject@name`.
    pub name: String,
    /// Its URL: the claim `iss`, to the letter.
    pub url: String,
    /// The values of `aud` that mean this service.
    pub audiences: Vec<String>,
    /// What it may sign with; some of [`ALGORITHMS`].
    pub algorithms: Vec<Algorithm>,
    /// How far its clock may be from this one, in seconds.
    pub leeway_seconds: u32,
    /// The keys that lead to the claim with the roles.
    pub role_claim: Vec<String>,
    /// The roles that a value of that claim gives.
    pub roles: BTreeMap<String, Vec<Role>>,
}

/// At most 255 characters (`OpenID` Connect Core 1.0, section 2), and nothing that would disturb a
/// line of text.
fn is_subject(text: &str) -> bool {
    text.chars().count() <= MAX_SUBJECT && !text.chars().any(char::is_control)
}

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 255;

/// Why a token is not accepted. The text is for the caller, and shows nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is longer than [`MAX_BYTES`].
    #[error("the token is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It is not three parts of base64url with JSON in them, or a claim is missing or malformed.
    #[error("the token is malformed")]
    Malformed,
    /// It asks for an extension.
    #[error("the token needs an extension that is not supported")]
    Critical,
    /// Its issuer is not configured.
    #[error("the token's issuer is not accepted")]
    Issuer,
    /// It is not signed with an algorithm that its issuer may use.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// Its issuer has no such key.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The signature is not by that key.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is for another service.
    #[error("the token is for another audience")]
    Audience,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
}

/// A token, taken apart. Nothing in it is proved.
#[derive(Debug)]
pub struct Unverified<'t> {
    message: &'t str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: Claims,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart.
    pub fn read(token: &'t str) -> Result<Self, Rejected> {
        if token.len() > MAX_BYTES {
            return Err(Rejected::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Rejected::Malformed)?;
        let decode = |part| decoded(part).ok_or(Rejected::Malformed);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        if Critical::is_named(&header) {
            return Err(Rejected::Critical);
        }
        let Header { alg, kid } = serde_json::from_slice(&header).map_err(|_| Rejected::Malformed)?;
        let algorithm = alg.parse().map_err(|_| Rejected::Algorithm)?;
        let claims = Claims::read(&payload).ok_or(Rejected::Malformed)?;
        Ok(Self { message, signature, algorithm, key_id: kid, claims })
    }

    /// The issuer that it names, of those that are accepted.
    pub fn issuer<'i>(&self, issuers: &'i [Issuer]) -> Result<&'i Issuer, Rejected> {
        let named = self.claims.text("iss").ok_or(Rejected::Malformed)?;
        issuers.iter().find(|issuer| issuer.url == named).ok_or(Rejected::Issuer)
    }

    /// The principal, if the token is by this issuer, which has these keys, and valid at this time,
    /// in seconds since 1970.
    pub fn verified(&self, issuer: &Issuer, keys: &JwkSet, now: i64) -> Result<Principal, Rejected> {
        if !issuer.algorithms.contains(&self.algorithm) || !ALGORITHMS.contains(&self.algorithm) {
            return Err(Rejected::Algorithm);
        }
        let key = self.key(keys)?;
        if !signature::is_by(key, self.algorithm, self.message.as_bytes(), &self.signature) {
            return Err(Rejected::Signature);
        }
        if !self.claims.has("aud", |audience| issuer.audiences.iter().any(|ours| ours == audience)) {
            return Err(Rejected::Audience);
        }
        self.check_time(now, f64::from(issuer.leeway_seconds))?;
        let subject = self.claims.text("sub").filter(|subject| is_subject(subject)).ok_or(Rejected::Malformed)?;
        let given = self.claims.texts(&issuer.role_claim);
        let roles = given.into_iter().filter_map(|value| issuer.roles.get(value)).flatten().cloned().collect();
        Ok(Principal { name: format!("{subject}@{}", issuer.name), roles, on_behalf_of: false })
    }

    /// The one key that it can be signed with: the one it names, or else the only one that fits.
    fn key<'k>(&self, keys: &'k JwkSet) -> Result<&'k Jwk, Rejected> {
        let mut fitting = keys.keys.iter().filter(|key| {
            let is_named = self.key_id.is_none() || self.key_id == key.common.key_id;
            is_named && signature::is_for(key, self.algorithm)
        });
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(Rejected::UnknownKey),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
    fn check_time(&self, now: i64, leeway: f64) -> Result<(), Rejected> {
        let moment = |name| self.claims.seconds(name).map_err(|()| Rejected::Malformed);
        let now = now as f64;
        let expires = moment("exp")?.ok_or(Rejected::Malformed)?;
        if now >= expires + leeway {
            return Err(Rejected::Expired);
        }
        if moment("nbf")?.is_some_and(|from| now < from - leeway) {
            return Err(Rejected::NotYet);
        }
        Ok(())
    }
}

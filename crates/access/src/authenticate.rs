//! The credentials of a request, and who checks them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::principal::Principal;

/// What a request shows. It does not print itself.
pub struct Bearer<'r>(&'r str);

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// Why a caller is not authenticated. The text is for the caller, and shows nothing of the
/// credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthenticated {
    /// The request has no credentials.
    #[error("the request has no credentials: send Authorization: Bearer with an API key or a token")]
    Missing,
    /// The request has no credentials but a certificate, and no principal has its names.
    #[error(
        "none of the names in the client's certificate is in [client-certificates] of the access file: add one, or \
         send Authorization: Bearer with an API key or a token"
    )]
    UnknownCertificate,
    /// `Authorization` is not `Bearer` with one token.
    #[error("the request's Authorization is not Bearer with an API key or a token")]
    NoBearer,
    /// The credentials are not accepted, with the reason.
    #[error("{0}")]
    Rejected(String),
    /// Whether they are accepted is not known now.
    #[error("the credentials cannot be checked now: {0}; send the same request again")]
    Unavailable(String),
}

/// Checks of credentials wait for an issuer or a database.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Result<Arc<Principal>, NotAuthenticated>> + Send + 'a>>;

/// Checks credentials.
pub trait Authenticate: fmt::Debug + Send + Sync {
    /// The principal whose credentials these are.
    fn check<'a>(&'a self, bearer: Bearer<'a>) -> Checking<'a>;

    /// The principal of a client whose verified certificate has these names.
    fn certified(&self, names: &[String]) -> Option<Arc<Principal>>;

    /// Whether a certificate can be a principal's.
    fn knows_certificates(&self) -> bool;
}

impl<'r> Bearer<'r> {
    /// Reads the one `Authorization` of a request (RFC 6750, section 2.1).
    pub fn of(headers: &'r HeaderMap) -> Result<Self, NotAuthenticated> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(NotAuthenticated::Missing)?;
        let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or(NotAuthenticated::NoBearer)?;
        let (scheme, token) = text.split_once(' ').ok_or(NotAuthenticated::NoBearer)?;
        let token = token.trim_matches(' ');
        let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ');
        is_bearer.then_some(Self(token)).ok_or(NotAuthenticated::NoBearer)
    }

    /// A token that was read before.
    pub(crate) fn new(token: &'r str) -> Self {
        Self(token)
    }

    /// The token itself.
    pub fn reveal(&self) -> &'r str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Result<String, NotAuthenticated> {
        let headers = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value)| {
            map.append(name, value);
        });
        Bearer::of(&map).map(|bearer| bearer.reveal().to_owned())
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(read(&[value]), Ok("abc".to_owned()), "{value}");
        }
        assert_eq!(read(&[]), Err(NotAuthenticated::Missing));
        for values in
            [&["Basic abc"][..], &["Bearer"], &["Bearer "], &["Bearer a b"], &["abc"], &["Bearer a", "Bearer b"], &[""]]
        {
            assert_eq!(read(values), Err(NotAuthenticated::NoBearer), "{values:?}");
        }
    }

    #[test]
    fn credentials_do_not_print_themselves() {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer hidden"))]);
        assert!(!format!("{:?}", Bearer::of(&headers).unwrap()).contains("hidden"));
    }
}

//! Why a request is refused before it is looked at.

use http::StatusCode;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request has no `Host`.
    #[error("the request names no host: send a Host header")]
    NoHost,
    /// The request has several `Host` headers.
    #[error("the request has several Host headers: send one")]
    SeveralHosts,
    /// The request is for a host that this server does not answer for.
    #[error("this server is not known as {0:?}: use localhost, or name that host with --allowed-hosts")]
    UnknownHost(String),
    /// A page of another origin sent the request.
    #[error("a page of {0:?} cannot use this server: allow its origin with --allowed-origins")]
    OtherOrigin(String),
    /// A page of another site sent the request, and a browser said so without the origin.
    #[error("a page of another site cannot use this server: allow its origin with --allowed-origins")]
    OtherSite,
}

impl Refusal {
    /// How much of what the client sent is repeated, in characters.
    const SHOWN: usize = 100;

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoHost | Self::SeveralHosts => StatusCode::BAD_REQUEST,
            // RFC 9110, section 15.5.20.
            Self::UnknownHost(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::OtherOrigin(_) | Self::OtherSite => StatusCode::FORBIDDEN,
        }
    }

    pub(crate) fn unknown_host(host: &[u8]) -> Self {
        Self::UnknownHost(shown(host))
    }

    pub(crate) fn other_origin(origin: &[u8]) -> Self {
        Self::OtherOrigin(shown(origin))
    }
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(Refusal::SHOWN).collect()
}

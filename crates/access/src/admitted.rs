//! A request that may pass, and what it has shown for that.

use std::sync::Arc;

use crate::api_key::ApiKey;
use crate::authenticate::{Authenticate, Bearer, NotAuthenticated};
use crate::caller::Caller;
use crate::session::Session;

/// A request that may pass.
#[derive(Debug)]
pub struct Admitted {
    /// Whose it is.
    pub caller: Caller,
    /// Its credentials, if they can end while it is answered.
    pub session: Option<Session>,
    /// The kind of its credentials. `None`: it has none, or needs none.
    pub shown: Option<Credentials>,
}

/// A kind of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credentials {
    /// An API key.
    Key,
    /// A token of an issuer.
    Token,
    /// A certificate of a client.
    Certificate,
}

impl Credentials {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
            Self::Certificate => "certificate",
        }
    }
}

impl Admitted {
    pub(crate) fn without_credentials(caller: Caller) -> Self {
        Self { caller, session: None, shown: None }
    }

    /// Whether the request has no `Authorization`.
    pub(crate) fn is_without_bearer(&self) -> bool {
        matches!(self.shown, None | Some(Credentials::Certificate))
    }

    pub(crate) async fn with_bearer(
        authenticate: &Arc<dyn Authenticate>,
        bearer: Bearer<'_>,
    ) -> Result<Self, NotAuthenticated> {
        let session = Session::new(authenticate.clone(), &bearer);
        let is_key = ApiKey::parse(bearer.reveal()).is_some();
        let shown = if is_key { Credentials::Key } else { Credentials::Token };
        let caller = Caller::Known(authenticate.check(bearer).await?);
        Ok(Self { caller, session: Some(session), shown: Some(shown) })
    }

    /// A certificate was verified when its connection began, and is not verified again.
    pub(crate) fn with_certificate(
        authenticate: &Arc<dyn Authenticate>,
        names: Option<&[String]>,
    ) -> Result<Self, NotAuthenticated> {
        let names = names.filter(|_| authenticate.knows_certificates()).ok_or(NotAuthenticated::Missing)?;
        let principal = authenticate.certified(names).ok_or(NotAuthenticated::UnknownCertificate)?;
        Ok(Self { caller: Caller::Known(principal), session: None, shown: Some(Credentials::Certificate) })
    }
}

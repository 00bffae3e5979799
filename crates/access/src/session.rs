//! Whether the credentials of a request are still accepted, for an answer that goes on for long: a
//! subscription ends when its token expires, or its key is revoked.

use std::fmt;
use std::sync::Arc;

use http::Extensions;

use crate::authenticate::{Authenticate, Bearer, NotAuthenticated};

/// The credentials of a request, to be checked again. The server puts it into the request's
/// extensions.
#[derive(Clone)]
pub struct Session {
    authenticate: Arc<dyn Authenticate>,
    bearer: Arc<str>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}

impl Session {
    pub(crate) fn new(authenticate: Arc<dyn Authenticate>, bearer: &Bearer<'_>) -> Self {
        Self { authenticate, bearer: bearer.reveal().into() }
    }

    /// The session of a request whose caller was authenticated.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Self>().cloned()
    }

    /// Whether the credentials are not accepted any more. While that cannot be checked, the session
    /// goes on.
    pub async fn is_over(&self) -> bool {
        let checked = self.authenticate.check(Bearer::new(&self.bearer)).await;
        matches!(checked, Err(NotAuthenticated::Rejected(_)))
    }
}

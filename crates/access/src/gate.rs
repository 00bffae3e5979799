//! The gate of a listener: whether a request may pass, and whose it is.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};

use crate::Refusal;
use crate::authenticate::{Authenticate, Bearer, NotAuthenticated};
use crate::caller::{Caller, Reach};
use crate::exposure::Names;
use crate::operation::Operation;
use crate::routes::{self, Found};
use crate::session::Session;
use crate::table::{is_public, takes_a_callback_token};

/// The gate of a listener.
#[derive(Debug, Clone)]
pub struct Gate {
    names: Names,
    /// `None`: callers are not authenticated.
    authenticate: Option<Arc<dyn Authenticate>>,
}

/// Why a request does not pass. The text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is for another server, or a page of another origin sends it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No row of the table has its path.
    #[error("this server has no such path")]
    NoSuchPath,
    /// No row of the table has its method, with this path.
    #[error("this path has other methods")]
    OtherMethod,
    /// Its caller is not known.
    #[error(transparent)]
    NotAuthenticated(#[from] NotAuthenticated),
    /// Its caller may not do this.
    #[error("{0}")]
    Forbidden(Forbidden),
}

/// A caller may not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// The caller.
    pub caller: String,
    /// What it may not do.
    pub operation: Operation,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not {}: its roles do not allow it", self.caller, self.operation.as_str())
    }
}

impl Gate {
    /// A gate that lets everybody in who uses the right name.
    pub fn open(names: Names) -> Self {
        Self { names, authenticate: None }
    }

    /// A gate that lets in whom the table lets in.
    pub fn authenticated(names: Names, authenticate: Arc<dyn Authenticate>) -> Self {
        Self { names, authenticate: Some(authenticate) }
    }

    /// What an operator has to know.
    pub fn warning(&self) -> Option<String> {
        self.names.warning()
    }

    /// Whether callers are authenticated.
    pub fn authenticates(&self) -> bool {
        self.authenticate.is_some()
    }

    /// Whose request this is, if it may pass; and the session of an authenticated caller.
    pub async fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(Caller, Option<Session>), Denied> {
        self.names.admit(method, uri, headers)?;
        let Some(authenticate) = &self.authenticate else { return Ok((Caller::Anyone, None)) };
        let operation = match routes::operation(method, uri.path()) {
            Found::Operation(operation) => operation,
            Found::OtherMethod => return Err(Denied::OtherMethod),
            Found::Nothing => return Err(Denied::NoSuchPath),
        };
        let bearer = match Bearer::of(headers) {
            _ if operation == Operation::Probe => return Ok((Caller::Stranger, None)),
            Err(NotAuthenticated::Missing) if needs_no_credentials(operation) => return Ok((Caller::Stranger, None)),
            bearer => bearer?,
        };
        let session = Session::new(authenticate.clone(), &bearer);
        let principal = authenticate.check(bearer).await?;
        let caller = Caller::Known(principal);
        match caller.reach(operation) {
            Reach::Nothing => Err(Denied::forbidden(&caller, operation)),
            Reach::Own(_) | Reach::Everything => Ok((caller, Some(session))),
        }
    }
}

/// Whether the gate lets a stranger pass. What is not public is then refused by its handler, if the
/// request has no token of a callback.
fn needs_no_credentials(operation: Operation) -> bool {
    is_public(operation) || takes_a_callback_token(operation)
}

impl Denied {
    /// This caller may not do that.
    pub fn forbidden(caller: &Caller, operation: Operation) -> Self {
        let caller = caller.name().unwrap_or("a caller without credentials").to_owned();
        Self::Forbidden(Forbidden { caller, operation })
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::OtherMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAuthenticated(NotAuthenticated::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotAuthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750, section 3), for the statuses that have one.
    pub fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::NotAuthenticated(NotAuthenticated::Missing) => Some("Bearer realm=\"tenuto\""),
            Self::NotAuthenticated(NotAuthenticated::NoBearer) => {
                Some("Bearer realm=\"tenuto\", error=\"invalid_request\"")
            }
            Self::NotAuthenticated(NotAuthenticated::Rejected(_)) => {
                Some("Bearer realm=\"tenuto\", error=\"invalid_token\"")
            }
            Self::Forbidden(_) => Some("Bearer realm=\"tenuto\", error=\"insufficient_scope\""),
            Self::NotAuthenticated(NotAuthenticated::Unavailable(_))
            | Self::Refused(_)
            | Self::NoSuchPath
            | Self::OtherMethod => None,
        }
    }

    /// The reason in one word, for counters; `None`: no attempt to get in.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Refused(Refusal::UnknownHost(_) | Refusal::NoHost | Refusal::SeveralHosts) => Some("host"),
            Self::Refused(Refusal::OtherOrigin(_) | Refusal::OtherSite) => Some("origin"),
            Self::NotAuthenticated(NotAuthenticated::Missing | NotAuthenticated::NoBearer) => Some("no_credentials"),
            Self::NotAuthenticated(NotAuthenticated::Rejected(_)) => Some("rejected_credentials"),
            Self::NotAuthenticated(NotAuthenticated::Unavailable(_)) => Some("unavailable"),
            Self::Forbidden(_) => Some("forbidden"),
            Self::NoSuchPath | Self::OtherMethod => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use http::HeaderValue;
    use http::header::{AUTHORIZATION, HOST};

    use super::*;
    use crate::authenticate::Checking;
    use crate::principal::Principal;

    /// Knows one token, that of a viewer.
    #[derive(Debug)]
    struct OneViewer;

    impl Authenticate for OneViewer {
        fn check<'a>(&'a self, bearer: Bearer<'a>) -> Checking<'a> {
            let viewer = Principal {
                name: "ann@company".to_owned(),
                roles: ["viewer".parse().unwrap()].into(),
                on_behalf_of: false,
            };
            let known = bearer.reveal() == "right";
            Box::pin(ready(if known {
                Ok(Arc::new(viewer))
            } else {
                Err(NotAuthenticated::Rejected("the token is malformed".to_owned()))
            }))
        }
    }

    fn asked(gate: &Gate, request: (&str, &str), token: Option<&str>) -> Result<Caller, Denied> {
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let (method, uri) = (request.0.parse().unwrap(), request.1.parse().unwrap());
        let mut admitting = Box::pin(gate.admit(&method, &uri, &headers));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match admitting.as_mut().poll(&mut context) {
            std::task::Poll::Ready(admitted) => admitted.map(|(caller, _)| caller),
            std::task::Poll::Pending => panic!("nothing here waits"),
        }
    }

    fn gate() -> Gate {
        Gate::authenticated(crate::Exposure::default().authenticated(), Arc::new(OneViewer))
    }

    #[test]
    fn only_who_is_known_and_has_the_role_passes() {
        assert_eq!(asked(&gate(), ("GET", "/orders/1"), Some("right")).unwrap().name(), Some("ann@company"));
        for (request, token, status, challenge) in [
            (("GET", "/orders/1"), None, 401, Some("Bearer realm=\"tenuto\"")),
            (("GET", "/orders/1"), Some("wrong"), 401, Some("Bearer realm=\"tenuto\", error=\"invalid_token\"")),
            (("POST", "/orders"), Some("right"), 403, Some("Bearer realm=\"tenuto\", error=\"insufficient_scope\"")),
            (("GET", "/nowhere"), Some("right"), 404, None),
            (("GET", "/nowhere"), None, 404, None),
            (("PUT", "/orders"), None, 405, None),
        ] {
            let denied = asked(&gate(), request, token).unwrap_err();
            assert_eq!((denied.status().as_u16(), denied.challenge()), (status, challenge), "{request:?} {token:?}");
        }
    }

    #[test]
    fn what_is_public_needs_no_credentials_and_refuses_wrong_ones() {
        assert_eq!(asked(&gate(), ("GET", "/openapi.json"), None), Ok(Caller::Stranger));
        assert!(asked(&gate(), ("GET", "/openapi.json"), Some("wrong")).is_err());
        for token in [None, Some("wrong"), Some("right")] {
            assert_eq!(asked(&gate(), ("GET", "/livez"), token), Ok(Caller::Stranger), "{token:?}");
        }
    }

    #[test]
    fn an_open_gate_lets_everybody_do_everything() {
        let names = crate::Exposure::default().permit("127.0.0.1:1".parse().unwrap()).unwrap();
        for request in [("GET", "/orders/1"), ("POST", "/customers/1/forget"), ("GET", "/nowhere")] {
            assert_eq!(asked(&Gate::open(names.clone()), request, None), Ok(Caller::Anyone));
        }
    }
}

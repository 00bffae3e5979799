//! The gate of a listener: whether a request may pass, and whose it is.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};
use live::{Change, Live};

use crate::Refusal;
use crate::admitted::Admitted;
use crate::authenticate::{Authenticate, Bearer, NotAuthenticated};
use crate::browser::opens_a_page;
use crate::caller::{Caller, Reach};
use crate::exposure::{Exposure, Names};
use crate::operation::Operation;
use crate::routes::{self, Found};
use crate::table::{is_public, takes_a_callback_token};

/// The gate of a listener. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate {
    names: Live<Names>,
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
        Self { names: Live::new(names), authenticate: None }
    }

    /// A gate that lets in whom the table lets in.
    pub fn authenticated(names: Names, authenticate: Arc<dyn Authenticate>) -> Self {
        Self { names: Live::new(names), authenticate: Some(authenticate) }
    }

    /// What lets in by the names of other options from now on.
    pub fn prepare(&self, exposure: &Exposure) -> Change {
        Change::default().set(&self.names, self.names.get().with(exposure))
    }

    /// What an operator has to know.
    pub fn warning(&self) -> Option<String> {
        self.names.get().warning()
    }

    /// Whether callers are authenticated.
    pub fn authenticates(&self) -> bool {
        self.authenticate.is_some()
    }

    /// Whether certificates of clients are expected.
    pub fn knows_certificates(&self) -> bool {
        self.authenticate.as_ref().is_some_and(|authenticate| authenticate.knows_certificates())
    }

    /// Whose request this is, if it may pass. `certificate`: the names in the client's certificate,
    /// which the listener has verified. Credentials in the request count before it.
    pub async fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        certificate: Option<&[String]>,
    ) -> Result<Admitted, Denied> {
        self.names.get().admit(method, uri, headers)?;
        let Some(authenticate) = &self.authenticate else { return Ok(Admitted::without_credentials(Caller::Anyone)) };
        let operation = match routes::operation(method, uri.path()) {
            // The page at the address of queries shows credentials with the queries that it sends.
            Found::Operation(Operation::Query) if opens_a_page(method, uri, headers) => Operation::Describe,
            Found::Operation(operation) => operation,
            Found::OtherMethod => return Err(Denied::OtherMethod),
            Found::Nothing => return Err(Denied::NoSuchPath),
        };
        if operation == Operation::Probe {
            return Ok(Admitted::without_credentials(Caller::Stranger));
        }
        let admitted = match (Bearer::of(headers), certificate) {
            (Ok(bearer), _) => Admitted::with_bearer(authenticate, bearer).await?,
            (Err(NotAuthenticated::Missing), certificate) => {
                match Admitted::with_certificate(authenticate, certificate) {
                    Ok(admitted) => admitted,
                    Err(_) if needs_no_credentials(operation) => Admitted::without_credentials(Caller::Stranger),
                    Err(reason) => return Err(reason.into()),
                }
            }
            (Err(reason), _) => return Err(reason.into()),
        };
        match admitted.caller.reach(operation) {
            // A participant that always shows its certificate may have the token of a callback.
            Reach::Nothing if takes_a_callback_token(operation) && admitted.is_without_bearer() => {
                Ok(Admitted::without_credentials(Caller::Stranger))
            }
            Reach::Nothing => Err(Denied::forbidden(&admitted.caller, operation)),
            Reach::Own(_) | Reach::Everything => Ok(admitted),
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
            Self::NotAuthenticated(NotAuthenticated::Missing | NotAuthenticated::UnknownCertificate) => {
                Some("Bearer realm=\"tenuto\"")
            }
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
            Self::NotAuthenticated(NotAuthenticated::Rejected(_) | NotAuthenticated::UnknownCertificate) => {
                Some("rejected_credentials")
            }
            Self::NotAuthenticated(NotAuthenticated::Unavailable(_)) => Some("unavailable"),
            Self::Forbidden(_) => Some("forbidden"),
            Self::NoSuchPath | Self::OtherMethod => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use http::header::{ACCEPT, AUTHORIZATION, HOST, UPGRADE};
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::admitted::Credentials;
    use crate::authenticate::Checking;
    use crate::principal::Principal;

    /// Knows one token, that of a viewer, and the certificates of a shop and of one without a role.
    #[derive(Debug)]
    struct OneViewer;

    fn principal(name: &str, roles: &[&str]) -> Principal {
        let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
        Principal { name: name.to_owned(), roles, on_behalf_of: false }
    }

    impl Authenticate for OneViewer {
        fn check<'a>(&'a self, bearer: Bearer<'a>) -> Checking<'a> {
            let viewer = principal("ann@company", &["viewer"]);
            let known = bearer.reveal() == "right";
            Box::pin(ready(if known {
                Ok(Arc::new(viewer))
            } else {
                Err(NotAuthenticated::Rejected("the token is malformed".to_owned()))
            }))
        }

        fn certified(&self, names: &[String]) -> Option<Arc<Principal>> {
            let is_named = |name: &str| names.iter().any(|known| known == name);
            let shop = is_named("shop").then(|| principal("shop@certificate", &["shop"]));
            shop.or_else(|| is_named("guest").then(|| principal("guest@certificate", &[]))).map(Arc::new)
        }

        fn knows_certificates(&self) -> bool {
            true
        }
    }

    fn asked(gate: &Gate, request: (&str, &str), token: Option<&str>) -> Result<Caller, Denied> {
        shown(gate, request, token, None).map(|admitted| admitted.caller)
    }

    fn shown(
        gate: &Gate,
        request: (&str, &str),
        token: Option<&str>,
        certificate: Option<&[&str]>,
    ) -> Result<Admitted, Denied> {
        let certificate: Option<Vec<String>> =
            certificate.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let (method, uri) = (request.0.parse().unwrap(), request.1.parse().unwrap());
        at_once(gate.admit(&method, &uri, &headers, certificate.as_deref()))
    }

    fn at_once<T>(admitting: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(admitting).poll(&mut context) {
            std::task::Poll::Ready(admitted) => admitted,
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
    fn a_browser_opens_the_page_for_queries_without_credentials_and_asks_nothing_with_it() {
        const PAGE: &str = "text/html,*/*;q=0.8";
        let ask = |method: &str, uri: &str, headers: &[(HeaderName, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            let headers: HeaderMap = headers.chain([(HOST, HeaderValue::from_static("localhost"))]).collect();
            at_once(gate().admit(&method.parse().unwrap(), &uri.parse().unwrap(), &headers, None))
        };
        assert_eq!(ask("GET", "/graphql", &[(ACCEPT, PAGE)]).unwrap().caller, Caller::Stranger);
        for (method, uri, headers) in [
            ("GET", "/graphql", &[][..]),
            ("GET", "/graphql", &[(ACCEPT, "application/json")]),
            ("GET", "/graphql?query=%7Borders%7D", &[(ACCEPT, PAGE)]),
            ("GET", "/graphql", &[(ACCEPT, PAGE), (UPGRADE, "websocket")]),
            ("POST", "/graphql", &[(ACCEPT, PAGE)]),
            ("GET", "/orders/1", &[(ACCEPT, PAGE)]),
        ] {
            let denied = ask(method, uri, headers).unwrap_err();
            assert_eq!(denied.status().as_u16(), 401, "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn a_certificate_is_a_principal_of_a_request_without_other_credentials() {
        let shop: Option<&[&str]> = Some(&["payments.internal", "shop"]);
        let admitted = shown(&gate(), ("POST", "/orders"), None, shop).unwrap();
        assert_eq!(
            (admitted.caller.name(), admitted.shown),
            (Some("shop@certificate"), Some(Credentials::Certificate))
        );
        let admitted = shown(&gate(), ("GET", "/orders/1"), Some("right"), shop).unwrap();
        assert_eq!((admitted.caller.name(), admitted.shown), (Some("ann@company"), Some(Credentials::Token)));
        for (request, token, names, status) in [
            (("POST", "/orders"), Some("right"), &["shop"][..], 403),
            (("POST", "/orders"), Some("wrong"), &["shop"], 401),
            (("POST", "/workflows"), None, &["shop"], 403),
            (("POST", "/orders"), None, &["other"], 401),
            (("POST", "/orders"), None, &[], 401),
        ] {
            let denied = shown(&gate(), request, token, Some(names)).unwrap_err();
            assert_eq!(denied.status().as_u16(), status, "{request:?} {token:?} {names:?}");
        }
        let unknown = shown(&gate(), ("POST", "/orders"), None, Some(&["other"])).unwrap_err();
        assert!(unknown.to_string().contains("[client-certificates]"), "{unknown}");
        assert_eq!(asked(&Gate::open(open_names()), ("POST", "/orders"), None), Ok(Caller::Anyone));
    }

    #[test]
    fn a_certificate_takes_no_right_from_the_token_of_a_callback() {
        let answer = ("POST", "/orders/1/steps/pay/outcome");
        for names in [None, Some(&["guest"][..]), Some(&["other"])] {
            assert_eq!(shown(&gate(), answer, None, names).unwrap().caller, Caller::Stranger, "{names:?}");
        }
        assert_eq!(shown(&gate(), answer, Some("right"), None).unwrap_err().status().as_u16(), 403);
    }

    fn open_names() -> Names {
        crate::Exposure::default().permit("127.0.0.1:1".parse().unwrap()).unwrap()
    }

    #[test]
    fn an_open_gate_lets_everybody_do_everything() {
        for request in [("GET", "/orders/1"), ("POST", "/customers/1/forget"), ("GET", "/nowhere")] {
            assert_eq!(asked(&Gate::open(open_names()), request, None), Ok(Caller::Anyone));
        }
    }
}

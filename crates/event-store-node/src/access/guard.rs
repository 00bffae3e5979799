//! In front of all routes: finds the caller of a request, and refuses what the caller may not call.

use futures::FutureExt;
use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use tonic::Status;
use tonic::body::BoxBody;
use tower::Service;

use super::caller::Caller;
use super::credentials::{Credentials, Unreadable};
use super::methods::{Need, need};
use super::users::{Users, UsersError};
use crate::connection::Reached;
use crate::gate::{Answering, Gate};
use crate::page::Page;
use crate::service::refusal;

/// The guard. Without users, it admits every request.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) users: Option<Users>,
}

impl Gate for Guard {
    fn pass<S>(&self, mut request: Request<BoxBody>, behind: &mut S) -> Answering<S::Error>
    where
        S: Service<Request<BoxBody>, Response = Response<BoxBody>, Future: Send + 'static> + Clone + Send + 'static,
    {
        let Some(users) = self.users.clone() else {
            request.extensions_mut().insert(Caller::Open);
            return behind.call(request).boxed();
        };
        let known = match Credentials::of(request.headers()) {
            Ok(None) => Ok(Caller::Anonymous),
            Ok(Some(given)) => users.remembered(&given.login, &given.password).ok_or(given),
            Err(Unreadable) => return refused(&request, Refused::Unreadable),
        };
        let given = match known {
            Ok(caller) => return admitted(request, caller, behind),
            Err(given) => given,
        };
        // The clone is the one that is not known to be ready.
        let waiting = behind.clone();
        let mut behind = std::mem::replace(behind, waiting);
        async move {
            match users.check(&given.login, given.password).await {
                Ok(Some(caller)) => admitted(request, caller, &mut behind).await,
                Ok(None) => {
                    report(&request, &given.login, "the user does not exist, is disabled, or has another password");
                    refused(&request, Refused::Unknown).await
                }
                Err(UsersError::Busy) => refused(&request, Refused::Busy).await,
                Err(error) => {
                    tracing::error!(%error, "a password could not be checked");
                    refused(&request, Refused::Busy).await
                }
            }
        }
        .boxed()
    }
}

/// Calls the service, if the caller may.
fn admitted<S>(mut request: Request<BoxBody>, caller: Caller, behind: &mut S) -> Answering<S::Error>
where
    S: Service<Request<BoxBody>, Response = Response<BoxBody>, Future: Send + 'static>,
{
    let need: Need = need(request.uri().path());
    if !need.is_met_by(&caller) {
        if let Caller::User(user) = &caller {
            report(&request, &user.login, "the user does not have the right to this");
        }
        return refused(&request, if caller.is_user() { Refused::NotAllowed } else { Refused::Anonymous });
    }
    request.extensions_mut().insert(caller);
    behind.call(request).boxed()
}

/// Logs a refused attempt. The name may be anything, so it is written with escapes.
fn report(request: &Request<BoxBody>, login: &str, reason: &str) {
    let from = request.extensions().get::<Reached>().and_then(|reached| reached.by);
    tracing::warn!(user = ?login, ?from, path = request.uri().path(), "the event store has refused a request: {reason}");
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy)]
enum Refused {
    /// The header `Authorization` cannot be read.
    Unreadable,
    /// The user does not exist, or has another password.
    Unknown,
    Anonymous,
    NotAllowed,
    Busy,
}

/// The answer: a status of gRPC to its clients, and a page to others.
fn refused<E>(request: &Request<BoxBody>, reason: Refused) -> Answering<E> {
    let is_grpc =
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let answer = if is_grpc { reason.status().into_http() } else { reason.page() };
    async { Ok(answer) }.boxed()
}

impl Refused {
    fn status(self) -> Status {
        match self {
            Self::Unreadable => Status::unauthenticated("Only basic authentication is supported."),
            Self::Unknown => Status::unauthenticated("Invalid user name or password."),
            // As a server answers both.
            Self::Anonymous | Self::NotAllowed => refusal::access_denied(),
            Self::Busy => Status::unavailable("Server Is Too Busy"),
        }
    }

    fn page(self) -> Response<BoxBody> {
        let (status, text) = match self {
            Self::Unreadable | Self::Anonymous => {
                (StatusCode::UNAUTHORIZED, "Give a user and a password by HTTP Basic, as `curl -u USER` does.\n")
            }
            Self::Unknown => (StatusCode::UNAUTHORIZED, "The user does not exist, or has another password.\n"),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "The user does not have the right to this.\n"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Too many passwords are being checked; try again.\n"),
        };
        let mut answer = Page::text(status, text.to_owned()).response();
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="event store""#));
        }
        answer
    }
}

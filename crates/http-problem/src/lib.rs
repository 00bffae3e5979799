//! Error answers over HTTP, as RFC 9457 problems. Every server of the project refuses with this
//! type: each maps its own errors to it, and this crate alone knows the media type, the members and
//! the headers.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use domain::order::State;
use domain::order::request::Violation;
use domain::workflow::Faults;
use serde::Serialize;

mod kind;

pub use kind::Kind;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The `type` of every problem: its `title` is the meaning of the status, and `detail` explains it.
pub const TYPE: &str = "about:blank";

/// After how many seconds a client sends the same request again.
const RETRY_AFTER_SECONDS: u32 = 1;

/// How a caller authenticates.
const CHALLENGE: &str = "Bearer";

/// The longest path in an answer, in characters.
const MAX_PATH: usize = 200;

/// An error answer. Its `status` is the HTTP status. A 503 has `Retry-After`, and a 401 has
/// `WWW-Authenticate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    /// Where the request is wrong: each place with its JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Violation>,
    /// For a conflict with the order's state: that state.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_name")]
    state: Option<State>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_name<S: serde::Serializer>(state: &Option<State>, serializer: S) -> Result<S::Ok, S::Error> {
    state.map(State::as_str).serialize(serializer)
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self::scripted(kind.status(), detail)
    }

    /// A problem whose status another crate has decided. A status of no kind becomes 500.
    pub fn with_status(status: StatusCode, detail: impl Into<String>) -> Self {
        let kind = Kind::ALL.into_iter().find(|kind| kind.status() == status);
        Self::new(kind.unwrap_or(Kind::Internal), detail)
    }

    /// What a reference service is scripted to answer: any status, to try failures.
    pub fn scripted(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: TYPE,
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            state: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    /// 401: the request does not show that its caller may send it.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotAuthenticated, detail)
    }

    /// 403: the caller may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// 404 for a path without a route; `server` is the subject, with its verb: `this server has`.
    pub fn no_such_path(method: &Method, uri: &Uri, server: &str) -> Self {
        Self::not_found(format!("{method} {}: {server} no such path", shown(uri)))
    }

    /// 405. The router sets `Allow`.
    pub fn method_not_allowed(method: &Method, uri: &Uri) -> Self {
        let detail = format!("{method} is not allowed on {}; the header `Allow` lists what is", shown(uri));
        Self::new(Kind::MethodNotAllowed, detail)
    }

    /// 409: the present state does not allow the request.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// 410: it is gone for good.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(Kind::Gone, detail)
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(Kind::TooLarge, detail)
    }

    /// 415.
    pub fn wrong_media_type(detail: impl Into<String>) -> Self {
        Self::new(Kind::WrongMediaType, detail)
    }

    /// 422 for a request with these violations. `detail` names a single one, and counts more.
    pub fn invalid(errors: Vec<Violation>) -> Self {
        let detail = match errors.as_slice() {
            [only] => {
                format!("{}: {}", if only.pointer.is_empty() { "the request" } else { &only.pointer }, only.detail)
            }
            all => format!("{} things are wrong with the request", all.len()),
        };
        Self::new(Kind::Invalid, detail).with_errors(errors)
    }

    /// 422 for a workflow file with these faults: each with its line and its column.
    pub fn faulty(faults: &Faults) -> Self {
        let errors = faults.iter().map(|fault| Violation {
            pointer: format!("line {}, column {}", fault.line, fault.column),
            detail: format!("{}: {}", fault.path, fault.reason),
        });
        Self::invalid(errors.collect())
    }

    /// 422 for a request that is wrong at this place.
    pub fn at(pointer: &str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Violation { pointer: pointer.to_owned(), detail: detail.into() }])
    }

    /// 500: the server failed.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(Kind::Internal, detail)
    }

    /// 503: nothing was done, and the same request may succeed later.
    pub fn later(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    /// With the places where the request is wrong.
    #[must_use]
    pub fn with_errors(self, errors: Vec<Violation>) -> Self {
        Self { errors, ..self }
    }

    /// With the state of the order that the request conflicts with.
    #[must_use]
    pub fn with_state(self, state: State) -> Self {
        Self { state: Some(state), ..self }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// A path, shortened for a message.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(MAX_PATH).collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        response
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    async fn answer(problem: Problem) -> (StatusCode, Option<String>, Value) {
        let response = problem.into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        let retry_after = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, retry_after, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_problem_has_only_the_members_that_apply() {
        let (status, retry_after, body) = answer(Problem::not_found("there is no order 7")).await;
        assert_eq!((status, retry_after), (StatusCode::NOT_FOUND, None));
        let expected = json!({
            "type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no order 7",
        });
        assert_eq!(body, expected);
        let conflict = Problem::conflict("cannot cancel an order that is COMPLETED").with_state(State::Completed);
        assert_eq!(answer(conflict).await.2["state"], "COMPLETED");
    }

    #[tokio::test]
    async fn an_invalid_request_names_one_fault_and_counts_more() {
        let (status, _, body) = answer(Problem::at("/lines/0", "must be an object")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body["detail"], "/lines/0: must be an object");
        assert_eq!(body["errors"], json!([{ "pointer": "/lines/0", "detail": "must be an object" }]));
        assert_eq!(answer(Problem::at("", "is empty")).await.2["detail"], "the request: is empty");
        let fault = Violation { pointer: "/a".to_owned(), detail: "is unknown".to_owned() };
        let (_, _, body) = answer(Problem::invalid(vec![fault.clone(), fault])).await;
        assert_eq!(body["detail"], "2 things are wrong with the request");
    }

    #[tokio::test]
    async fn a_client_that_may_try_again_receives_when() {
        let (status, retry_after, _) = answer(Problem::later("the log does not answer")).await;
        assert_eq!((status, retry_after.as_deref()), (StatusCode::SERVICE_UNAVAILABLE, Some("1")));
        assert_eq!(answer(Problem::bad_request("the body is not JSON")).await.1, None);
    }

    #[test]
    fn a_caller_that_is_not_authenticated_receives_how() {
        let response = Problem::unauthenticated("the token has expired").into_response();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }

    #[test]
    fn a_long_path_is_shortened() {
        let uri: Uri = format!("/{}", "x".repeat(1_000)).parse().unwrap();
        for problem in [
            Problem::method_not_allowed(&Method::PUT, &uri),
            Problem::no_such_path(&Method::PUT, &uri, "this server has"),
        ] {
            assert!(problem.detail().starts_with("PUT ") && problem.detail().len() < 300, "{}", problem.detail());
        }
    }
}

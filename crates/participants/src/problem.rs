//! Errors as RFC 9457 problems.

use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why a request was not performed. 4xx is final (except for 408, 425 and 429); 5xx may be retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    detail: String,
    /// The wrong part of the request, as a JSON pointer.
    pointer: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), pointer: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn no_such_path(method: &Method, uri: &Uri) -> Self {
        Self::not_found(format!("{method} {}: the services have no such path", shown(uri)))
    }

    pub(crate) fn method_not_allowed(method: &Method, uri: &Uri) -> Self {
        let detail = format!("{method} is not allowed on {}; the header `Allow` lists what is", shown(uri));
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    /// The present state does not allow it.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The content is readable but wrong.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Whether a status means "try again".
    pub(crate) fn is_passing(status: StatusCode) -> bool {
        status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(pointer) = &self.pointer {
            body["errors"] = json!([{ "pointer": pointer, "detail": self.detail }]);
        }
        body
    }
}

/// When the database fails, the caller may retry; but not if the database refused the caller's
/// values.
impl From<sqlx::Error> for Problem {
    fn from(failure: sqlx::Error) -> Self {
        if let sqlx::Error::Database(error) = &failure
            && error.code().is_some_and(|code| code.starts_with(DATA_EXCEPTION))
        {
            return Self::invalid("", format!("holds a value that cannot be stored: {}", error.message()));
        }
        tracing::error!(error = %failure, "a request to a participant failed");
        Self::unavailable("the service cannot reach its database")
    }
}

/// The SQLSTATE class for values that a type cannot hold: a NUL in a text, a number out of range.
const DATA_EXCEPTION: &str = "22";

/// The media type of problems.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A path, shortened for a message.
fn shown(uri: &Uri) -> String {
    uri.path().chars().take(200).collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        let mut response = (self.status, content_type, self.body().to_string()).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}

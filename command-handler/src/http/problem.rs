//! Errors as RFC 9457 problems.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::order::request::Violation;
use serde::Serialize;

/// An error answer: `application/problem+json`, whose `status` is the HTTP status.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    /// Where the request is wrong, each place with its JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Violation>,
    /// For a conflict with the order's state: that state.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip)]
    retry_after_seconds: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            state: None,
            retry_after_seconds: None,
        }
    }

    pub fn invalid(errors: Vec<Violation>) -> Self {
        let detail = match errors.as_slice() {
            [only] => {
                format!("{}: {}", if only.pointer.is_empty() { "the request" } else { &only.pointer }, only.detail)
            }
            all => format!("{} things are wrong with the request", all.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    pub fn at(pointer: &str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Violation { pointer: pointer.to_owned(), detail: detail.into() }])
    }

    pub fn conflict(detail: impl Into<String>, state: Option<&'static str>) -> Self {
        Self { state, ..Self::new(StatusCode::CONFLICT, detail) }
    }

    /// "Try again later": nothing was done.
    pub fn later(detail: impl Into<String>) -> Self {
        Self { retry_after_seconds: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// Whether the same request may fare better later.
    #[cfg(test)]
    pub fn is_passing(&self) -> bool {
        self.retry_after_seconds.is_some()
    }

    /// Its status and its detail.
    #[cfg(test)]
    pub fn line(&self) -> String {
        format!("{}: {}", self.status, self.detail)
    }

    pub fn with_errors(self, errors: Vec<Violation>) -> Self {
        Self { errors, ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after_seconds);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

//! One page over HTTP: a status and a body.

use access::protected;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use tonic::body::{BoxBody, boxed};

pub(super) struct Page {
    status: StatusCode,
    kind: Option<&'static str>,
    /// The allowed methods, if the request's method is not allowed.
    allowed: Option<&'static str>,
    body: String,
}

impl Page {
    pub(super) fn nothing(status: StatusCode) -> Self {
        Self { status, kind: None, allowed: None, body: String::new() }
    }

    pub(super) fn json(body: &serde_json::Value) -> Self {
        let kind = Some("application/json; charset=utf-8");
        Self { status: StatusCode::OK, kind, allowed: None, body: body.to_string() }
    }

    pub(super) fn metrics(text: String) -> Self {
        Self { status: StatusCode::OK, kind: Some(metrics::OPEN_METRICS), allowed: None, body: text }
    }

    pub(super) fn text(status: StatusCode, body: String) -> Self {
        Self { status, kind: Some("text/plain; charset=utf-8"), allowed: None, body }
    }

    pub(super) fn not_allowed(method: &Method, path: &str, allowed: &'static str) -> Self {
        let text = format!("{method} is not allowed on {path}; use {allowed}.\n");
        Self { allowed: Some(allowed), ..Self::text(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    pub(super) fn response(self) -> Response<BoxBody> {
        let mut answer = Response::new(boxed(self.body));
        *answer.status_mut() = self.status;
        if let Some(kind) = self.kind {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(allowed) = self.allowed {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        protected(answer)
    }
}

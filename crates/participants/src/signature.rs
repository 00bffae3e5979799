//! Whether a request over HTTP was signed with a secret of the service (Standard Webhooks).
//!
//! The signature covers the id, the time and the body. The other headers are not signed, so the
//! idempotency key has to be the id: otherwise a request that was recorded on its way could be sent
//! again under another key, and act twice.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use http_problem::Problem;
use signing::webhook::{self, SignedHeaders, WebhookSecret};

use crate::contract::idempotency_key;

/// A request that is not accepted as signed: 401.
///
/// The body is a problem, but not under its media type: a problem would be this service's own "no",
/// for which orders are undone. A wrong secret is a mistake of the deployment.
#[derive(Debug)]
pub(crate) struct NotSigned(String);

impl IntoResponse for NotSigned {
    fn into_response(self) -> Response {
        let problem = Problem::unauthenticated(self.0);
        let challenge = HeaderValue::from_static("Webhook");
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], Json(problem)).into_response()
    }
}

/// Accepts a request that one of these secrets has signed. Without secrets, each is accepted.
pub(crate) fn check(secrets: &[WebhookSecret], headers: &HeaderMap, body: &[u8]) -> Result<(), NotSigned> {
    if secrets.is_empty() {
        return Ok(());
    }
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| NotSigned(format!("the request is not signed: the header {name} is missing")))
    };
    let signed = SignedHeaders {
        id: header(webhook::ID)?,
        timestamp: header(webhook::TIMESTAMP)?,
        signature: header(webhook::SIGNATURE)?,
    };
    webhook::verify(secrets, signed, body, Utc::now().timestamp()).map_err(|reason| NotSigned(reason.to_string()))?;
    match idempotency_key(headers) {
        Ok(key) if key == signed.id => Ok(()),
        _ => Err(NotSigned("the header Idempotency-Key must be equal to webhook-id, which is signed".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn secrets(texts: &[&str]) -> Vec<WebhookSecret> {
        texts.iter().map(|text| WebhookSecret::parse(text).unwrap()).collect()
    }

    /// The headers of a request that was signed so many seconds ago.
    fn signed(texts: &[&str], age: i64, body: &[u8]) -> HeaderMap {
        let at = Utc::now().timestamp() - age;
        let signature = webhook::sign(&secrets(texts), "1/ship/do", at, body);
        let headers = [
            (webhook::ID, "1/ship/do".to_owned()),
            (webhook::TIMESTAMP, at.to_string()),
            (webhook::SIGNATURE, signature),
            ("idempotency-key", "\"1/ship/do\"".to_owned()),
        ];
        headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn reason(texts: &[&str], headers: &HeaderMap, body: &[u8]) -> Option<String> {
        check(&secrets(texts), headers, body).err().map(|NotSigned(reason)| reason)
    }

    #[test]
    fn a_request_with_a_right_signature_is_accepted_with_either_secret_of_a_rotation() {
        for known in [&[OLD][..], &[NEW], &[NEW, OLD]] {
            assert_eq!(reason(known, &signed(&[NEW, OLD], 0, b"{}"), b"{}"), None);
        }
        assert_eq!(reason(&[], &HeaderMap::new(), b"{}"), None, "the service has no secret");
    }

    #[test]
    fn a_request_that_is_not_signed_changed_or_old_is_refused() {
        let ours = &[OLD][..];
        assert!(reason(ours, &HeaderMap::new(), b"{}").unwrap().contains("webhook-id is missing"));
        assert!(reason(ours, &signed(&[NEW], 0, b"{}"), b"{}").unwrap().contains("no signature"));
        assert!(reason(ours, &signed(ours, 0, b"{}"), b"{ }").unwrap().contains("no signature"));
        assert!(reason(ours, &signed(ours, 310, b"{}"), b"{}").unwrap().contains("300 seconds"));
    }

    #[test]
    fn a_recorded_request_cannot_be_sent_again_under_another_key() {
        let mut headers = signed(&[OLD], 0, b"{}");
        headers.insert("idempotency-key", HeaderValue::from_static("\"1/ship/do/2\""));
        assert!(reason(&[OLD], &headers, b"{}").unwrap().contains("equal to webhook-id"));
        headers.remove("idempotency-key");
        assert!(reason(&[OLD], &headers, b"{}").is_some());
    }

    #[test]
    fn the_refusal_is_no_problem_of_the_participants_own() {
        let response = NotSigned("x".to_owned()).into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}

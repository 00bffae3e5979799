//! Reading a request's body: bounded, of the right media type, strict JSON.

use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use bytes::{Bytes, BytesMut};
use domain::order::request::Violation;
use futures::StreamExt;
use http_problem::Problem;
use serde_json::Value;

/// The largest request, in bytes.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// How much of a larger body is read and dropped, in bytes.
const MAX_DROPPED: usize = 32 * 1024 * 1024;

/// The headers, and the body as JSON, if its media type is one of `accepted`.
pub async fn json(request: Request<Body>, accepted: &[&str]) -> Result<(HeaderMap, Value), Problem> {
    let (headers, bytes) = bytes(request, accepted).await?;
    let value = domain::json::parse(&bytes).map_err(|error| {
        let violation = Violation { pointer: error.pointer.clone(), detail: error.fault.to_string() };
        Problem::bad_request(error.to_string()).with_errors(vec![violation])
    })?;
    Ok((headers, value))
}

/// The headers, and the body, if its media type is one of `accepted`.
pub async fn bytes(request: Request<Body>, accepted: &[&str]) -> Result<(HeaderMap, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    check_media_type(&parts.headers, accepted)?;
    let bytes = read(body).await?;
    Ok((parts.headers, bytes))
}

/// The body, if it is not too large. A larger body is still read up to a limit, and dropped: a
/// client that is cut off while it sends gets a broken connection instead of the answer.
async fn read(body: Body) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    let mut total = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("the body could not be read to its end"))?;
        total += chunk.len();
        if total <= LARGEST_BODY {
            bytes.extend_from_slice(&chunk);
        } else if total > MAX_DROPPED {
            break;
        }
    }
    if total > LARGEST_BODY {
        return Err(too_large());
    }
    Ok(bytes.freeze())
}

/// The answer to a body that is larger.
pub fn too_large() -> Problem {
    Problem::too_large(format!("the body must be at most {LARGEST_BODY} bytes"))
}

fn check_media_type(headers: &HeaderMap, accepted: &[&str]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if accepted.iter().any(|media_type| media_type.eq_ignore_ascii_case(essence)) {
        return Ok(());
    }
    Err(wrong_media_type(essence, accepted))
}

/// The answer to a body of another media type than the accepted ones.
pub fn wrong_media_type(given: &str, accepted: &[&str]) -> Problem {
    let found = if given.is_empty() { "none".to_owned() } else { format!("{given:?}") };
    let detail = format!("the Content-Type must be {}, found {found}", accepted.join(" or "));
    Problem::wrong_media_type(detail)
}

//! Which headers go on, and which come back.

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers of a request that go on, besides those of a `CloudEvent`. Cookies do not, nor the origin
/// of a web page, which the server that received the request has checked.
const OF_A_REQUEST: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("traceparent"),
];

/// Headers that are about one connection (RFC 9110, section 7.6.1), so they do not come back.
const OF_A_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("trailer"),
];

/// What `Via` has once a request has gone on.
const VIA: &str = "1.1 tenuto";

/// Whether another role has sent this request on.
pub(crate) fn were_sent_on(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::VIA).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|via| via.trim() == VIA)
}

/// The headers of a request that go on.
pub(crate) fn of_request(headers: &HeaderMap) -> HeaderMap {
    let mut copied = copied(headers, |name| OF_A_REQUEST.contains(name) || name.as_str().starts_with("ce-"));
    copied.append(header::VIA, HeaderValue::from_static(VIA));
    copied
}

/// The same for a request that opens a WebSocket.
pub(crate) fn of_upgrade(headers: &HeaderMap) -> HeaderMap {
    let mut all = of_request(headers);
    all.extend(handshake(headers));
    all
}

/// The headers of an answer that come back.
pub(crate) fn of_answer(headers: &HeaderMap) -> HeaderMap {
    copied(headers, |name| !OF_A_CONNECTION.contains(name))
}

/// The headers of the handshake of a WebSocket.
pub(crate) fn handshake(headers: &HeaderMap) -> HeaderMap {
    copied(headers, |name| {
        [header::CONNECTION, header::UPGRADE].contains(name) || name.as_str().starts_with("sec-websocket-")
    })
}

fn copied(headers: &HeaderMap, is_wanted: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let wanted = headers.iter().filter(|(name, _)| is_wanted(name));
    let mut copied = HeaderMap::new();
    wanted.for_each(|(name, value): (&HeaderName, &HeaderValue)| {
        copied.append(name.clone(), value.clone());
    });
    copied
}

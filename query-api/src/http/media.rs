//! Media types: what a caller sends, and what it wants to have.

use axum::http::{HeaderMap, header};

/// The media types that are served, for a caller that accepts none of them.
pub const OFFERED: &str =
    "`Accept` must allow application/graphql-response+json, application/json or text/event-stream";

/// The media type of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `application/graphql-response+json`: the status tells whether the request was executed.
    GraphqlResponse,
    /// `application/json`: 200 for every well-formed request.
    Json,
    /// A page, for a browser.
    Html,
    /// `text/event-stream`: the answers as server-sent events.
    EventStream,
}

impl Wanted {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            // A stream that cannot begin is refused as JSON.
            Self::EventStream => Self::Json.content_type(),
        }
    }
}

/// The best media type that the caller accepts; `None`: the caller accepts none that is served.
pub fn wanted(headers: &HeaderMap) -> Option<Wanted> {
    let accepted: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if accepted.iter().all(|value| value.trim().is_empty()) {
        return Some(Wanted::Json);
    }
    let ranges = accepted.iter().flat_map(|value| value.split(',')).filter_map(|range| {
        let (wanted, exact) = match essence(range).as_str() {
            "application/graphql-response+json" => (Wanted::GraphqlResponse, true),
            "application/json" => (Wanted::Json, true),
            "text/html" => (Wanted::Html, true),
            "text/event-stream" => (Wanted::EventStream, true),
            "*/*" | "application/*" => (Wanted::Json, false),
            _ => return None,
        };
        let quality = quality(range);
        (quality > 0).then_some((wanted, (quality, exact)))
    });
    // Of equal weights, the first one counts.
    let best = ranges.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(wanted, _)| wanted)
}

/// Whether the body is JSON, in an encoding that JSON may have.
pub fn is_json_request(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    essence(content_type) == "application/json"
        && parameter(content_type, "charset").is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
}

/// Type and subtype, in small letters.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn parameter<'a>(media_type: &'a str, name: &str) -> Option<&'a str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// The weight of a range, in thousandths.
fn quality(range: &str) -> u16 {
    let Some(weight) = parameter(range, "q") else { return 1000 };
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    match whole {
        "1" => 1000,
        "0" => format!("{fraction:0<3}").get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &str) -> Option<Wanted> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        wanted(&headers)
    }

    #[test]
    fn the_best_that_is_accepted_is_given() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected) in [
            ("application/graphql-response+json", Some(Wanted::GraphqlResponse)),
            (
                "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                Some(Wanted::GraphqlResponse),
            ),
            ("application/json, application/graphql-response+json", Some(Wanted::Json)),
            ("application/json;q=0.5, application/graphql-response+json;q=0.51", Some(Wanted::GraphqlResponse)),
            ("*/*, application/graphql-response+json", Some(Wanted::GraphqlResponse)),
            ("APPLICATION/JSON", Some(Wanted::Json)),
            ("*/*", Some(Wanted::Json)),
            ("application/*", Some(Wanted::Json)),
            ("application/json;q=0", None),
            ("text/event-stream", Some(Wanted::EventStream)),
            ("text/plain", None),
            ("", Some(Wanted::Json)),
            (browser, Some(Wanted::Html)),
        ] {
            assert_eq!(accepting(accept), expected, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Some(Wanted::Json));
    }

    #[test]
    fn a_body_has_to_be_json() {
        for (content_type, fine) in [
            ("application/json", true),
            ("application/json; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/json; charset=latin1", false),
            ("text/plain", false),
            ("application/graphql", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            assert_eq!(is_json_request(&headers), fine, "{content_type}");
        }
        assert!(!is_json_request(&HeaderMap::new()));
    }
}

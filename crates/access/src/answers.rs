//! What browsers may do with an answer, whatever it holds: texts of callers are never run, shown as
//! another type, put into a page of another site, or told to one.

use http::header::{CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};

const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The answer with these headers. If it has a policy, that stays.
pub fn protected<B>(mut answer: Response<B>) -> Response<B> {
    for (name, value) in HEADERS {
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_gets_the_headers_and_keeps_its_own_policy() {
        let plain = protected(Response::new(()));
        for (name, value) in HEADERS {
            assert_eq!(plain.headers()[&name], value);
        }
        let own = Response::builder().header(CONTENT_SECURITY_POLICY, "default-src 'self'").body(()).unwrap();
        let own = protected(own);
        assert_eq!(own.headers()[CONTENT_SECURITY_POLICY], "default-src 'self'");
        assert_eq!(own.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}

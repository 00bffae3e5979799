//! The console: a page for browsers that needs only this server. Its policy names its script and
//! its style by their hashes, so a browser runs nothing else.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("../../assets/console.html");

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let (script, style) = (source(PAGE, "script"), source(PAGE, "style"));
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

pub(super) fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY.clone())], Html(PAGE)).into_response()
}

/// The one element of this name, as a policy allows it.
fn source(page: &str, element: &str) -> String {
    let text = page.split_once(&format!("<{element}>")).and_then(|(_, rest)| rest.split_once(&format!("</{element}>")));
    text.map_or_else(|| "'none'".to_owned(), |(text, _)| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_inline() {
        let policy = POLICY.to_str().unwrap();
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        // `printf 'a' | openssl dgst -sha256 -binary | base64`
        assert_eq!(source("<style>a</style>", "style"), "'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='");
        for element in ["script", "style"] {
            assert!(policy.contains(&format!("{element}-src {}", source(PAGE, element))), "{policy}");
            let opened = PAGE.matches(&format!("<{element}")).count();
            assert_eq!((opened, PAGE.matches(&format!("<{element}>")).count()), (1, 1), "{element}");
        }
        let attributes = [" style=", " onclick=", " onload=", " onerror=", "javascript:"];
        assert!(attributes.iter().all(|attribute| !PAGE.contains(attribute)), "the policy would block it");
    }
}

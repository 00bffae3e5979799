//! The console's files over HTTP.

use access::ConsoleIssuer;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use live::Live;
use serde_json::Value;
use tower::ServiceExt;

use super::*;

async fn ask(options: &ConsoleOptions, path: &str, headers: &[(header::HeaderName, &str)]) -> Response<Body> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    console(options).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn get(path: &str) -> Response<Body> {
    ask(&ConsoleOptions::default(), path, &[]).await
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

/// The paths that the page names.
fn named_in(page: &str) -> Vec<&str> {
    page.split('"').filter(|value| value.starts_with("/ui/")).collect()
}

#[tokio::test]
async fn each_address_of_the_console_is_the_same_page_and_what_it_names_exists() {
    let page = text(get("/").await).await;
    for path in ["/ui", "/ui/", "/ui/orders", "/ui/orders/10248", "/ui/no/such/page", "/ui/orders/a%2Fb"] {
        let response = get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(text(response).await, page, "{path}");
    }
    let named = named_in(&page);
    assert!(named.contains(&"/ui/assets/console.js") && named.contains(&"/ui/assets/console.css"), "{page}");
    for path in named {
        let response = get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(!response.headers()[header::CONTENT_TYPE].to_str().unwrap().contains("html"), "{path}");
    }
    let missing = get("/ui/assets/other.js").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND, "a page in place of a script would be run");
}

#[tokio::test]
async fn the_policy_allows_this_server_and_the_issuers_and_nothing_inline() {
    let issuer = ConsoleIssuer {
        name: "company".to_owned(),
        url: "https://login.example/realms/shop".to_owned(),
        client_id: "console".to_owned(),
        scope: "openid".to_owned(),
    };
    let options = ConsoleOptions { authenticates: true, issuers: Live::new(vec![issuer]), ..ConsoleOptions::default() };
    let response = ask(&options, "/ui/orders", &[]).await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("connect-src 'self' https://login.example;"), "{policy}");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    let page = text(response).await;
    let attributes = ["<style", " style=", " onclick=", " onload=", "javascript:"];
    assert!(attributes.iter().all(|attribute| !page.contains(attribute)), "the policy would block it: {page}");
    assert!(page.split("<script").skip(1).all(|script| script.contains(" src=\"/ui/assets/")), "{page}");
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let first = get("/ui/assets/console.js").await;
    assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
    let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    let again = ask(&ConsoleOptions::default(), "/ui/assets/console.js", &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()[header::ETAG].to_str().unwrap(), tag);
    assert_eq!(text(again).await, "");
    let other = ask(&ConsoleOptions::default(), "/", &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!(other.status(), StatusCode::OK, "the tag is of another file");
}

#[tokio::test]
async fn a_client_that_accepts_gzip_gets_the_same_file_smaller() {
    use std::io::Read;
    let plain = to_bytes(get("/ui/assets/console.js").await.into_body(), usize::MAX).await.unwrap();
    let gzip = [(header::ACCEPT_ENCODING, "br, gzip")];
    let response = ask(&ConsoleOptions::default(), "/ui/assets/console.js", &gzip).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    assert_eq!(response.headers()[header::VARY], "accept-encoding");
    let tag = response.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_ne!(tag, get("/ui/assets/console.js").await.headers()[header::ETAG].to_str().unwrap());
    let small = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&small[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain && small.len() < plain.len());
    assert!(small.len() <= MAX_SCRIPT_BYTES, "the script has {} bytes with gzip", small.len());
    let known = [(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, tag.as_str())];
    let again = ask(&ConsoleOptions::default(), "/ui/assets/console.js", &known).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

/// The most JavaScript for the first page, with gzip.
const MAX_SCRIPT_BYTES: usize = 150 * 1024;

#[tokio::test]
async fn graphiql_is_loaded_at_its_own_address_only_and_within_its_size() {
    let page = text(graphiql(&HeaderMap::new())).await;
    let named = named_in(&page);
    assert!(named.contains(&"/ui/assets/graphiql.js") && named.contains(&"/ui/assets/graphiql.css"), "{page}");
    let console = text(get("/").await).await;
    assert!(!console.contains("graphiql") && !text(get("/ui/assets/console.js").await).await.contains("graphiql"));
    for path in named {
        let gzip = ask(&ConsoleOptions::default(), path, &[(header::ACCEPT_ENCODING, "gzip")]).await;
        assert_eq!(gzip.status(), StatusCode::OK, "{path}");
        let size = to_bytes(gzip.into_body(), usize::MAX).await.unwrap().len();
        assert!(size <= 450 * 1024, "{path} has {size} bytes with gzip");
    }
    let answer = graphiql(&HeaderMap::new());
    assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], ConsoleOptions::default().policy());
    let varies: Vec<_> = answer.headers().get_all(header::VARY).iter().collect();
    assert_eq!(varies, ["accept-encoding", "accept"], "another client gets JSON at this address");
}

#[tokio::test]
async fn the_console_learns_what_this_server_offers() {
    let options = ConsoleOptions { takes_commands: true, ..ConsoleOptions::default() };
    let response = ask(&options, "/console.json", &[]).await;
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let described: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!((&described["authentication"], &described["commands"]), (&"none".into(), &true.into()));
    assert_eq!(described["version"], env!("CARGO_PKG_VERSION"));
}

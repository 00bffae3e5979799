//! Requests that go on to a server that repeats what it received.

use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::*;

/// The longest that a test waits.
const LIMIT: Duration = Duration::from_secs(30);
const COMMANDS: Role = Role { name: "the command handler", option: "--command-url" };

fn forward_to(url: &str) -> Forward {
    waiting_for(url, Duration::ZERO)
}

/// One whose requests wait so long for the role.
fn waiting_for(url: &str, starting: Duration) -> Forward {
    Forward::new(COMMANDS, url, CancellationToken::new(), starting).unwrap()
}

/// A server that answers with this router. Returns its URL.
async fn server(router: Router) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A role that repeats what it received.
async fn repeating() -> String {
    let repeat = async |request: Request| {
        let (parts, body) = request.into_parts();
        let mut names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let body = to_bytes(body, MAX_BODY).await.unwrap();
        let text = format!("{} {} {} {}", parts.method, parts.uri, names.join(","), body.len());
        (StatusCode::ACCEPTED, [("location", "/orders/1"), ("keep-alive", "timeout=5")], text)
    };
    server(Router::new().fallback(repeat)).await
}

async fn sent(to: &str, request: Request) -> (StatusCode, HeaderMap, String) {
    sent_by(forward_to(to), request).await
}

async fn sent_by(forward: Forward, request: Request) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = forward.router().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn request(method: Method, path: &str) -> Request {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_request_goes_on_with_its_path_its_body_and_the_headers_that_matter() {
    let request = Request::post("/orders/a%20b/cancel?x=1")
        .header("authorization", "Bearer tnt_a_b")
        .header("idempotency-key", "k")
        .header("ce-id", "1")
        .header("cookie", "c=1")
        .header("origin", "http://localhost:1")
        .body("{}".into());
    let (status, headers, text) = sent(&repeating().await, request.unwrap()).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let names = "accept,authorization,ce-id,content-length,host,idempotency-key,via";
    assert_eq!(text, format!("POST /orders/a%20b/cancel?x=1 {names} 2"));
    assert_eq!(headers["location"], "/orders/1");
    assert!(!headers.contains_key("keep-alive"), "it is about the other connection");
}

#[tokio::test]
async fn every_row_of_the_table_of_routes_goes_on_and_nothing_else() {
    let to = repeating().await;
    for (method, path, _) in access::routes::ROUTES {
        let path = path.replace(['{', '}', '*'], "");
        assert_eq!(sent(&to, request(method.parse().unwrap(), &path)).await.0, StatusCode::ACCEPTED, "{method} {path}");
    }
    assert_eq!(sent(&to, request(Method::GET, "/nowhere")).await.0, StatusCode::NOT_FOUND);
    let (status, headers, _) = sent(&to, request(Method::PUT, "/orders/batch")).await;
    assert_eq!((status, headers["allow"].to_str().unwrap()), (StatusCode::METHOD_NOT_ALLOWED, "GET, POST"));
}

#[tokio::test]
async fn a_body_is_bounded() {
    let large = Request::post("/orders").body(vec![b' '; MAX_BODY + 1].into()).unwrap();
    assert_eq!(sent(&repeating().await, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_request_does_not_go_round_between_two_roles() {
    let (first, second) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await);
    let second = second.unwrap();
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (first_url, second_url) = (url(&first), url(&second));
    for (listener, other) in [(first, second_url.clone()), (second, first_url)] {
        tokio::spawn(async move { axum::serve(listener, forward_to(&other).router()).await });
    }
    let (status, _, text) = sent(&second_url, request(Method::GET, "/circuits")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{text}");
}

#[tokio::test]
async fn an_answer_without_an_end_ends_when_the_process_leaves() {
    let endless = async || {
        let first = stream::once(std::future::ready(Ok::<_, std::io::Error>("event: next\n\n")));
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(first.chain(stream::pending())))
    };
    let to = server(Router::new().fallback(endless)).await;
    let leaving = CancellationToken::new();
    let forward = Forward::new(COMMANDS, &to, leaving.clone(), Duration::ZERO).unwrap().router();
    let answer = forward.oneshot(request(Method::GET, "/graphql")).await.unwrap();
    let mut events = answer.into_body().into_data_stream();
    assert_eq!(events.next().await.unwrap().unwrap(), "event: next\n\n");
    leaving.cancel();
    assert!(timeout(LIMIT, events.next()).await.expect("the answer ends").is_none());
}

#[tokio::test]
async fn a_role_that_is_away_is_named_to_the_caller() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    for upgrade in [None, Some("websocket")] {
        let mut request = request(Method::GET, "/graphql");
        if let Some(protocol) = upgrade {
            request.headers_mut().insert(header::UPGRADE, protocol.parse().unwrap());
        }
        let (status, headers, text) = sent(&format!("http://{closed}"), request).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            text.contains("the command handler cannot be reached") && headers.contains_key("retry-after"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_request_waits_for_a_role_that_starts_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let forward = waiting_for(&format!("http://{address}"), LIMIT);
    let order = Request::post("/orders").body("{}".into()).unwrap();
    let asked = sent_by(forward, order);
    let starts = async {
        // The first try is in vain.
        sleep(AGAIN).await;
        let listener = TcpListener::bind(address).await.unwrap();
        let takes = async |body: String| (StatusCode::ACCEPTED, body);
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(takes)).await });
    };
    let ((status, _, text), ()) = tokio::join!(asked, starts);
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, "{}"));
}

#[test]
fn a_url_that_is_not_that_of_a_server_is_an_error_that_names_it() {
    for url in ["", "shop", "ftp://shop", "http://shop/api", "http://shop/?x=1"] {
        let error = Forward::new(COMMANDS, url, CancellationToken::new(), Duration::ZERO).unwrap_err().to_string();
        assert!(error.starts_with(&format!("--command-url {url}: ")), "{error}");
    }
}

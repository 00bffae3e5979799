//! Callers are not authenticated: who reaches a listener all the same, and who does not.

use std::process::Stdio;

use reqwest::header::{HOST, ORIGIN};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header as socket_header;

use crate::process::{Process, binary};
use crate::world::{World, order};

/// Every role that listens belongs in this list.
const ROLES: [&str; 6] = ["dev", "command-handler", "projector", "query-api", "participants", "event-store"];

const EVIL: &str = "https://evil.example";

#[test]
fn no_role_listens_on_an_address_that_other_machines_reach_unless_it_is_told_to() {
    for role in ROLES {
        let folder = tempfile::tempdir().unwrap();
        let mut command = binary();
        command.args([role, "--listen", "0.0.0.0:0"]).current_dir(folder.path()).stdin(Stdio::null());
        command
            .env("TENUTO_EVENTSTORE", "esdb://127.0.0.1:9?tls=false")
            .env("TENUTO_POSTGRES", "postgres://127.0.0.1:9/x");
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{role}: {errors}");
        for part in ["0.0.0.0:0 is reached from other machines", "127.0.0.1", "--insecure-open"] {
            assert!(errors.contains(part), "{role}: {errors}");
        }
    }
}

async fn status(client: &Client, url: &str, header: (reqwest::header::HeaderName, &str)) -> StatusCode {
    client.get(url).header(header.0, header.1).send().await.unwrap().status()
}

/// The status with which a WebSocket for a page of this origin is refused; `None`: it is opened.
async fn refused_socket(base: &str, origin: &str) -> Option<StatusCode> {
    let mut request = format!("{}/graphql", base.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert(socket_header::ORIGIN, HeaderValue::from_str(origin).unwrap());
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert(socket_header::SEC_WEBSOCKET_PROTOCOL, protocol);
    match tokio_tungstenite::connect_async(request).await {
        Ok(_) => None,
        Err(Error::Http(refused)) => StatusCode::from_u16(refused.status().as_u16()).ok(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_reaches_nothing_by_its_own_name_or_by_ours() {
    let world = World::new().await;
    for path in
        ["/readyz", "/metrics", "/orders/1", "/graphql?query={__typename}", "/openapi.json", "/participants/faults"]
    {
        let url = format!("{}{path}", world.base);
        assert_eq!(status(&world.http, &url, (HOST, "evil.example")).await, StatusCode::MISDIRECTED_REQUEST, "{path}");
        assert_eq!(status(&world.http, &url, (ORIGIN, EVIL)).await, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(status(&world.http, &url, (ORIGIN, "null")).await, StatusCode::FORBIDDEN, "{path}");
    }
    let placed = world.http.post(format!("{}/orders", world.base)).header(ORIGIN, EVIL);
    let placed = placed.json(&order("forged", "order-fulfilment", "11", 1)).send().await.unwrap();
    assert_eq!(placed.status(), StatusCode::FORBIDDEN);
    let events = world.http.get(format!("{}/graphql", world.base)).query(&[("query", "subscription{orders{id}}")]);
    let events = events.header("accept", "text/event-stream").header("sec-fetch-site", "cross-site");
    assert_eq!(events.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(refused_socket(&world.base, EVIL).await, Some(StatusCode::FORBIDDEN));
    assert_eq!(refused_socket(&world.base, &world.base).await, None);
    let own = world.http.post(format!("{}/orders", world.base)).header(ORIGIN, &world.base);
    let own = own.json(&order("own", "order-fulfilment", "11", 1)).send().await.unwrap();
    assert_eq!(own.status(), StatusCode::ACCEPTED);
    assert_eq!(world.get("/orders/forged").await.0, 404, "what was refused was not done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_open_on_purpose_says_so_and_answers_only_under_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments =
        ["dev", "--listen", "0.0.0.0:0", "--no-samples", "--insecure-open", "--data", data.to_str().unwrap()];
    let process = Process::start(&arguments, &[("TENUTO_ALLOWED_HOSTS", "tenuto.internal")]);
    let base = process.line_after("commands   POST ");
    let base = base.trim_end_matches("/orders").replacen("0.0.0.0", "127.0.0.1", 1);
    let client = Client::new();
    crate::process::until("it is ready", async || {
        let answer = client.get(format!("{base}/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
    let ready = client.get(format!("{base}/readyz")).send().await.unwrap().text().await.unwrap();
    assert!(ready.contains("0.0.0.0:0 is open: callers are not authenticated"), "{ready}");
    let url = format!("{base}/livez");
    for (host, expected) in [
        ("tenuto.internal:7007", StatusCode::OK),
        ("192.0.2.7", StatusCode::OK),
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
    ] {
        assert_eq!(status(&client, &url, (HOST, host)).await, expected, "{host}");
    }
    let refused = client.get(&url).header(HOST, "evil.example").send().await.unwrap();
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["status"], json!(421));
    assert!(problem["detail"].as_str().unwrap().contains("--allowed-hosts"), "{problem}");
}

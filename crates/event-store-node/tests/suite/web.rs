//! The pages that probes and tools request over HTTP, on the port of gRPC.

use std::time::Duration;

use event_store::{EventStore, Expected};
use event_store_node::{Advertised, Node, NodeHandle, NodeOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{LIMIT, events, unique};

async fn node(change: impl FnOnce(&mut NodeOptions)) -> (NodeHandle, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::in_folder(folder.path());
    change(&mut options);
    (Node::start(options).await.unwrap(), folder)
}

/// Sends some bytes, and reads until the node closes.
async fn answer_to(node: &NodeHandle, request: &str) -> String {
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer)).await.expect("an end in time").unwrap();
    answer
}

/// Status and body of the answer to a request. The request is a method and a path. `headers` has
/// lines of further headers.
async fn answered(node: &NodeHandle, request: &str, headers: &str) -> (u16, String) {
    let request = format!("{request} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{headers}\r\n");
    let answer = answer_to(node, &request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn get(node: &NodeHandle, path: &str) -> (u16, String) {
    answered(node, &format!("GET {path}"), "").await
}

async fn json(node: &NodeHandle, path: &str) -> Value {
    let (status, body) = get(node, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn a_probe_chooses_the_status_code_of_a_live_node() {
    let (node, _folder) = node(|_| {}).await;
    assert_eq!(get(&node, "/health/live").await, (204, String::new()));
    assert_eq!(get(&node, "/health/live?liveCode=200").await.0, 200);
    assert_eq!(get(&node, "/health/live?liveCode=9999").await.0, 204);
}

#[tokio::test]
async fn dashboards_get_the_figures_of_the_process_and_the_machine() {
    let (node, _folder) = node(|_| {}).await;
    let stats = json(&node, "/stats").await;
    assert_eq!(stats["proc"]["id"], std::process::id());
    assert!(stats["sys"]["totalMem"].as_u64().unwrap() > stats["sys"]["freeMem"].as_u64().unwrap(), "{stats}");
    assert!(stats["es"]["checksum"].is_u64(), "{stats}");
}

#[tokio::test]
async fn tools_get_the_version_and_features_of_the_node() {
    let (node, _folder) = node(|_| {}).await;
    assert_eq!(json(&node, "/ping").await["text"], "Ping request successfully handled");
    let info = json(&node, "/info").await;
    assert_eq!((&info["state"], &info["features"]["projections"]), (&"leader".into(), &false.into()));
    assert!(info["esVersion"].as_str().unwrap().starts_with("24.10."));
}

#[tokio::test]
async fn gossip_over_http_is_the_same_as_over_grpc() {
    let (node, _folder) = node(|_| {}).await;
    let gossip = json(&node, "/gossip").await;
    let member = &gossip["members"][0];
    assert_eq!((&member["state"], &member["isAlive"]), (&"Leader".into(), &true.into()));
    assert_eq!(member["httpEndPointIp"], "127.0.0.1");
    assert_eq!(member["httpEndPointPort"], node.address().port());
    // This client needs every field of a server's answer.
    let operations = eventstore::operations::Client::new(node.connection_string().parse().unwrap());
    let members = timeout(LIMIT, operations.read_gossip()).await.unwrap().unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].http_end_point.port, u32::from(node.address().port()));
}

#[tokio::test]
async fn clients_receive_the_host_and_the_port_that_the_node_is_to_advertise() {
    let advertised = Advertised { host: Some("localhost".into()), port: None };
    let (node, _folder) = node(|options| options.advertised = advertised).await;
    assert_eq!(json(&node, "/gossip").await["serverIp"], "localhost");
    let seeds = format!("esdb://{0},{0}?tls=false&nodePreference=leader", node.address());
    let operations = eventstore::operations::Client::new(seeds.parse().unwrap());
    let selected = timeout(LIMIT, operations.current_selected_node()).await.unwrap().unwrap();
    assert_eq!((selected.host.as_str(), selected.port), ("localhost", u32::from(node.address().port())));
}

#[tokio::test]
async fn the_refusal_of_an_unknown_page_lists_the_pages_that_exist() {
    let (node, _folder) = node(|_| {}).await;
    for path in ["/", "/streams", "/streams/order-1", "/event_store.client.streams.Streams/Read"] {
        let (status, said) = get(&node, path).await;
        assert_eq!(status, 404, "{path}");
        assert!(said.contains(path) && said.contains("/health/live"), "{said}");
    }
}

#[tokio::test]
async fn a_web_page_reaches_neither_the_log_nor_any_operation() {
    let (node, _folder) = node(|_| {}).await;
    for (path, status) in [("/event_store.client.operations.Operations/Shutdown", "404"), ("/ping", "405")] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let answer = answer_to(&node, &request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    }
    assert!(timeout(Duration::from_millis(50), node.asked_to_shut_down()).await.is_err());
}

#[tokio::test]
async fn http_and_grpc_are_answered_on_the_same_port() {
    let (node, _folder) = node(|_| {}).await;
    let store = EventStore::connect(&node.connection_string()).unwrap();
    for _ in 0..20 {
        store.append(&unique("order"), Expected::NoStream, events(1)).await.unwrap();
        assert_eq!(get(&node, "/health/live").await.0, 204);
    }
}

#[tokio::test]
async fn an_incomplete_request_is_given_up_and_an_idle_connection_is_closed() {
    let (node, _folder) = node(|options| options.patience = Duration::from_millis(300)).await;
    for begun in ["GET /ping HT", "GET /ping HTTP/1.1\r\nHost: node\r\nX: ", "P"] {
        let mut stream = TcpStream::connect(node.address()).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let ended = timeout(LIMIT, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{begun}");
    }
    let kept = answer_to(&node, "GET /health/live HTTP/1.1\r\nHost: node\r\n\r\n").await;
    assert!(kept.starts_with("HTTP/1.1 204"), "{kept}");
}

#[tokio::test]
async fn connections_of_http_count_towards_the_bound() {
    let (node, _folder) = node(|options| options.max_connections = 2).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(node.address()).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: node\r\n\r\n").await.unwrap();
        let mut said = [0; 12];
        timeout(LIMIT, stream.read_exact(&mut said)).await.unwrap().unwrap();
        assert_eq!(&said, b"HTTP/1.1 204");
        held.push(stream);
    }
    let mut third = TcpStream::connect(node.address()).await.unwrap();
    let mut said = Vec::new();
    // It is closed at once, with or without a reset.
    let _ended = timeout(LIMIT, third.read_to_end(&mut said)).await.expect("closed in time");
    assert!(said.is_empty());
}

/// Status and body of the answer to an operator's request without a body.
async fn admin(node: &NodeHandle, request: &str, headers: &str) -> (u16, String) {
    answered(node, request, &format!("Content-Length: 0\r\n{headers}")).await
}

/// admin:changeit
const USER: &str = "Authorization: Basic YWRtaW46Y2hhbmdlaXQ=\r\n";

#[tokio::test]
async fn a_scavenge_is_started_and_stopped_over_http_by_a_user() {
    let (node, _folder) = node(|_| {}).await;
    let store = EventStore::in_process(node.in_process()).unwrap();
    let (status, said) = admin(&node, "POST /admin/scavenge?startFromChunk=0&threads=2", USER).await;
    assert_eq!(status, 200, "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    let id = said["scavengeId"].as_str().unwrap();
    let begun = store.read_stream(&format!("$scavenges-{id}"), 0, 1).await.unwrap();
    let begun: Value = serde_json::from_slice(&begun[0].data).unwrap();
    assert_eq!((&begun["scavengeId"], &begun["threads"]), (&id.into(), &2.into()));
    timeout(LIMIT, async {
        while store.read_stream("$scavenges", 0, 9).await.unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it ends");
    let (status, said) = admin(&node, &format!("DELETE /admin/scavenge/{id}"), USER).await;
    assert_eq!((status, said.contains("is not running")), (404, true), "{said}");
}

#[tokio::test]
async fn a_scavenge_is_refused_without_a_user_or_from_a_web_page_or_with_wrong_numbers() {
    let (node, _folder) = node(|_| {}).await;
    let from_a_page = format!("{USER}Origin: http://elsewhere.example\r\n");
    // A password without a user, and a header that is not Base64.
    let (nameless, broken) = ("Authorization: Basic OnNlY3JldA==\r\n", "Authorization: Basic %%%\r\n");
    for (request, headers, status, part) in [
        ("POST /admin/scavenge", "", 401, "curl -u"),
        ("POST /admin/scavenge", nameless, 401, "curl -u"),
        ("POST /admin/scavenge", broken, 401, "curl -u"),
        ("DELETE /admin/scavenge/current", "", 401, "curl -u"),
        ("POST /admin/scavenge", &from_a_page, 403, "browser"),
        ("POST /admin/scavenge?threads=0", USER, 400, "threads must be"),
        ("POST /admin/scavenge?startFromChunk=x", USER, 400, "startFromChunk must be"),
        ("GET /admin/scavenge", USER, 405, "use POST"),
        ("POST /admin/scavenge/current", USER, 405, "use DELETE"),
        ("DELETE /admin/scavenge/current", USER, 404, "is not running"),
        ("POST /admin/scavenges", USER, 404, "does not exist"),
    ] {
        let (answered, said) = admin(&node, request, headers).await;
        assert!(answered == status && said.contains(part), "{request}: {answered} {said}");
    }
    let store = EventStore::in_process(node.in_process()).unwrap();
    assert!(store.read_stream("$scavenges", 0, 1).await.unwrap().is_empty());
}

//! What browsers and terminals do with texts of callers: show them, and nothing else.

use axum::extract::Path;
use axum::routing::post;
use axum::{Json, Router};
use postgres_cluster::testing::database;
use reqwest::header::{ACCEPT, HOST};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::process::{Address, Process, binary, ends, output_text, until};
use crate::world::order;

/// A name that tries a page and a spreadsheet.
const NAME: &str = "=1+1<script>alert(1)</script>x";
/// What no order may have in a name, and what a participant answers: it also tries a terminal, the
/// direction of a line, and a line of a log.
const HOSTILE: &str = "=1+1<script>alert(1)</script>\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\n\u{202e}\u{2066}x";

/// A participant whose answers are hostile: it completes `a`, and refuses all else.
async fn participant() -> String {
    let answer = async |Path(action): Path<String>| match action.as_str() {
        "a" => (StatusCode::OK, Json(json!({ "outcome": "ok", "data": { "note": HOSTILE, HOSTILE: 1 } }))),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "detail": HOSTILE }))),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/{action}", post(answer))).await });
    url
}

/// The headers of every answer, with a part of each value.
const HEADERS: [(&str, &str); 4] = [
    ("content-security-policy", "frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

#[track_caller]
fn assert_harmless(text: &str, place: &str) {
    let acts = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = text.lines().find(|line| line.contains(acts));
    assert!(line.is_none(), "{place} acts on a terminal: {line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_browsers_to_run_frame_or_share_it() {
    let (database, folder, address) = (database().await, tempfile::tempdir().unwrap(), Address::new());
    let data = folder.path().to_str().unwrap();
    let arguments = ["dev", "--listen", address.as_str(), "--data", data, "--no-samples"];
    let process = Process::start(&arguments, &[("TENUTO_POSTGRES", database.url())]);
    let node = process.line_after("log        esdb://");
    let node = format!("http://{}", node.split('?').next().unwrap());
    let http = reqwest::Client::new();
    let ready = async || http.get(format!("{}/readyz", address.url())).send().await.unwrap().status() == StatusCode::OK;
    until("it is ready", ready).await;
    let own = address.url();
    let query = "/graphql?query=%7B__typename%7D";
    for (method, url, accept, host) in [
        (Method::GET, format!("{own}/"), "text/html", ""),
        (Method::GET, format!("{own}/ui/orders/none"), "text/html", ""),
        (Method::GET, format!("{own}/ui/assets/console.js"), "*/*", ""),
        (Method::GET, format!("{own}/console.json"), "*/*", ""),
        (Method::GET, format!("{own}/me"), "*/*", ""),
        (Method::GET, format!("{own}/graphql"), "text/html", ""),
        (Method::GET, format!("{own}{query}"), "application/json", ""),
        (Method::GET, format!("{own}{query}"), "text/event-stream", ""),
        (Method::POST, format!("{own}/graphql"), "*/*", ""),
        (Method::GET, format!("{own}/schema.graphql"), "*/*", ""),
        (Method::GET, format!("{own}/openapi.json"), "*/*", ""),
        (Method::GET, format!("{own}/orders/none"), "*/*", ""),
        (Method::POST, format!("{own}/orders"), "*/*", ""),
        (Method::DELETE, format!("{own}/orders"), "*/*", ""),
        (Method::GET, format!("{own}/no/such/path"), "text/html", ""),
        (Method::GET, format!("{own}/livez"), "*/*", ""),
        (Method::GET, format!("{own}/readyz"), "*/*", ""),
        (Method::GET, format!("{own}/metrics"), "*/*", ""),
        (Method::GET, format!("{own}/participants/notifications/mailbox"), "text/html", ""),
        (Method::GET, format!("{own}/livez"), "*/*", "evil.example"),
        (Method::GET, format!("{node}/info"), "*/*", ""),
        (Method::GET, format!("{node}/stats"), "*/*", ""),
        (Method::GET, format!("{node}/no/such/page"), "text/html", ""),
        (Method::DELETE, format!("{node}/ping"), "text/html", ""),
    ] {
        let mut request = http.request(method.clone(), &url).header(ACCEPT, accept);
        if !host.is_empty() {
            request = request.header(HOST, host);
        }
        let answer = request.send().await.unwrap();
        for (name, part) in HEADERS {
            let value = answer.headers().get(name).map(|value| value.to_str().unwrap());
            assert!(value.is_some_and(|value| value.contains(part)), "{method} {url}: {name}: {value:?}");
        }
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'"), "{method} {url}: {policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_is_only_a_text_in_each_output() {
    let (database, folder, address) = (database().await, tempfile::tempdir().unwrap(), Address::new());
    let (data, errors) = (folder.path().join("data"), folder.path().join("errors"));
    let arguments = ["dev", "--listen", address.as_str(), "--data", data.to_str().unwrap(), "--no-samples"];
    let environment = [("TENUTO_POSTGRES", database.url()), ("TENUTO_LOG", "debug")];
    let process = Process::with_errors_to(&arguments, &environment, std::fs::File::create(&errors).unwrap().into());
    process.line_after("commands   POST ");
    let http = reqwest::Client::new();
    let get =
        async |path: &str| http.get(format!("{}{path}", address.url())).send().await.unwrap().text().await.unwrap();
    let post = async |path: &str, body: &Value| {
        let answer = http.post(format!("{}{path}", address.url())).json(body).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    until("it is ready", async || get("/readyz").await.starts_with("ready")).await;
    let workflow = format!(
        "workflow: hostile\nversion: 1\nparticipants:\n  p: {{ url: '{}' }}\nsteps:\n  a: {{ call: p.a, undo: p.b }}\n  \
         b: {{ after: [a], call: p.b }}",
        participant().await
    );
    let registered = http.post(format!("{}/workflows", address.url())).header("content-type", "application/yaml");
    assert_eq!(registered.body(workflow).send().await.unwrap().status(), StatusCode::CREATED);
    let mut hostile = order("h-1", "hostile", "11", 1);
    hostile["customer"]["name"] = json!(NAME);
    hostile["lines"][0]["name"] = json!(NAME);
    hostile["shipTo"]["city"] = json!(NAME);
    let (status, refused) = post("/orders", &hostile).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{refused}");
    // Its undo is refused too, so it is held for an operator.
    until("it rests", async || get("/orders/h-1?wait=30").await.contains("\"STUCK\"")).await;
    let cancel = json!({ "actor": NAME, "reason": NAME });
    let (status, text) = post("/orders/h-1/pause", &cancel).await;
    assert!(status.is_success() || status.is_client_error(), "{text}");
    let (status, text) = post("/orders/h-1/cancel", &json!({ "actor": HOSTILE, "reason": HOSTILE })).await;
    assert!(status.is_client_error(), "{text}");
    let (status, text) = post("/orders", &order("h-2", HOSTILE, "11", 1)).await;
    assert!(status.is_client_error(), "{text}");
    let page = folder.path().join("page.html");
    let page = page.to_str().unwrap();
    for arguments in [
        &["show", "h-1"][..],
        &["show", "h-1", "--json"],
        &["replay", "h-1"],
        &["replay", "h-1", "--json"],
        &["audit", "verify", "h-1"],
        &["audit", "verify", "h-1", "--json"],
        &["audit", "export", "h-1", "--format", "csv"],
        &["audit", "export", "h-1", "--format", "html", "--out", page],
    ] {
        let output = binary().args(arguments).env("TENUTO_DATA", &data).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", output_text(&output));
        assert_harmless(&output_text(&output).replace("\r\n", "\n"), &format!("{arguments:?}"));
    }
    let watched = binary().args(["watch", "h-1"]).env("TENUTO_DATA", &data).output().unwrap();
    assert!(output_text(&watched).contains("Order h-1 is"), "{}", output_text(&watched));
    assert_harmless(&output_text(&watched), "watch");
    let exported = std::fs::read_to_string(page).unwrap();
    // The bundle, which is data, and the page's own check of it.
    assert_eq!(exported.matches("<script").count(), 2, "the page runs nothing of the order");
    assert!(!exported.contains("<script>alert") && !exported.contains("unsafe-inline"));
    assert_harmless(&exported, "the page");
    // What is refused is repeated in the error.
    let unknown = ends(&binary().args(["show", HOSTILE]).env("TENUTO_DATA", &data).output().unwrap(), 1);
    assert_harmless(&unknown, "an error");
    assert!(process.stop().success());
    assert_harmless(&std::fs::read_to_string(&errors).unwrap(), "the log");
}

//! Orders as they change: over which protocols, how much of it, and what the tests of it share.

mod bounds;
mod changes;
mod protocols;

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Message;
use tower::ServiceExt;

use crate::socket::{LIMIT, Socket};
use crate::support::{Row, World};

const ORDER: &str = "subscription { order(id: \"1\") { id status position } }";

fn row(id: &str, status: &'static str) -> Row {
    Row { status, ..Row::new(id) }
}

fn told(id: &str, status: &str, position: i64) -> Value {
    json!({ "id": id, "status": status, "position": position.to_string() })
}

/// A server on a free port.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("ws://{address}/graphql")
}

/// Code and reason of the close that has to come next.
async fn closed(socket: &mut Socket) -> (u16, String) {
    match socket.receive().await {
        Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
        other => panic!("{other:?}"),
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The server-sent events that answer an operation. They are made as they are taken: no network
/// lies between.
pub async fn events(world: &World, query: &str) -> BodyDataStream {
    let request =
        Request::post("/graphql").header("content-type", "application/json").header("accept", "text/event-stream");
    let body = json!({ "query": query }).to_string();
    let response = world.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    response.into_body().into_data_stream()
}

/// Name and data of the next.
pub async fn event(events: &mut BodyDataStream) -> (String, Value) {
    let bytes = timeout(LIMIT, events.next()).await.expect("no event in time").unwrap().unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    (field("event:"), serde_json::from_str(&field("data:")).unwrap_or_default())
}

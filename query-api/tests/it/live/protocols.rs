//! GraphQL over WebSocket and over server-sent events, case by case.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use query_api::Options;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{ORDER, closed, event, events, row, serve, told};
use crate::socket::{PROTOCOL, Socket};
use crate::support::World;

#[tokio::test]
async fn queries_are_answered_and_faults_are_reported_as_the_protocol_defines() {
    let world = World::new().await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut socket = Socket::open(&url).await;
    socket.subscribe("a", "{ order(id: \"1\", freshness: {position: \"5\"}) { id } }").await;
    assert_eq!(socket.order("a").await, json!({ "id": "1" }));
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "a" }));
    for wrong in [
        "{",
        "subscription { nothing }",
        "subscription { order { id } }",
        "subscription { a: order(id: \"1\") { id } b: order(id: \"1\") { id } }",
        "subscription { ... { order(id: \"1\") { id } } }",
        "subscription ($id: ID!) { order(id: $id) { id } }",
        "mutation { x }",
    ] {
        socket.subscribe("b", wrong).await;
        let message = socket.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("b")), "{wrong}");
        assert!(message["payload"][0]["message"].is_string(), "{message}");
    }
    let values = "\"x\" ".repeat(101);
    socket.subscribe("c", &format!("subscription {{ orders(where: {{ status: [{values}] }}) {{ id }} }}")).await;
    let message = socket.hear().await;
    assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{message}");
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "c" }));
    let costly = (0..300).map(|n| format!("t{n}: timeline(first: 200) {{ nodes {{ hash data }} }}"));
    let costly = format!("subscription {{ order(id: \"1\") {{ {} }} }}", costly.collect::<Vec<_>>().join(" "));
    socket.subscribe("d", &costly).await;
    assert_eq!(socket.hear().await["payload"][0]["message"], "Query is too complex.");
}

#[tokio::test]
async fn a_connection_is_closed_with_the_code_that_the_protocol_has_for_the_reason() {
    let world = World::with(&Options { beginning: Duration::from_millis(100), ..Options::default() }).await;
    let url = serve(world.router.clone()).await;
    let init = json!({ "type": "connection_init" }).to_string();
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": ORDER } }).to_string();
    let no_query = json!({ "type": "subscribe", "id": "1", "payload": {} }).to_string();
    for (said, code, reason) in [
        (vec!["{"], 4400, "Invalid message"),
        (vec![init.as_str(), "{\"type\":\"start\"}"], 4400, "Invalid message"),
        (vec![&init, &no_query], 4400, "Invalid message: `query` is missing"),
        (vec![&subscribe], 4401, "Unauthorized"),
        (vec![], 4408, "Connection initialisation timeout"),
        (vec![&init, &subscribe, &subscribe], 4409, "Subscriber for 1 already exists"),
        (vec![&init, &init], 4429, "Too many initialisation requests"),
    ] {
        let mut socket = Socket::connect(&url, PROTOCOL).await.unwrap();
        for message in &said {
            socket.say_text(message).await;
        }
        if said.first() == Some(&init.as_str()) {
            assert_eq!(socket.hear().await["type"], "connection_ack");
        }
        let (closed, why) = closed(&mut socket).await;
        assert_eq!(closed, code, "{said:?}: {why}");
        assert!(why.starts_with(reason), "{why}");
    }
    let mut socket = Socket::open(&url).await;
    for number in 0..=100 {
        socket.say_text(&subscribe.replace("\"1\"", &format!("\"s{number}\""))).await;
    }
    assert_eq!(closed(&mut socket).await.0, 4429);
    // A client that closes the connection gets an answer.
    let mut socket = Socket::open(&url).await;
    let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    socket.0.close(Some(close)).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1000);
    let mut other = Socket::connect(&url, None).await.unwrap();
    assert_eq!(closed(&mut other).await, (4406, "Subprotocol not acceptable".to_owned()));
}

#[tokio::test]
async fn server_sent_events_answer_subscriptions_and_queries() {
    let world = World::new().await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let mut subscription = events(&world, ORDER).await;
    assert_eq!(event(&mut subscription).await.1["data"]["order"], told("1", "Placed", 5));
    world.project(6, Some(&row("1", "Shipped"))).await;
    assert_eq!(event(&mut subscription).await.1["data"]["order"], told("1", "Shipped", 6));
    let mut query = events(&world, "{ order(id: \"1\") { id } }").await;
    assert_eq!(event(&mut query).await, ("next".to_owned(), json!({ "data": { "order": { "id": "1" } } })));
    assert_eq!(event(&mut query).await, ("complete".to_owned(), Value::Null));
    let mut wrong = events(&world, "subscription { nothing }").await;
    let (name, data) = event(&mut wrong).await;
    assert!(name == "next" && data["errors"][0]["message"].is_string(), "{data}");
    assert_eq!(event(&mut wrong).await.0, "complete");
    // As a browser requests it. GET changes nothing, whatever the `accept` header is.
    let request = Request::get("/graphql?query=mutation%7B__typename%7D").header("accept", "text/event-stream");
    let (status, headers, _) = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, &headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
    let request = Request::get("/graphql?query=%7B__typename%7D").header("accept", "text/event-stream");
    let (status, _, body) = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        String::from_utf8(body).unwrap().trim(),
        "event: next\ndata: {\"data\":{\"__typename\":\"Query\"}}\n\nevent: complete\ndata: \ndata:"
    );
}

#[tokio::test]
async fn a_subscription_whose_filter_names_what_does_not_exist_says_so_instead_of_staying_silent() {
    let world = World::new().await;
    world.sql("INSERT INTO workflows VALUES ('order-fulfilment', 1, '', '[{\"id\": \"ship\"}]', now(), 0)").await;
    world.project(5, None).await;
    for (filter, code) in [
        ("{ step: { name: \"shipp\" } }", "NO_SUCH_STEP"),
        ("{ workflow: { name: \"order-fulfilmnet\" } }", "NO_SUCH_WORKFLOW"),
        ("{ workflow: { name: \"order-fulfilment\", version: 2 } }", "NO_SUCH_VERSION"),
    ] {
        let mut silent = events(&world, &format!("subscription {{ orders(where: {filter}) {{ id }} }}")).await;
        let (_, data) = event(&mut silent).await;
        assert_eq!(data["errors"][0]["extensions"]["code"], code, "{filter}: {data}");
        assert_eq!(event(&mut silent).await.0, "complete", "{filter}");
    }
    let known = "subscription { orders(where: { workflow: { name: \"order-fulfilment\" } }, from: \"5\") { id status position } }";
    let mut known = events(&world, known).await;
    world.project(6, Some(&row("1", "Placed"))).await;
    assert_eq!(event(&mut known).await.1["data"]["orders"], told("1", "Placed", 6));
}

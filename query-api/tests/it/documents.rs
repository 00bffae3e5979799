//! Documents that would take the process, on every door, and what a query may take from others.

#![expect(clippy::format_collect, reason = "a document is made once in a test")]

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::future;
use query_api::Options;
use serde_json::{Value, json};

use crate::live::{event, events, serve};
use crate::socket::Socket;
use crate::support::{Row, World};

fn post(body: &Value) -> Request<Body> {
    Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// A URL has room for most of them only.
fn get(query: &str) -> Option<Request<Body>> {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let request = Request::get(format!("/graphql?query={query}"))
        .header("accept", "application/graphql-response+json")
        .body(Body::empty());
    request.ok()
}

fn bombs() -> Vec<(&'static str, String)> {
    let spreads = |link: usize, times: usize| {
        format!("fragment f{link} on Query{{{}}}", format!("...f{} ", link + 1).repeat(times))
    };
    let chain = |links: usize, times: usize| {
        let links: String = (0..links).map(|link| spreads(link, times)).collect::<String>()
            + &format!("fragment f{links} on Query{{__typename}}");
        format!("{{...f0}}{links}")
    };
    let nested = |before: &str| format!("{before}{}{}", "[".repeat(1_650), "]".repeat(1_650));
    vec![
        ("lists in a directive", nested("{__typename@skip(if:") + ")}"),
        ("objects", format!("{{order(id:{}1{}){{id}}}}", "{a:".repeat(1_650), "}".repeat(1_650))),
        ("lists in a default", nested("query($v:Int=") + "){__typename}"),
        ("lists in a type", format!("query($v:{}Int{}){{__typename}}", "[".repeat(1_650), "]".repeat(1_650))),
        ("fragments that multiply", chain(30, 6)),
        ("fragments that double", chain(24, 2)),
        ("a chain of fragments", chain(2_000, 1)),
        ("a fragment in itself", "{...a} fragment a on Query{...a ...a}".to_owned()),
        ("many aliases", format!("{{{}}}", (0..6_000).map(|n| format!("a{n}:__typename ")).collect::<String>())),
    ]
}

#[tokio::test]
async fn a_document_that_would_take_the_process_is_refused_at_every_door() {
    let world = World::new().await;
    let url = serve(world.router.clone()).await;
    let mut socket = Socket::open(&url).await;
    for (name, bomb) in bombs() {
        let mut refused = Vec::new();
        for request in get(&bomb).into_iter().chain([post(&json!({ "query": bomb }))]) {
            let (status, _, body) = world.send(request).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
            refused.push(serde_json::from_slice::<Value>(&body).unwrap()["errors"].take());
        }
        refused.push(event(&mut events(&world, &bomb).await).await.1["errors"].take());
        socket.subscribe("a", &bomb).await;
        let mut told = socket.hear().await;
        assert_eq!(told["type"], "error", "{name}: {told}");
        refused.push(told["payload"].take());
        for errors in refused {
            assert_eq!(errors[0]["extensions"]["code"], "DOCUMENT_LIMIT", "{name}: {errors}");
            assert!(errors[0]["message"].as_str().unwrap().len() < 300);
        }
    }
}

#[tokio::test]
async fn variables_are_bounded_at_every_door() {
    let world = World::new().await;
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let query = "query ($v: JSON) { orders(where: {attributes: [{path: \"a\", value: $v}]}) { nodes { id } } }";
    let (status, _, body) = world.send(post(&json!({ "query": query, "variables": { "v": deep } }))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8(body).unwrap().contains("`variables` is nested deeper than 32"));
    let wide = json!({ "query": "{ __typename }", "extensions": { "v": vec![0; 20_000] } });
    let (status, _, body) = world.send(post(&wide)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8(body).unwrap().contains("`extensions` holds more than 10000 values"));
}

/// A workflow with a text of 250 KiB.
async fn long_workflow(world: &World) {
    world
        .sql(
            "INSERT INTO workflows (name, version, source, outline, registered_at, position)
             VALUES ('long', 1, repeat('x', 256000), '[]', now(), 1)",
        )
        .await;
}

fn aliases(field: &str, count: usize) -> String {
    (0..count).map(|alias| format!("a{alias}:{field} ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_not_larger_than_is_allowed_however_small_its_document() {
    let world = World::new().await;
    long_workflow(&world).await;
    for number in 0..200 {
        world.insert(&Row::new(format!("o{number}"))).await;
    }
    let some = world.ask(&format!("{{workflow(name:\"long\"){{{}}}}}", aliases("source", 20)), Value::Null).await;
    assert_eq!(some["workflow"].as_object().unwrap().len(), 20);
    for (name, query) in [
        ("a text", format!("{{workflow(name:\"long\"){{{}}}}}", aliases("source", 2_000))),
        ("the schema", format!("{{__schema{{types{{fields{{{}}}}}}}}}", aliases("name", 4_000))),
        ("names of the schema", format!("{{__schema{{types{{{}}}}}}}", aliases("__typename", 4_900))),
        ("rows", format!("{{orders(first:200){{nodes{{{}}}}}}}", aliases("__typename", 4_900))),
    ] {
        let start = Instant::now();
        let answer = world.try_ask(&query, Value::Null).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "ANSWER_LIMIT", "{name}: {}", answer["errors"]);
        assert_eq!(answer.get("data"), None, "{name}");
        println!("{name}: {} bytes, {:?}", query.len(), start.elapsed());
    }
}

#[tokio::test]
async fn an_invalid_document_does_not_get_an_error_for_each_of_its_words() {
    let world = World::new().await;
    let answer = world.try_ask(&format!("{{{}}}", aliases("nothing", 4_000)), Value::Null).await;
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100]["message"], "3900 more errors are not listed");
    let answer = world.try_ask(&format!("{{ a(b: {} }}", "x ".repeat(100_000)), Value::Null).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().len() < 2_100);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_costly_queries_some_run_and_the_others_are_refused_while_cheap_ones_continue() {
    let world = World::with(&Options { max_costly_queries: 1, ..Options::default() }).await;
    for number in 0..200 {
        world.insert(&Row::new(format!("o{number}"))).await;
    }
    let costly = format!("{{orders(first:200){{nodes{{{}}}}}}}", aliases("id", 400));
    let costly = future::join_all((0..40).map(|_| world.send(post(&json!({ "query": costly })))));
    let cheap = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let start = Instant::now();
            world.ask("{ order(id: \"o1\") { id status } }", Value::Null).await;
            slowest = slowest.max(start.elapsed());
        }
        slowest
    };
    let (costly, slowest) = future::join(costly, cheap).await;
    let mut statuses = std::collections::BTreeMap::new();
    for (status, headers, _) in &costly {
        *statuses.entry(status.as_u16()).or_insert(0) += 1;
        assert_eq!(headers.contains_key("retry-after"), status.as_u16() == 503);
    }
    println!("{statuses:?}, the slowest cheap query took {slowest:?}");
    assert!(statuses[&200] >= 1 && statuses[&503] >= 40 - 9, "{statuses:?}");
    assert!(statuses.keys().all(|status| [200, 503].contains(status)), "{statuses:?}");
    // And when they are done there is room again.
    let after = world.ask("{ __schema { queryType { name } } }", Value::Null).await;
    assert_eq!(after["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn a_subscription_is_bounded_in_what_each_of_its_answers_may_be() {
    let world = World::with(&Options { max_answer_bytes: 1_000, ..Options::default() }).await;
    world.project(5, Some(&Row::new("1"))).await;
    let mut fine = events(&world, "subscription { order(id: \"1\") { id } }").await;
    assert_eq!(event(&mut fine).await.1["data"]["order"]["id"], "1");
    let large = format!("subscription {{ order(id: \"1\") {{ {} }} }}", aliases("status", 100));
    let mut large = events(&world, &large).await;
    assert_eq!(event(&mut large).await.1["errors"][0]["extensions"]["code"], "ANSWER_LIMIT");
    assert_eq!(event(&mut large).await.0, "complete");
    let heavy = format!("subscription {{ order(id: \"1\") {{ {} }} }}", aliases("status", 2_500));
    let refused = event(&mut events(&world, &heavy).await).await.1;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("at most 2000 are allowed"), "{refused}");
}

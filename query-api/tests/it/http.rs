//! GraphQL over HTTP, case by case, and the other routes.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use query_api::{Options, OrderStatus, order_status};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;

use crate::support::{Row, World, anyones, no_log};

const STRICT: &str = "application/graphql-response+json";

fn post(accept: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", accept)
        .body(body.into())
        .unwrap()
}

fn get(accept: &str, query: &str) -> Request<Body> {
    Request::get(format!("/graphql{query}")).header("accept", accept).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_request_gets_the_status_and_media_type_that_the_specification_gives_it() {
    let world = World::new().await;
    let json_type = "application/json; charset=utf-8";
    let strict_type = "application/graphql-response+json; charset=utf-8";
    let fine = r#"{"query": "{ __typename }"}"#;
    let syntax = r#"{"query": "{"}"#;
    let invalid = r#"{"query": "{ nothing }"}"#;
    let coercion = r#"{"query": "query ($id: ID!) { order(id: $id) { id } }", "variables": {"id": null}}"#;
    let missing = r#"{"query": "query ($id: ID!) { order(id: $id) { id } }"}"#;
    let wrong = r#"{"query": "query ($n: Int) { orders(first: $n) { nodes { id } } }", "variables": {"n": "ten"}}"#;
    for (name, request, status, content_type) in [
        ("a query", post(STRICT, fine), 200, strict_type),
        ("a query, as JSON", post("application/json", fine), 200, json_type),
        ("any answer", post("*/*", fine), 200, json_type),
        ("a syntax error", post(STRICT, syntax), 400, strict_type),
        ("a syntax error, as JSON", post("application/json", syntax), 200, json_type),
        ("an invalid query", post(STRICT, invalid), 400, strict_type),
        ("an invalid query, as JSON", post("application/json", invalid), 200, json_type),
        ("a null for what must not be", post(STRICT, coercion), 400, strict_type),
        ("a missing variable", post(STRICT, missing), 400, strict_type),
        ("a variable of the wrong type", post(STRICT, wrong), 400, strict_type),
        (
            "no such operation",
            post(STRICT, r#"{"query": "query a { __typename }", "operationName": "b"}"#),
            400,
            strict_type,
        ),
        (
            "an operation by name",
            post(STRICT, r#"{"query": "query a { __typename } query b { __typename }", "operationName": "b"}"#),
            200,
            strict_type,
        ),
        (
            "nulls",
            post(
                STRICT,
                r#"{"query": "{ __typename }", "operationName": null, "variables": null, "extensions": null}"#,
            ),
            200,
            strict_type,
        ),
        ("no JSON", post(STRICT, "{"), 400, strict_type),
        ("an array", post(STRICT, "[]"), 400, strict_type),
        ("an empty body", post(STRICT, ""), 400, strict_type),
        ("no query", post(STRICT, "{}"), 400, strict_type),
        ("a number for a query", post(STRICT, r#"{"query": 1}"#), 400, strict_type),
        (
            "an object for an operation's name",
            post(STRICT, r#"{"query": "{ __typename }", "operationName": {}}"#),
            400,
            strict_type,
        ),
        ("a list for variables", post(STRICT, r#"{"query": "{ __typename }", "variables": []}"#), 400, strict_type),
        (
            "a string for extensions",
            post(STRICT, r#"{"query": "{ __typename }", "extensions": "x"}"#),
            400,
            strict_type,
        ),
        ("a mutation", post(STRICT, r#"{"query": "mutation { x }"}"#), 400, strict_type),
        ("a large body", post(STRICT, " ".repeat(300 * 1024)), 413, strict_type),
        ("an unknown Accept", post("text/csv", fine), 406, json_type),
        ("no content type", Request::post("/graphql").body(fine.into()).unwrap(), 415, json_type),
        (
            "another content type",
            Request::post("/graphql").header("content-type", "text/plain").body(fine.into()).unwrap(),
            415,
            json_type,
        ),
        ("a query by GET", get(STRICT, "?query=%7B__typename%7D"), 200, strict_type),
        (
            "variables by GET",
            get(STRICT, "?query=query(%24id:ID!)%7Border(id:%24id)%7Bid%7D%7D&variables=%7B%22id%22:%221%22%7D"),
            200,
            strict_type,
        ),
        ("wrong variables by GET", get(STRICT, "?query=%7B__typename%7D&variables=1"), 400, strict_type),
        ("no query by GET", get(STRICT, ""), 400, strict_type),
        ("a syntax error by GET", get(STRICT, "?query=%7B"), 400, strict_type),
        ("a mutation by GET", get(STRICT, "?query=mutation%7Bx%7D"), 405, strict_type),
        ("an unknown Accept by GET", get("image/png", "?query=%7B__typename%7D"), 406, json_type),
        ("another method", Request::put("/graphql").body(Body::empty()).unwrap(), 405, ""),
    ] {
        let (got, headers, body) = world.send(request).await;
        assert_eq!(got.as_u16(), status, "{name}: {}", String::from_utf8_lossy(&body));
        if content_type.is_empty() {
            continue;
        }
        assert_eq!(headers["content-type"], content_type, "{name}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        if status == 200 && content_type == strict_type {
            assert!(body["data"].is_object(), "{name}: {body}");
        } else if status != 200 {
            assert_eq!(body.get("data"), None, "{name}");
            assert!(!body["errors"][0]["message"].as_str().unwrap().is_empty(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_browser_gets_graphiql_which_loads_nothing_from_elsewhere() {
    let world = World::new().await;
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let (status, headers, body) = world.send(get(accept, "")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    let page = String::from_utf8(body).unwrap();
    assert!(page.contains("/ui/assets/graphiql.js") && !page.contains("http://") && !page.contains("https://"));
}

#[tokio::test]
async fn the_usual_introspection_passes_and_what_is_too_much_does_not() {
    let world = World::new().await;
    let of_type = "ofType { name kind ".repeat(9) + &"}".repeat(9);
    let introspection =
        format!("{{ __schema {{ types {{ fields {{ args {{ type {{ name kind {of_type} }} }} }} }} }} }}");
    world.ask(&introspection, Value::Null).await;
    let costly = "{ orders(first: 200) { nodes { timeline(first: 200) { nodes { revision summary hash } } } } }";
    let answer = world.try_ask(costly, Value::Null).await;
    assert_eq!(answer["errors"][0]["message"], "Query is too complex.");
    let usual =
        "{ orders { nodes { id status steps { id status } timeline { nodes { revision summary recordedAt } } } } }";
    world.ask(usual, Value::Null).await;
    let values = format!("{{ orders(where: {{ status: [{}] }}) {{ nodes {{ id }} }} }}", "\"x\" ".repeat(101));
    let answer = world.try_ask(&values, Value::Null).await;
    assert_eq!(answer["errors"][0]["message"], "`status` takes at most 100 values");
}

#[tokio::test]
async fn the_status_of_an_order_is_returned_without_graphql() {
    let world = World::new().await;
    world.insert(&Row::new("10248")).await;
    let (status, headers, body) = world.send(Request::get("/orders/10248").body(Body::empty()).unwrap()).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"application/json".parse().unwrap()));
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap(),
        json!({ "orderId": "10248", "status": "Placed", "state": "RUNNING", "revision": 7, "position": "9007199254740993" })
    );
    for id in ["10249", "%00", "..%2f"] {
        let (status, headers, body) =
            world.send(Request::get(format!("/orders/{id}")).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (status, &headers["content-type"]),
            (StatusCode::NOT_FOUND, &"application/problem+json".parse().unwrap())
        );
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["status"], 404);
    }
    let stands: Option<OrderStatus> = order_status(&world.pool, "10248").await.unwrap();
    assert_eq!(stands.unwrap().revision, 7);
    assert_eq!(order_status(&world.pool, "10249").await.unwrap(), None);
}

#[tokio::test]
async fn a_database_that_is_down_is_reported_as_unavailable_and_no_more() {
    let mut world = World::new().await;
    let nowhere = "postgres://user:secret@127.0.0.1:1/none";
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(200)).connect_lazy(nowhere).unwrap();
    world.router = anyones(query_api::router(pool, no_log(), &Options::default()));
    let answer = world.try_ask("{ order(id: \"1\") { id } overview { orders } }", Value::Null).await;
    let error = &answer["errors"][0];
    assert_eq!(error["message"], "the views are unavailable, try again later");
    assert_eq!(error["extensions"]["code"], "UNAVAILABLE");
    let (status, headers, body) = world.send(Request::get("/orders/1").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["retry-after"], "1");
    assert!(!String::from_utf8(body).unwrap().contains("127.0.0.1"));
}

#[tokio::test]
async fn an_error_in_the_views_is_not_told_to_the_caller() {
    let world = World::new().await;
    world.sql("DROP TABLE steps").await;
    world.insert(&Row::new("1")).await;
    let answer = world.try_ask("{ order(id: \"1\") { id steps { id } } }", Value::Null).await;
    assert_eq!(answer["errors"][0]["message"], "the query failed for a reason that is not yours");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
    // All views are locked before the first is read.
    assert_eq!(answer["errors"][0]["path"], json!(["order"]));
}

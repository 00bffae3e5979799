//! Reading what one has written.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use event_store::{EventStore, Expected, NewEvent};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{Row, World};

/// What anything may take before its test has failed.
const LIMIT: Duration = Duration::from_secs(30);

const ORDER: &str =
    "query ($p: Position!, $wait: Int!) { order(id: \"1\", freshness: {position: $p, waitMs: $wait}) { id } }";

#[tokio::test]
async fn a_query_waits_until_the_views_have_what_it_asks_for() {
    let world = World::new().await;
    world.project(6, None).await;
    let query = "query ($f: Freshness) { overview { position orders } order(id: \"1\", freshness: $f) { id }
                 list: orders(freshness: {position: \"7\"}) { nodes { id } } }";
    let asked = world.ask(query, json!({ "f": { "position": "9", "waitMs": 20_000 } }));
    let moved = async {
        world.listens().await;
        for (position, row) in [(7, None), (8, None), (9, Some(Row::new("1")))] {
            world.project(position, row.as_ref()).await;
        }
    };
    let (answer, ()) = timeout(LIMIT, async { tokio::join!(asked, moved) }).await.expect("no answer in time");
    // All of it is of one moment, at which the furthest position was there.
    let expected = json!({
        "overview": { "position": "9", "orders": 1 }, "order": { "id": "1" }, "list": { "nodes": [{ "id": "1" }] },
    });
    assert_eq!(answer, expected);
    assert_eq!(world.ask(ORDER, json!({ "p": "9", "wait": 0 })).await["order"]["id"], "1", "no wait for what is there");
}

#[tokio::test]
async fn views_that_do_not_come_there_in_time_are_an_error_that_says_how_far_they_are() {
    let world = World::new().await;
    let behind = async |had: Value| {
        let answer = world.try_ask(ORDER, json!({ "p": "18446744073709551615", "wait": 50 })).await;
        let error = &answer["errors"][0];
        let extensions = json!({
            "code": "VIEWS_BEHIND", "wantedPosition": "18446744073709551615", "viewsPosition": had, "logPosition": null,
            "lagSeconds": null,
        });
        assert_eq!((&error["extensions"], &error["path"]), (&extensions, &json!(["order"])));
        error["message"].as_str().unwrap().to_owned()
    };
    let message = behind(Value::Null).await;
    assert!(message.ends_with("in time: they are at none"), "{message}");
    world.project(6, Some(&Row::new("1"))).await;
    let message = behind(json!("6")).await;
    assert!(message.ends_with("in time: they are at 6"), "{message}");
}

/// Appends an event, and returns its position.
async fn append(log: &EventStore, stream: &str) -> i64 {
    let (id, event_type) = (Uuid::now_v7(), "Happened".to_owned());
    let event = NewEvent { id, event_type, data: "{}".into(), metadata: "{}".into() };
    let appended = log.append(stream, Expected::Any, vec![event]).await.unwrap();
    i64::try_from(appended.position.commit).unwrap()
}

#[tokio::test]
async fn the_log_says_how_far_behind_the_views_are() {
    let (world, log) = World::with_log().await;
    let append = async |stream: &str| append(&log, stream).await;
    let lag =
        async || world.ask("{ overview { lag { logPosition seconds } } }", Value::Null).await["overview"]["lag"].take();
    assert_eq!(lag().await, json!({ "logPosition": null, "seconds": 0.0 }));
    let first = append("order-1").await;
    let behind = lag().await;
    assert_eq!(behind["logPosition"], first.to_string());
    assert!(behind["seconds"].as_f64().unwrap() > 0.0, "{behind}");
    world.project(first, None).await;
    assert_eq!(lag().await, json!({ "logPosition": first.to_string(), "seconds": 0.0 }));
    // What is not for the views does not count.
    let other = append("key-1").await;
    assert_eq!(lag().await, json!({ "logPosition": other.to_string(), "seconds": 0.0 }));

    let answer = world.try_ask(ORDER, json!({ "p": (other + 1).to_string(), "wait": 0 })).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!((&extensions["logPosition"], &extensions["lagSeconds"]), (&json!(other.to_string()), &json!(0.0)));
}

/// How long the views get for an order that the log has. A 404 that waits for nothing takes far
/// less.
const USUAL_WAIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_order_that_the_log_does_not_have_is_unknown_at_once_and_one_that_it_has_is_waited_for() {
    let (world, log) = World::with_log().await;
    let append = async |stream: &str| append(&log, stream).await;
    let get = async |path: &str| world.send(Request::get(path).body(Body::empty()).unwrap()).await.0;
    let first = append("order-0").await;
    world.project(first, Some(&Row::new("0"))).await;
    // The views do not have these events, but none of them is of the orders below.
    append("key-1").await;
    append("order-2").await;
    let begun = std::time::Instant::now();
    for path in ["/orders/1", "/orders/1?wait=0", "/orders/a%00b", "/orders/a%2Fb"] {
        assert_eq!(get(path).await, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(begun.elapsed() < USUAL_WAIT / 2, "{:?}", begun.elapsed());

    let placed = append("order-1").await;
    let projected = async {
        world.listens().await;
        world.project(placed, Some(&Row::new("1"))).await;
    };
    assert_eq!(tokio::join!(get("/orders/1"), projected).0, StatusCode::OK);
    // The views are past this order's event and do not have the order: a longer wait would not
    // help.
    let begun = std::time::Instant::now();
    let set_aside = append("order-3").await;
    world.project(set_aside, None).await;
    assert_eq!(get("/orders/3").await, StatusCode::NOT_FOUND);
    assert!(begun.elapsed() < USUAL_WAIT / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_wait_survives_the_loss_of_the_connection_that_listens() {
    let world = World::new().await;
    world.project(6, None).await;
    let asked = world.ask(ORDER, json!({ "p": "7", "wait": 20_000 }));
    let moved = async {
        world.listens().await;
        world
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()")
            .await;
        world.project(7, Some(&Row::new("1"))).await;
    };
    let (answer, ()) = timeout(LIMIT, async { tokio::join!(asked, moved) }).await.expect("no answer in time");
    assert_eq!(answer["order"]["id"], "1");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    for (wait, message) in [(-1, "`waitMs` must be from 0 to 20000"), (20_001, "`waitMs` must be from 0 to 20000")] {
        let answer = world.try_ask(ORDER, json!({ "p": "1", "wait": wait })).await;
        assert_eq!(
            (&answer["errors"][0]["message"], &answer["errors"][0]["extensions"]["code"]),
            (&json!(message), &json!("BAD_USER_INPUT"))
        );
    }
    let answer =
        world.try_ask("{ order(id: \"1\", atRevision: 1, freshness: {position: \"1\"}) { id } }", Value::Null).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn the_status_of_an_order_is_returned_once_the_views_have_a_position() {
    let world = World::new().await;
    world.project(6, None).await;
    let get = async |path: &str| {
        let (status, headers, body) = world.send(Request::get(path).body(Body::empty()).unwrap()).await;
        (status, headers, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let moved = async {
        world.listens().await;
        world.project(7, Some(&Row::new("1"))).await;
    };
    let ((status, _, order), ()) =
        timeout(LIMIT, async { tokio::join!(get("/orders/1?position=7"), moved) }).await.unwrap();
    assert_eq!((status, &order["orderId"]), (StatusCode::OK, &json!("1")));
    let (status, headers, problem) = get("/orders/1?position=8").await;
    assert_eq!((status, &headers["retry-after"]), (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap()));
    assert!(problem["detail"].as_str().unwrap().contains("position 8 in time: they are at 7"), "{problem}");
    assert_eq!(get("/orders/1?position=soon").await.0, StatusCode::BAD_REQUEST);
}

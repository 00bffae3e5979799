//! Which changes subscribers receive, each once.

use futures::future;
use serde_json::json;
use tokio::time::timeout;

use super::{ORDER, row, serve, told};
use crate::socket::{LIMIT, Socket};
use crate::support::{Row, World};

#[tokio::test]
async fn an_order_arrives_in_its_present_state_and_then_whenever_it_changes() {
    let world = World::new().await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut socket = Socket::open(&url).await;
    socket.subscribe("a", ORDER).await;
    assert_eq!(socket.order("a").await, told("1", "Placed", 5));
    world.project(6, Some(&row("2", "Placed"))).await;
    for position in 7..30 {
        let status = if position % 2 == 0 { "Charged" } else { "Shipped" };
        world.project(position, Some(&row("1", status))).await;
        assert_eq!(socket.order("a").await, told("1", status, position));
    }
    // An order that does not exist yet is sent once it exists.
    socket.subscribe("b", "subscription { order(id: \"3\") { id status position } }").await;
    socket.say(&json!({ "type": "ping", "payload": { "n": 1 } })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong", "payload": { "n": 1 } }));
    world.project(30, Some(&row("3", "Placed"))).await;
    assert_eq!(socket.order("b").await, told("3", "Placed", 30));
    // What is completed says nothing more.
    socket.say(&json!({ "type": "complete", "id": "a" })).await;
    world.project(31, Some(&row("1", "Charged"))).await;
    world.project(32, Some(&row("3", "Charged"))).await;
    assert_eq!(socket.order("b").await, told("3", "Charged", 32));
}

#[tokio::test]
async fn orders_that_match_the_filter_arrive_with_their_steps_and_timeline() {
    let world = World::new().await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut socket = Socket::open(&url).await;
    socket
        .subscribe(
            "a",
            "subscription { orders(from: \"5\", where: {status: [\"Shipped\"], customer: \"VINET\"}) { id status position } }",
        )
        .await;
    let all = "subscription { orders(from: \"5\") { id status position steps { id outcome } timeline(last: 1) { nodes { revision } } } }";
    socket.subscribe("b", all).await;
    world
        .sql(
            "INSERT INTO steps (order_id, step, status, outcome, attempts, started_at) VALUES ('2', 'ship', 'COMPLETED', 'shipped', 1, now());
             INSERT INTO timeline SELECT '2', n, gen_random_uuid(), n, 'StepStarted', now(), '', NULL, NULL, NULL, '{}', NULL, NULL, ''
             FROM generate_series(0, 9) AS n",
        )
        .await;
    world.project(6, Some(&Row { customer: "TOMSP", ..row("2", "Shipped") })).await;
    let all = socket.order("b").await;
    assert_eq!((&all["id"], &all["steps"]), (&json!("2"), &json!([{ "id": "ship", "outcome": "shipped" }])));
    // The row is at revision 7: what was appended since is not told before it is in the row.
    assert_eq!(all["timeline"]["nodes"], json!([{ "revision": 7 }]));
    world.project(7, Some(&row("1", "Shipped"))).await;
    let mut both = [socket.hear().await, socket.hear().await];
    both.sort_by_key(|message| message["id"].as_str().unwrap().to_owned());
    assert_eq!(both[0]["payload"]["data"]["orders"], told("1", "Shipped", 7));
    assert_eq!(both[1]["payload"]["data"]["orders"]["id"], "1");
}

#[tokio::test]
async fn a_client_that_reconnects_gets_what_it_missed_once_and_in_order() {
    let world = World::new().await;
    world
        .sql(
            "INSERT INTO orders SELECT n::text, 'w', 1, 'Placed', 'RUNNING', 'VINET', NULL, NULL, 'EUR', 1, '[]', NULL, '{}', NULL, NULL,
               now(), now(), NULL, 0, n FROM generate_series(1, 1200) AS n;
             INSERT INTO checkpoints (name, position, prepare) VALUES ('views', 1200, 1200)",
        )
        .await;
    let url = serve(world.router.clone()).await;
    let mut socket = Socket::open(&url).await;
    socket.subscribe("a", "subscription { orders(from: \"100\", where: {status: \"Placed\"}) { id position } }").await;
    for position in 101..=1200 {
        assert_eq!(socket.order("a").await, json!({ "id": position.to_string(), "position": position.to_string() }));
    }
    world.project(1201, Some(&row("7", "Placed"))).await;
    assert_eq!(socket.order("a").await, json!({ "id": "7", "position": "1201" }));
    socket.subscribe("b", "subscription { order(id: \"7\", from: \"1200\") { position } }").await;
    assert_eq!(socket.order("b").await, json!({ "position": "1201" }));
    socket.subscribe("c", "subscription { order(id: \"7\", from: \"1201\") { position } }").await;
    socket.say(&json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }), "nothing was missed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_falls_between_what_was_missed_and_what_comes() {
    let world = World::new().await;
    world.project(1, Some(&row("0", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let last = 600;
    let writing = async {
        for position in 2..=last {
            world.project(position, Some(&row(&position.to_string(), "Placed"))).await;
        }
    };
    let following = future::join_all((0..20).map(async |_| {
        let mut socket = Socket::open(&url).await;
        socket.subscribe("a", "subscription { orders(from: \"1\") { position } }").await;
        for position in 2..=last {
            assert_eq!(socket.order("a").await, json!({ "position": position.to_string() }));
        }
    }));
    timeout(LIMIT, future::join(writing, following)).await.expect("something was not told");
}

#[tokio::test]
async fn without_a_position_only_new_changes_arrive() {
    let world = World::new().await;
    world.project(5, Some(&row("1", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut socket = Socket::open(&url).await;
    socket.subscribe("a", "subscription { orders { id } }").await;
    // The server does not report when the subscription has begun: so changes are made until one
    // arrives.
    let writing = async {
        for position in 6.. {
            world.project(position, Some(&row("2", "Placed"))).await;
        }
    };
    tokio::select! {
        first = socket.order("a") => assert_eq!(first, json!({ "id": "2" })),
        () = writing => {}
    }
}

#[tokio::test]
async fn an_order_arrives_when_it_becomes_late_although_nothing_happens_to_it() {
    let world = World::new().await;
    world.project(5, Some(&row("1", "Placed"))).await;
    world.project(6, Some(&row("2", "Placed"))).await;
    let url = serve(world.router.clone()).await;
    let mut socket = Socket::open(&url).await;
    socket.subscribe("a", "subscription { order(id: \"1\") { id late } }").await;
    assert_eq!(socket.order("a").await, json!({ "id": "1", "late": false }));
    socket.subscribe("b", "subscription { orders(where: { late: true }) { id late position } }").await;
    world.project(7, Some(&row("3", "Placed"))).await;
    world
        .sql(
            "INSERT INTO expectations (order_id, expected_at, steps)
             VALUES ('1', now() + interval '2 s', '{}'), ('2', now() + interval '1 h', '{}')",
        )
        .await;
    let mut both = [socket.hear().await, socket.hear().await];
    both.sort_by_key(|message| message["id"].as_str().unwrap().to_owned());
    assert_eq!(both[0]["payload"]["data"]["order"], json!({ "id": "1", "late": true }));
    assert_eq!(both[1]["payload"]["data"]["orders"], json!({ "id": "1", "late": true, "position": "5" }));
    // Once, and then whenever it changes.
    world.project(8, Some(&row("1", "Shipped"))).await;
    let mut both = [socket.hear().await, socket.hear().await];
    both.sort_by_key(|message| message["id"].as_str().unwrap().to_owned());
    assert_eq!((&both[0]["id"], &both[1]["payload"]["data"]["orders"]["position"]), (&json!("a"), &json!("8")));
    socket.say(&json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
}

//! Live updates of orders, over connections that break.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::json;

use crate::ledger::ends;
use crate::socket::Socket;
use crate::world::{World, order};

const ORDERS: usize = 60;
/// After this many changes the connection is closed.
const BREAK_AFTER: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_to_orders_sees_each_one_end_even_if_the_connection_breaks() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": ORDERS / 2 }])).await;
    let url = format!("{}/graphql", world.base.replacen("http", "ws", 1));
    let placing = stream::iter(0..ORDERS).for_each_concurrent(4, async |number| {
        let workflow = if number % 2 == 0 { "order-fulfilment" } else { "order-fulfilment-without-backorder" };
        world.place(&order(&format!("live-{number}"), workflow, "11", 1)).await;
    });
    let (seen, ()) = tokio::join!(follow(&url), placing);
    let at_the_end = ends(&world.http, &world.base).await;
    let seen: BTreeMap<String, (String, String)> = seen.into_iter().collect();
    assert_eq!(seen, at_the_end);
}

/// The end of each order, from its last change.
async fn follow(url: &str) -> Vec<(String, (String, String))> {
    let mut last = BTreeMap::new();
    let mut position = "0".to_owned();
    loop {
        let mut socket = Socket::open(url).await;
        let changes =
            "{ id status state position revision steps { id status } timeline(last: 1) { nodes { revision } } }";
        socket.subscribe("a", &format!("subscription {{ orders(from: {position:?}) {changes} }}")).await;
        for _ in 0..BREAK_AFTER {
            let order = socket.order("a").await;
            let text = |name: &str| order[name].as_str().unwrap().to_owned();
            let number = |text: &str| text.parse::<u64>().unwrap();
            assert!(number(&text("position")) > number(&position), "{order} after {position}");
            assert_eq!(order["timeline"]["nodes"][0]["revision"], order["revision"], "{order}");
            position = text("position");
            last.insert(text("id"), (order["revision"].clone(), (text("status"), text("state"))));
            if last.len() == ORDERS && last.values().all(|(_, end)| is_end(end)) {
                return last.into_iter().map(|(id, (_, end))| (id, end)).collect();
            }
        }
    }
}

/// Whether an order makes no progress by itself any more. (A back-ordered one is sent twice: before
/// and after its mail.)
fn is_end((status, state): &(String, String)) -> bool {
    matches!(state.as_str(), "COMPLETED" | "CANCELED") || (status == "BackOrdered" && state == "WAITING")
}

//! Stock is never promised twice, and back-orders ship in their order.

use std::time::Duration;

use futures::future::join_all;
use participants::Options;
use serde_json::{Value, json};

use crate::world::{Callbacks, World, options, until};

async fn ship(world: &World, callbacks: &Callbacks, order_id: &str, input: Value) {
    let reply = world.ask("shipping.ship", order_id, input).answering_to(callbacks).send().await;
    assert_eq!((reply.status, reply.text.as_str()), (202, "{}"));
}

async fn states(world: &World, order_ids: &[&str]) -> Vec<String> {
    let mut states = Vec::new();
    for order_id in order_ids {
        states.push(world.shipment(order_id).await["state"].as_str().unwrap().to_owned());
    }
    states
}

#[tokio::test]
async fn the_answer_names_whether_an_order_ships_waits_or_is_refused() {
    let world = World::start().await;
    let _deliveries = world.deliver();
    let callbacks = Callbacks::start().await;
    world.post("/shipping/stock", json!([{ "sku": "a", "quantity": 5 }, { "sku": "b", "quantity": 1 }])).await;

    ship(
        &world,
        &callbacks,
        "in-stock",
        json!({ "lines": [{ "sku": "a", "quantity": 1 }, { "sku": "a", "quantity": 2 }] }),
    )
    .await;
    let shipped = &callbacks.wait_for(1).await[0];
    assert_eq!(shipped.outcome(), "shipped");
    assert_eq!(shipped.body["data"]["tracking"], world.shipment("in-stock").await["tracking"]);
    assert_eq!(shipped.body["data"]["carrier"], "Tenuto Parcel");
    assert_eq!(world.stock("a").await, (2, 0));

    let short =
        json!([{ "sku": "a", "quantity": 2 }, { "sku": "b", "quantity": 4 }, { "sku": "unknown", "quantity": 7 }]);
    ship(&world, &callbacks, "waits", json!({ "lines": short })).await;
    ship(&world, &callbacks, "refused", json!({ "lines": short, "backorder": false })).await;
    callbacks.wait_for(3).await;
    let missing = json!({ "missing": [{ "sku": "b", "short": 3 }, { "sku": "unknown", "short": 7 }] });
    for (order_id, outcome) in [("waits", "backordered"), ("refused", "out_of_stock")] {
        let answer = callbacks.received().into_iter().find(|answer| answer.order_id == order_id).unwrap();
        assert_eq!((answer.outcome(), &answer.body["data"]), (outcome, &missing));
    }
    assert_eq!(world.stock("a").await, (2, 0));
}

#[tokio::test]
async fn fifty_concurrent_orders_never_take_more_than_the_stock() {
    let world = World::start().await;
    let callbacks = Callbacks::start().await;
    world.post("/shipping/stock", json!([{ "sku": "a", "quantity": 37 }, { "sku": "b", "quantity": 41 }])).await;
    join_all((0..50).map(|n| {
        // Half of them name the SKUs in reverse order.
        let mut lines = vec![json!({ "sku": "a", "quantity": 1 + n % 2 }), json!({ "sku": "b", "quantity": 2 - n % 2 })];
        lines.rotate_left(n % 2);
        let (world, callbacks) = (&world, &callbacks);
        async move { ship(world, callbacks, &format!("o{n}"), json!({ "lines": lines, "backorder": n % 3 == 0 })).await }
    }))
    .await;

    let taken: Vec<(String, i64)> = sqlx::query_as(
        "SELECT sku, sum(quantity)::bigint FROM participant_shipping.shipment_lines JOIN participant_shipping.shipments USING (order_id)
         WHERE state = 'shipped' GROUP BY sku ORDER BY sku",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    for ((sku, taken), had) in taken.into_iter().zip([37, 41]) {
        assert_eq!(world.stock(&sku).await, (had - taken, 0), "{sku}");
    }
    assert_eq!(world.count("SELECT count(*) FROM participant_shipping.answers").await, 50);
    assert!(world.count("SELECT count(*) FROM participant_shipping.shipments WHERE state = 'shipped'").await >= 18);
}

#[tokio::test]
async fn restocked_goods_go_to_the_oldest_orders_that_they_fill_completely() {
    let world = World::start().await;
    let _deliveries = world.deliver();
    let callbacks = Callbacks::start().await;
    for (order_id, lines) in [
        ("large", json!([{ "sku": "a", "quantity": 10 }])),
        ("half", json!([{ "sku": "a", "quantity": 1 }, { "sku": "b", "quantity": 1 }])),
        ("first", json!([{ "sku": "a", "quantity": 3 }])),
        ("second", json!([{ "sku": "a", "quantity": 2 }])),
        ("third", json!([{ "sku": "a", "quantity": 1 }])),
    ] {
        ship(&world, &callbacks, order_id, json!({ "lines": lines })).await;
    }
    let restocked = world.post("/shipping/restock", json!([{ "sku": "a", "quantity": 5 }])).await;
    assert_eq!(restocked.body, json!({ "filled": ["first", "second"] }));
    assert_eq!(world.stock("a").await, (0, 0));
    callbacks.wait_for(7).await;
    assert_eq!(callbacks.taken("first"), ["backordered", "shipped"]);
    assert_eq!(callbacks.taken("second"), ["backordered", "shipped"]);
    assert_eq!(callbacks.taken("third"), ["backordered"]);

    let counted =
        world.post("/shipping/stock", json!([{ "sku": "a", "quantity": 11 }, { "sku": "b", "quantity": 0 }])).await;
    assert_eq!(counted.body, json!({ "filled": ["large", "third"] }));
    assert_eq!(states(&world, &["large", "half", "third"]).await, ["shipped", "backordered", "shipped"]);
}

#[tokio::test]
async fn no_order_keeps_waiting_for_stock_that_came_during_its_decision() {
    let world = World::start().await;
    let callbacks = Callbacks::start().await;
    let orders = join_all((0..40).map(|n| {
        let (world, callbacks) = (&world, &callbacks);
        async move {
            ship(world, callbacks, &format!("o{n}"), json!({ "lines": [{ "sku": "new", "quantity": 1 }] })).await;
        }
    }));
    let restocks = join_all((0..40).map(|_| world.post("/shipping/restock", json!([{ "sku": "new", "quantity": 1 }]))));
    let (_, restocks) = tokio::join!(orders, restocks);
    assert!(restocks.iter().all(|reply| reply.status == 200), "{restocks:?}");
    assert_eq!(world.stock("new").await, (0, 0));
    assert_eq!(world.count("SELECT count(*) FROM participant_shipping.shipments WHERE state = 'shipped'").await, 40);
}

#[tokio::test]
async fn a_canceled_back_order_leaves_the_queue_and_a_shipped_order_cannot_be_canceled() {
    let world = World::start().await;
    let callbacks = Callbacks::start().await;
    for order_id in ["canceled", "kept"] {
        ship(&world, &callbacks, order_id, json!({ "lines": [{ "sku": "a", "quantity": 1 }] })).await;
    }
    assert_eq!(world.ask("shipping.cancel_shipment", "canceled", json!({})).outcome().await, "canceled");
    world.post("/shipping/restock", json!([{ "sku": "a", "quantity": 1 }])).await;
    assert_eq!(states(&world, &["canceled", "kept"]).await, ["canceled", "shipped"]);
    assert_eq!(world.ask("shipping.cancel_shipment", "kept", json!({})).send().await.status, 409);
}

#[tokio::test]
async fn a_reserved_order_ships_after_its_handling_time() {
    let world = World::with(Options { handling_time: Duration::from_millis(50), ..options() }).await;
    let callbacks = Callbacks::start().await;
    world.post("/shipping/stock", json!([{ "sku": "a", "quantity": 3 }])).await;
    ship(&world, &callbacks, "1", json!({ "lines": [{ "sku": "a", "quantity": 2 }] })).await;
    assert_eq!(world.stock("a").await, (3, 2));
    let _deliveries = world.deliver();
    assert_eq!(callbacks.wait_for(1).await[0].outcome(), "shipped");
    assert_eq!(world.stock("a").await, (1, 0));
}

#[tokio::test]
async fn reserved_stock_can_be_released_but_not_counted_away() {
    let world = World::with(Options { handling_time: Duration::from_hours(1), ..options() }).await;
    let callbacks = Callbacks::start().await;
    world.post("/shipping/stock", json!([{ "sku": "a", "quantity": 3 }])).await;
    ship(&world, &callbacks, "1", json!({ "lines": [{ "sku": "a", "quantity": 2 }] })).await;
    assert_eq!(world.post("/shipping/stock", json!([{ "sku": "a", "quantity": 1 }])).await.status, 409);
    assert_eq!(world.stock("a").await, (3, 2));
    assert_eq!(world.ask("shipping.cancel_shipment", "1", json!({})).outcome().await, "canceled");
    assert_eq!(world.stock("a").await, (3, 0));
    assert_eq!(world.post("/shipping/stock", json!([{ "sku": "a", "quantity": 1 }])).await.status, 200);
}

#[tokio::test]
async fn concurrent_orders_cancels_restocks_and_parcels_leave_correct_stock() {
    let world = World::with(Options { handling_time: Duration::from_millis(1), ..options() }).await;
    let _deliveries = world.deliver();
    let callbacks = Callbacks::start().await;
    join_all((0..60).map(|n| {
        let (world, callbacks) = (&world, &callbacks);
        async move {
            let lines = json!([{ "sku": "a", "quantity": 1 }, { "sku": (["b", "c"][n % 2]), "quantity": 1 }]);
            ship(world, callbacks, &format!("o{n}"), json!({ "lines": lines })).await;
            if n % 4 == 0 {
                let canceled = world.ask("shipping.cancel_shipment", &format!("o{n}"), json!({})).send().await;
                assert!([200, 409].contains(&canceled.status), "{}", canceled.text);
            }
            let goods = ["a", "b", "c"].map(|sku| json!({ "sku": sku, "quantity": 1 }));
            assert_eq!(world.post("/shipping/restock", json!(goods)).await.status, 200);
        }
    }))
    .await;
    until("all parcels to leave", async || {
        world
            .count("SELECT count(*) FROM participant_shipping.shipments WHERE state IN ('reserved', 'backordered')")
            .await
            == 0
    })
    .await;
    let off = "SELECT count(*) FROM participant_shipping.stock WHERE reserved <> 0 OR on_hand <> 60 - (
                   SELECT coalesce(sum(quantity), 0) FROM participant_shipping.shipment_lines line
                   JOIN participant_shipping.shipments USING (order_id) WHERE line.sku = stock.sku AND state = 'shipped')";
    assert_eq!(world.count(off).await, 0);
}

//! A later answer reaches its callback despite faults on the way.

use std::time::Duration;

use participants::{Options, Retry};
use serde_json::json;

use crate::world::{Callbacks, TRACEPARENT, World, options, until};

/// Requests something out of stock, whose answer comes at once.
async fn ask_in_vain(world: &World, callbacks: &Callbacks, order_id: &str) {
    let lines = json!({ "lines": [{ "sku": "none", "quantity": 1 }] });
    let reply = world.ask("shipping.ship", order_id, lines).answering_to(callbacks).send().await;
    assert_eq!(reply.status, 202);
}

async fn settlement(world: &World, order_id: &str) -> (String, i64, String) {
    until(&format!("the answer about {order_id} to be settled"), async || {
        world.shipment(order_id).await["answers"][0]["settlement"].is_string()
    })
    .await;
    let answer = world.shipment(order_id).await["answers"][0].clone();
    let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
    (text("settlement"), answer["attempts"].as_i64().unwrap(), text("lastError"))
}

#[tokio::test]
async fn an_answer_is_sent_with_the_same_key_until_it_is_accepted() {
    let world = World::start().await;
    let _deliveries = world.deliver();
    let callbacks = Callbacks::answering([500, 503, 404, 429, 408, 425, 302]).await;
    ask_in_vain(&world, &callbacks, "1").await;
    assert_eq!(settlement(&world, "1").await, ("delivered".to_owned(), 8, String::new()));
    let received = callbacks.received();
    assert_eq!(received.len(), 8);
    assert!(received.iter().all(|answer| answer.key == received[0].key && answer.body == received[0].body));
    assert!(received[0].key.starts_with('"') && received[0].key.len() == 38, "{}", received[0].key);
    assert!(received.iter().all(|answer| answer.traceparent == TRACEPARENT));
}

#[tokio::test]
async fn a_refused_answer_is_not_sent_again_and_the_next_one_is_sent() {
    let world = World::start().await;
    let _deliveries = world.deliver();
    let callbacks = Callbacks::answering([409]).await;
    ask_in_vain(&world, &callbacks, "1").await;
    let (settlement, attempts, reason) = settlement(&world, "1").await;
    assert_eq!((settlement.as_str(), attempts), ("refused", 1));
    assert!(reason.contains("409"), "{reason}");
    world.post("/shipping/restock", json!([{ "sku": "none", "quantity": 1 }])).await;
    callbacks.wait_for(2).await;
    assert_eq!(callbacks.taken("1"), ["shipped"]);
}

#[tokio::test]
async fn an_answer_that_no_receiver_accepts_is_given_up_with_a_reason() {
    let retry = Retry { give_up_after: Duration::from_millis(100), ..options().retry };
    let world = World::with(Options { retry, ..options() }).await;
    let _deliveries = world.deliver();
    let nowhere = world.ask("shipping.ship", "1", json!({ "lines": [{ "sku": "none", "quantity": 1 }] }));
    assert_eq!(nowhere.send().await.status, 202);
    let (settlement, attempts, reason) = settlement(&world, "1").await;
    assert_eq!(settlement, "given_up");
    assert!(attempts > 1 && reason.contains("not reached"), "{attempts} {reason}");
}

#[tokio::test]
async fn answers_about_an_order_come_in_order_and_do_not_delay_other_orders() {
    let world = World::start().await;
    let callbacks = Callbacks::answering([503; 5]).await;
    ask_in_vain(&world, &callbacks, "held-up").await;
    world.post("/shipping/restock", json!([{ "sku": "none", "quantity": 1 }])).await;
    let unhindered = Callbacks::start().await;
    ask_in_vain(&world, &unhindered, "other").await;
    let _deliveries = world.deliver();
    unhindered.wait_for(1).await;
    callbacks.wait_for(7).await;
    assert_eq!(callbacks.taken("held-up"), ["backordered", "shipped"]);
    assert!(callbacks.received()[..6].iter().all(|answer| answer.outcome() == "backordered"));
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_leaves_nothing_undelivered() {
    let world = World::start().await;
    let callbacks = Callbacks::answering([503; 40]).await;
    for n in 0..30 {
        ask_in_vain(&world, &callbacks, &format!("o{n}")).await;
    }
    for killed in 1..=4 {
        let deliveries = world.deliver();
        callbacks.wait_for(10 * killed).await;
        deliveries.kill().await;
    }
    let _deliveries = world.deliver();
    until("every answer to be taken", async || (0..30).all(|n| !callbacks.taken(&format!("o{n}")).is_empty())).await;
}

#[tokio::test]
async fn of_two_workers_one_delivers_and_the_other_takes_over() {
    let world = World::start().await;
    let callbacks = Callbacks::start().await;
    let first = world.deliver();
    let _second = world.deliver();
    for n in 0..20 {
        ask_in_vain(&world, &callbacks, &format!("o{n}")).await;
    }
    until("every answer to be settled", async || {
        world.count("SELECT count(*) FROM participant_shipping.answers WHERE settled_at IS NULL").await == 0
    })
    .await;
    assert_eq!(callbacks.received().len(), 20);
    first.stop().await;
    ask_in_vain(&world, &callbacks, "after").await;
    callbacks.wait_for(21).await;
    assert_eq!(callbacks.taken("after"), ["backordered"]);
}

#[tokio::test]
async fn a_worker_continues_after_its_database_connections_are_cut() {
    let world = World::start().await;
    let callbacks = Callbacks::start().await;
    let _deliveries = world.deliver();
    ask_in_vain(&world, &callbacks, "before").await;
    callbacks.wait_for(1).await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(world.count(cut).await > 0);
    until("the services to answer again", async || world.get("/shipping/stock").await.status == 200).await;
    let lines = json!({ "lines": [{ "sku": "none", "quantity": 1 }] });
    let ask = world.ask("shipping.ship", "after", lines).answering_to(&callbacks);
    until("the request to be accepted", async || ask.send().await.status == 202).await;
    until("its answer", async || callbacks.taken("after") == ["backordered"]).await;
}

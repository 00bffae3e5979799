//! Commands that race with one another, with answers, and with the order's progress.

use domain::order::Event;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{fault, operate, operated, waiting, world};
use crate::ledger::at_rest;
use crate::many::history::History;
use crate::world::{World, order};

/// Sends an answer under a separate key.
async fn approve(world: &World, id: &str, key: String) -> (u16, Value) {
    let url = format!("{}/orders/{id}/steps/approve/outcome", world.base);
    let request = world.http.post(url).header("Idempotency-Key", key).json(&json!({ "outcome": "approved" }));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// One action of one of many clients.
async fn act(world: &World, id: &str, what: &'static str, number: usize) -> (&'static str, u16) {
    let (status, reported) = loop {
        let reply = match what {
            "approve" => approve(world, id, format!("k-{number}")).await,
            what => operate(world, id, what, json!({ "actor": format!("client-{number}") })).await,
        };
        // An order's driver refuses more than it can queue. Then nothing was done.
        if reply.0 != 503 {
            break reply;
        }
    };
    // A command that comes too late gets the order's state.
    assert!(status == 202 || (status == 409 && reported["state"].is_string()), "{what}: {status} {reported}");
    (what, status)
}

fn taken(done: &[(&str, u16)], what: &str) -> usize {
    done.iter().filter(|(did, status)| *did == what && *status == 202).count()
}

#[tokio::test]
async fn either_the_cancel_or_the_answer_stands_and_all_others_are_refused() {
    let world = world().await;
    let ids: Vec<String> = (0..10).map(|number| format!("E{number}")).collect();
    for id in &ids {
        waiting(&world, id).await;
    }
    let mut canceled = 0;
    for id in &ids {
        let clients = (0..12).map(|number| act(&world, id, if number % 2 == 0 { "cancel" } else { "approve" }, number));
        let done = join_all(clients).await;
        let (cancels, approvals) = (taken(&done, "cancel"), taken(&done, "approve"));
        assert_eq!(cancels + approvals, 1, "{id}: {done:?}");
        world.comes_to(id, "Placed", if cancels == 1 { "CANCELED" } else { "COMPLETED" }).await;
        let (_, charge) = world.get(&format!("/participants/payments/{id}")).await;
        assert_eq!(charge["state"] == "refunded", cancels == 1, "{id}: {charge}");
        canceled += cancels;
    }
    println!("{canceled} of {} canceled", ids.len());
}

#[tokio::test]
async fn each_accepted_command_is_in_the_history_once_and_no_refused_one_is() {
    let world = world().await;
    for round in 0..6 {
        let id = format!("H{round}");
        waiting(&world, &id).await;
        let words = ["pause", "resume", "approve", "cancel", "pause", "resume", "pause", "resume"];
        let clients = (0..24).map(|number| act(&world, &id, words[(number + round) % words.len()], number));
        let done = join_all(clients).await;
        // If the last command was a pause, the order is paused: resume it.
        let (status, _) = operate(&world, &id, "resume", json!({})).await;
        let resumed = taken(&done, "resume") + usize::from(status == 202);
        let ended = async || {
            let state = world.order(&id, "state").await["state"].take();
            ["COMPLETED", "CANCELED"].contains(&state.as_str().unwrap_or_default())
        };
        world.until("the order has ended", ended).await;
        // Reading it checks the fold and the chain of hashes.
        let history = History::read(&world.log).await;
        let events = &history.0[&id];
        let count = |of: fn(&Event) -> bool| events.iter().filter(|entry| of(&entry.event)).count();
        let paused = count(|event| matches!(event, Event::OrderPaused(_)));
        assert_eq!(paused, taken(&done, "pause"), "{id}: {done:?}");
        assert_eq!(count(|event| matches!(event, Event::OrderResumed(_))), resumed, "{id}: {done:?}");
        let canceled = count(|event| matches!(event, Event::CompensationStarted(_)));
        assert_eq!(canceled, taken(&done, "cancel"), "{id}: {done:?}");
        assert!(canceled <= 1);
        let approved = count(|event| matches!(event, Event::StepCompleted(e) if e.step == "approve"));
        assert_eq!(approved, taken(&done, "approve"), "{id}: {done:?}");
    }
}

#[tokio::test]
async fn orders_that_are_paused_and_resumed_under_load_lose_nothing_and_do_nothing_twice() {
    const ORDERS: usize = 40;
    const TIMES: usize = 6;
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": ORDERS }])).await;
    for (participant, action) in [("orders", "create"), ("payments", "charge"), ("shipping", "ship")] {
        fault(&world, Some(json!({ "participant": participant, "action": action, "delayMs": 40 }))).await;
    }
    let ids: Vec<String> = (0..ORDERS).map(|number| format!("T{number}")).collect();
    let interrupted = join_all(ids.iter().map(async |id| {
        world.place(&order(id, "order-fulfilment", "11", 1)).await;
        let mut held = 0;
        for _ in 0..TIMES {
            let (_, status) = act(&world, id, "pause", 0).await;
            if status == 202 {
                held += 1;
                operated(&world, id, "resume", json!({})).await;
            }
        }
        held
    }));
    let held: Vec<usize> = interrupted.await;
    println!("held {} times", held.iter().sum::<usize>());
    assert!(held.iter().all(|times| *times > 0), "each was held at least once: {held:?}");
    for id in &ids {
        world.comes_to(id, "Shipped", "COMPLETED").await;
    }
    let (_, totals) = world.get("/participants/payments/totals").await;
    assert_eq!((&totals[0]["charges"], &totals[0]["refunds"]), (&json!(ORDERS), &json!(0)), "{totals}");
    let (_, mailbox) = world.get("/participants/notifications/mailbox").await;
    assert_eq!(mailbox["mails"].as_array().unwrap().len(), ORDERS);
    let history = History::read(&world.log).await;
    assert_eq!(history.lost(), vec![], "no attempt counts as lost because of a pause");
    assert!(crate::ledger::ends(&world.http, &world.base).await.values().all(at_rest));
}

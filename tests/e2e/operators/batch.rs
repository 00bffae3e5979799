//! Commands to many orders at once.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Instant;

use futures::{StreamExt, stream};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{fault, waiting, world};
use crate::ledger::{Ends, ends};
use crate::process::{binary, from_environment};
use crate::world::{World, order};

/// Runs a command of the binary against this world.
pub fn tenuto(world: &World, arguments: &[&str]) -> Output {
    binary().args(arguments).args(["--server", &world.base, "--actor", "ann"]).output().unwrap()
}

/// The lines of JSON that a command printed.
pub fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// The lines of a batch.
async fn batch(world: &World, body: &Value) -> Vec<Value> {
    let response = world.http.post(format!("{}/orders/batch", world.base)).json(body).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"].to_str().unwrap()),
        (200, &"application/x-ndjson")
    );
    response.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_batch_reports_the_result_for_each_order() {
    let world = world().await;
    for id in ["a", "b", "c"] {
        waiting(&world, id).await;
    }
    super::operated(&world, "b", "skip", json!({ "step": "approve", "outcome": "approved" })).await;
    let body =
        json!({ "operation": "cancel", "reason": "recalled", "orders": ["c", "no-such-order", "b", "a b", "a"] });
    let lines = batch(&world, &body).await;
    assert_eq!((lines.len(), &lines[0]["matches"], &lines[6]), (7, &json!(5), &json!({ "done": true })));
    let reported: Vec<(&str, u64)> =
        lines[1..6].iter().map(|line| (line["orderId"].as_str().unwrap(), line["status"].as_u64().unwrap())).collect();
    assert_eq!(reported, [("c", 202), ("no-such-order", 404), ("b", 409), ("a b", 404), ("a", 202)]);
    assert_eq!(lines[3]["state"], "COMPLETED");
    assert!(lines[1]["revision"].is_u64() && lines[1]["position"].is_string(), "{}", lines[1]);
    for id in ["a", "c"] {
        world.comes_to(id, "Placed", "CANCELED").await;
    }
}

#[tokio::test]
async fn a_filter_of_a_batch_matches_the_same_orders_as_over_graphql() {
    let world = world().await;
    world.stock(&json!([{ "sku": "11", "quantity": 1 }])).await;
    for (number, (workflow, customer)) in
        [("order-fulfilment", "VINET"), ("order-fulfilment", "TOMSP"), ("approval", "VINET"), ("approval", "A, B")]
            .into_iter()
            .enumerate()
    {
        let mut order = order(&format!("F{number}"), workflow, "11", 1);
        order["customer"]["id"] = json!(customer);
        order["attributes"] = json!({ "gift": number > 1, "delivery": { "floor": number } });
        world.place(&order).await;
        let state = if number == 0 {
            ("Shipped", "COMPLETED")
        } else if number == 1 {
            ("BackOrdered", "WAITING")
        } else {
            ("Placed", "WAITING")
        };
        world.comes_to(&format!("F{number}"), state.0, state.1).await;
    }
    let first = world.order("F1", "placedAt").await["placedAt"].clone();
    let filters = [
        json!({ "state": "WAITING" }),
        json!({ "state": ["COMPLETED", "WAITING"] }),
        json!({ "state": ["STUCK"] }),
        json!({ "status": ["Placed", "Shipped"] }),
        json!({ "status": "placed" }),
        json!({ "customer": ["VINET"] }),
        json!({ "customer": ["A, B"], "state": "WAITING" }),
        json!({ "customer": ["VINE"] }),
        json!({ "workflow": { "name": "approval" } }),
        json!({ "workflow": { "name": "approval", "version": 1 }, "customer": ["VINET", "TOMSP"] }),
        json!({ "workflow": { "name": "approval", "version": 1 }, "customer": ["TOMSP"] }),
        json!({ "placedAt": { "from": first } }),
        json!({ "placedAt": { "to": first } }),
        json!({ "endedAt": { "from": "2020-01-01T00:00:00Z" } }),
        json!({ "updatedAt": { "to": "2020-01-01T00:00:00Z" } }),
        json!({ "sku": ["11", "12"] }),
        json!({ "sku": "12" }),
        json!({ "total": { "atLeast": "14", "atMost": 1_000 } }),
        json!({ "total": { "atLeast": "999999" } }),
        json!({ "step": { "name": "ship", "status": "COMPLETED" } }),
        json!({ "step": { "name": "charge" }, "customer": "TOMSP" }),
        json!({ "step": { "status": ["WAITING", "STUCK"] } }),
        json!({ "stuckReason": "" }),
        json!({ "attributes": { "path": ["delivery", "floor"], "value": 2 } }),
        json!({ "attributes": [{ "path": "delivery" }, { "path": "gift", "value": true }] }),
        json!({ "attributes": { "path": ["delivery", "note"] } }),
    ];
    let mut sizes = BTreeMap::new();
    for filter in filters {
        let query = "query($where: OrderFilter) { orders(where: $where, first: 100) { edges { node { id } } } }";
        let asked = json!({ "query": query, "variables": { "where": filter } });
        let (_, answer) = world.post("/graphql", &asked).await;
        let edges = answer["data"]["orders"]["edges"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let mut expected: Vec<&str> = edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap()).collect();
        expected.sort_unstable();
        // No order has anything to retry, so nothing changes.
        let lines = batch(&world, &json!({ "operation": "retry", "reason": "looking", "where": filter })).await;
        let reported: Vec<&str> = lines.iter().filter_map(|line| line["orderId"].as_str()).collect();
        assert_eq!(reported, expected, "{filter}");
        let dry =
            batch(&world, &json!({ "operation": "cancel", "reason": "looking", "where": filter, "dryRun": true }))
                .await;
        assert_eq!(
            (dry.len(), &dry[0]["matches"], &dry[1]["done"]),
            (2, &json!(reported.len()), &json!(true)),
            "{filter}"
        );
        *sizes.entry(reported.len()).or_insert(0) += 1;
    }
    assert!(sizes.len() >= 4, "the filters distinguish orders: {sizes:?}");
    for (pointer, filter) in [
        ("/where/workflow/name", json!({ "workflow": { "name": "aproval" } })),
        ("/where/workflow/version", json!({ "workflow": { "name": "approval", "version": 2 } })),
        ("/where/step/name", json!({ "step": { "name": "shipp" } })),
        ("/where/step/name", json!({ "workflow": { "name": "approval" }, "step": { "name": "ship" } })),
    ] {
        let body = json!({ "operation": "cancel", "reason": "looking", "where": filter });
        let (status, problem) = world.post("/orders/batch", &body).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{problem}");
    }
}

const PAYMENTS: &str = "participants:\n  payments: { url: \"${PAYMENTS_URL}\" }\nsteps:\n  \
                        charge: { call: payments.charge, with: { amount: order.total, currency: order.currency }, undo: payments.refund }\n";

/// Workflows of orders that end by themselves, one soon and one after a while.
fn more_workflows() -> [String; 2] {
    let settle = "  settle: { after: [charge], wait: 1m }\n";
    [format!("workflow: paid\nversion: 1\n{PAYMENTS}"), format!("workflow: settled\nversion: 1\n{PAYMENTS}{settle}")]
}

#[tokio::test]
async fn many_orders_are_canceled_while_they_run_and_the_answer_lists_which_had_ended() {
    let running = usize::try_from(from_environment("TENUTO_BATCH_ORDERS", 100)).unwrap();
    let shipped = running / 10;
    let orders = shipped + running;
    let world = World::new().await;
    for workflow in more_workflows() {
        world.register(&workflow).await;
    }
    world.stock(&json!([{ "sku": "11", "quantity": shipped }])).await;
    // Some orders are shipped before. Of the rest, half would be back-ordered. The others end soon,
    // or after a while.
    let place = async |number: usize| {
        let workflow = match number % 8 {
            1 if number >= shipped => "paid",
            3 | 5 | 7 if number >= shipped => "settled",
            _ => "order-fulfilment",
        };
        world.place(&order(&format!("M{number:06}"), workflow, "11", 1)).await;
    };
    stream::iter(0..shipped).map(place).buffer_unordered(32).for_each(async |()| ()).await;
    for number in 0..shipped {
        world.comes_to(&format!("M{number:06}"), "Shipped", "COMPLETED").await;
    }
    for (participant, action) in [("payments", "charge"), ("shipping", "ship")] {
        fault(&world, Some(json!({ "participant": participant, "action": action, "delayMs": 250 }))).await;
    }
    stream::iter(shipped..orders).map(place).buffer_unordered(32).for_each(async |()| ()).await;
    let seen = async || world.query("{ overview { orders } }").await["overview"]["orders"] == orders;
    world.until("the views have them", seen).await;

    let start = Instant::now();
    let output = tenuto(&world, &["cancel", "--where", "customer=VINET", "--reason", "recalled", "--json"]);
    let reported_after = start.elapsed();
    fault(&world, None).await;
    let reported = lines(&output);
    let (summary, reported) = reported.split_last().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((reported.len(), &summary["orders"]), (orders, &json!(orders)), "{stderr}");
    assert_eq!(output.status.code(), Some(1), "some had been completed: {stderr}");

    let mut completed = 0;
    for line in reported {
        if line["status"] != 202 {
            assert_eq!((&line["status"], &line["state"]), (&json!(409), &json!("COMPLETED")), "{line}");
            completed += 1;
        }
    }
    assert!((shipped..orders).contains(&completed), "{completed} of {orders} had been completed");
    // Each order ended as its line states.
    let as_reported = |ends: &Ends| {
        reported.iter().all(|line| {
            let state = if line["status"] == 202 { "CANCELED" } else { "COMPLETED" };
            ends[line["orderId"].as_str().unwrap()].1 == state
        })
    };
    world
        .until("every order has ended as its line states", async || as_reported(&ends(&world.http, &world.base).await))
        .await;
    let ended_after = start.elapsed();

    // By the services' records, every charge is refunded and every reservation released, except
    // those of completed orders.
    let (_, totals) = world.get("/participants/payments/totals").await;
    let money = |name: &str| totals[0][name].as_str().unwrap().parse::<Decimal>().unwrap();
    assert_eq!(money("charged") - money("refunded"), Decimal::from(14 * completed), "{totals}");
    let (_, stock) = world.get("/participants/shipping/stock").await;
    assert_eq!((&stock[0]["onHand"], &stock[0]["reserved"]), (&json!(0), &json!(0)), "{stock}");
    println!(
        "{orders} orders: {} canceled, {completed} had been completed; all reported after {reported_after:?}, all ended after \
         {ended_after:?}; {} of {} charges refunded",
        orders - completed,
        totals[0]["refunds"],
        totals[0]["charges"]
    );
}

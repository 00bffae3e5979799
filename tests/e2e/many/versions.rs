//! A workflow gets a new version while orders follow the old one.
//!
//! `TENUTO_VERSION_ORDERS` sets the number of orders for each version.

use std::collections::BTreeSet;

use domain::order::Event;
use serde_json::{Value, json};

use super::history::History;
use super::{Many, clients};
use crate::ledger::ends;
use crate::process::{from_environment, until};
use crate::world::order;

const CROWD: clients::Crowd = clients::Crowd { per_second: 100, impatient: 0, seed: 0 };

/// The versions differ in their last step, and in the status that it sets.
fn workflow(version: u32) -> String {
    format!(
        "workflow: changing
version: {version}
participants:
  orders: {{ url: '${{ORDERS_URL}}' }}
  payments: {{ url: '${{PAYMENTS_URL}}' }}
steps:
  create-order:
    call: orders.create
    with: {{ customer: order.customer.id, currency: order.currency, total: order.total, lines: order.lines }}
  charge:
    after: [create-order]
    call: payments.charge
    with: {{ amount: order.total, currency: order.currency }}
    retry: {{ attempts: 1000, initial: 100ms, factor: 2, max: 1s }}
  finish-{version}:
    after: [charge]
    call: orders.update_status
    with: {{ status: \"'Shipped'\" }}
    sets-status: Version{version}
"
    )
}

async fn register(many: &Many, version: u32) {
    let request = reqwest::Client::new().post(format!("{}/workflows", many.balancer.url));
    let answer = request.header("content-type", "application/yaml").body(workflow(version)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201, "{}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_order_ends_on_the_version_on_which_it_began() {
    let each = usize::try_from(from_environment("TENUTO_VERSION_ORDERS", 60)).unwrap();
    let many = Many::new().await;
    let faults = format!("{}/faults", many.participants.url());
    let http = reqwest::Client::new();
    let down = json!([{ "participant": "payments", "action": "charge", "respond": { "status": 503 } }]);
    assert!(http.post(&faults).json(&down).send().await.unwrap().status().is_success());
    let orders = |letter| -> Vec<Value> {
        (0..each).map(|number| order(&format!("{letter}{number}"), "changing", "11", 1)).collect()
    };

    register(&many, 1).await;
    let early = clients::place(&many.http, &many.balancer.url, &orders('E'), CROWD).await.acknowledged;
    register(&many, 2).await;
    let late = clients::place(&many.http, &many.balancer.url, &orders('L'), CROWD).await.acknowledged;
    // No payment has been made yet: all early orders were running when the new version came.
    assert!(http.delete(&faults).send().await.unwrap().status().is_success());
    until("all orders are completed", async || {
        let ends = ends(&many.http, &many.queries).await;
        ends.len() == early.len() + late.len() && ends.values().all(|(_, state)| state == "COMPLETED")
    })
    .await;

    let history = History::read(&many.log).await;
    let ends = ends(&many.http, &many.queries).await;
    let mut on_second = BTreeSet::new();
    for (id, entries) in &history.0 {
        let Event::OrderPlaced(placed) = &entries[0].event else {
            panic!("order {id} does not begin with its placing")
        };
        let version = placed.workflow.version;
        let steps: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.event.step().map(String::as_str)).collect();
        let finish = format!("finish-{version}");
        assert_eq!(steps, BTreeSet::from(["create-order", "charge", &finish]), "order {id}");
        assert_eq!(ends[id].0, format!("Version{version}"), "order {id}");
        if version == 2 {
            on_second.insert(id.clone());
        }
    }
    assert!(on_second.is_disjoint(&early) && !on_second.is_empty());
    println!("{} ended on version 1, {} on version 2", history.0.len() - on_second.len(), on_second.len());
}

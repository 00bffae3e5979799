//! A process that is stopped for longer than its lease, and continues with outdated knowledge.

use rustix::process::Signal;
use serde_json::json;

use super::Many;
use super::history::History;
use super::instance::one_is_ready;
use crate::ledger::{at_rest, ends, set_stock};
use crate::process::until;
use crate::world::order;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_instance_that_continues_changes_nothing() {
    let many = Many::new().await;
    let http = reqwest::Client::new();
    set_stock(&many.http, &many.participants.url(), &json!([{ "sku": "11", "quantity": 10 }])).await;
    let slow = json!([{ "participant": "payments", "action": "charge", "delayMs": 1_500, "times": 1 }]);
    let scripted = http.post(format!("{}/faults", many.participants.url())).json(&slow).send().await.unwrap();
    assert!(scripted.status().is_success(), "{scripted:?}");

    let [sleeper, ..] = &many.handlers;
    let place = async |id: &str| {
        let order = order(id, "order-fulfilment", "11", 1);
        let placed = http.post(format!("{}/orders", sleeper.url())).json(&order).send().await.unwrap();
        assert_eq!(placed.status().as_u16(), 202);
    };
    let has = async |id: &str, event: &str, step: &str| {
        let history = History::read(&many.log).await;
        let entries = history.0.get(id).map(Vec::as_slice).unwrap_or_default();
        entries.iter().any(|entry| entry.event.type_name() == event && entry.event.step().is_some_and(|s| s == step))
    };
    let ended = async |id: &str| ends(&many.http, &many.queries).await.get(id).is_some_and(at_rest);

    place("S1").await;
    until("the payment is under way", async || has("S1", "StepStarted", "charge").await).await;
    sleeper.signal(Signal::STOP).await;
    until("the others have brought the order to its end", async || ended("S1").await).await;
    let before = History::read(&many.log).await;
    assert_eq!(before.lost().len(), 1, "{:?}", before.lost());

    // It finds the participant's answer, and an order that it still considers its own.
    sleeper.signal(Signal::CONT).await;
    one_is_ready(std::slice::from_ref(sleeper)).await;
    place("S2").await;
    until("the instance has brought another order to its end", async || ended("S2").await).await;
    let after = History::read(&many.log).await;
    assert_eq!(after.0["S1"].len(), before.0["S1"].len(), "nothing was added");
    let totals = reqwest::get(format!("{}/payments/totals", many.participants.url())).await.unwrap();
    assert_eq!(totals.json::<serde_json::Value>().await.unwrap()[0]["charges"], 2);
}

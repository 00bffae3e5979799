//! Systems of the shop are notified of what happens to orders: signed, at least once, in order, and
//! whatever the receiver does.

mod commands;
mod failing;
mod late;
mod receiver;
mod taken_over;

use std::collections::BTreeSet;

use domain::ids::OrderId;
use event_store::EventStore;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use self::receiver::{Answers, Receiver, Told};
use crate::process::until;
use crate::world::{World, order};

/// A workflow that needs no participant. Four notifications follow from each order of it.
const WORKFLOW: &str = "
workflow: told
version: 1
participants: {}
steps:
  first: { wait: 1ms, sets-status: First }
  second: { after: [first], wait: 1ms, sets-status: Second }
";
/// How many notifications follow from an order of it.
const EACH: usize = 4;

/// Status and body of a request about webhooks. `base` is that of a command handler.
async fn manage(base: &str, method: Method, below: &str, body: Option<&Value>) -> (u16, Value) {
    let request = Client::new().request(method, format!("{base}/webhooks{below}"));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await.unwrap();
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// What follows from the events of orders alone, on a machine of any speed.
const TOPICS: [&str; 5] =
    ["order.placed", "order.status_changed", "order.ended", "order.stuck", "order.approval_wanted"];

/// Has a receiver notified. Returns the id of the webhook.
async fn subscribe(base: &str, receiver: &Receiver, more: &Value) -> String {
    let mut body = json!({ "url": receiver.url(), "events": TOPICS });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, made) = manage(base, Method::POST, "", Some(&body)).await;
    assert_eq!(status, 201, "{made}");
    receiver.trust(made["secret"].as_str().unwrap());
    made["id"].as_str().unwrap().to_owned()
}

/// Places orders of the workflow, one after another.
async fn place(base: &str, ids: impl IntoIterator<Item = String>) {
    let http = Client::new();
    for id in ids {
        let placed = http.post(format!("{base}/orders")).json(&order(&id, "told", "11", 1)).send().await.unwrap();
        assert_eq!(placed.status().as_u16(), 202, "{}", placed.text().await.unwrap());
    }
}

async fn register(base: &str) {
    let request = Client::new().post(format!("{base}/workflows")).header("content-type", "application/yaml");
    let registered = request.body(WORKFLOW).send().await.unwrap();
    assert!(registered.status().is_success(), "{}", registered.text().await.unwrap());
}

/// What the log says that a receiver has to get.
async fn told_by(log: &str) -> BTreeSet<Told> {
    let mut history = EventStore::connect(log).unwrap().history(None);
    let mut told = BTreeSet::new();
    while let Some(record) = history.next().await.unwrap() {
        let event = record.event;
        let Some(order) = OrderId::from_stream(&event.stream) else { continue };
        let kind = match event.event_type.as_str() {
            "OrderPlaced" => "order.placed",
            "StatusChanged" => "order.status_changed",
            "OrderCompleted" | "OrderCanceled" => "order.ended",
            _ => continue,
        };
        told.insert((order.to_string(), event.revision, kind.to_owned()));
    }
    told
}

/// A world in which a notification is given up after so many seconds.
async fn world(retry_seconds: &str) -> World {
    let world = World::with(&["--webhook-retry-seconds", retry_seconds, "--webhook-timeout-seconds", "2"]).await;
    register(&world.base).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_of_an_order_arrives_once_signed_and_in_order() {
    let world = world("60").await;
    let receiver = Receiver::start();
    // What happened before is not sent.
    place(&world.base, ["before".to_owned()]).await;
    world.comes_to("before", "Second", "COMPLETED").await;
    let id = subscribe(&world.base, &receiver, &json!({})).await;
    place(&world.base, (0..20).map(|number| format!("T{number}"))).await;
    until("everything arrived", async || receiver.accepted().len() == 20 * EACH).await;
    let expected: BTreeSet<Told> =
        told_by(&world.log).await.into_iter().filter(|(order, ..)| order != "before").collect();
    assert_eq!(receiver.accepted(), expected);
    assert_eq!(receiver.out_of_order(), [] as [String; 0]);
    receiver.seen(|seen| {
        assert_eq!((seen.wrong_signatures, seen.signatures), (0, 1));
        assert_eq!(seen.accepted.len(), expected.len(), "nothing arrives twice while nothing fails");
        let data = &seen.last["data"];
        assert_eq!((data["workflow"].as_str(), data["customerId"].as_str()), (Some("told"), Some("VINET")));
        let text = seen.last.to_string();
        assert!(!text.contains("Chevalier") && !text.contains("vinet.example"), "{text}");
    });
    // The link leads to the order.
    let url = receiver.seen(|seen| seen.last["data"]["url"].as_str().unwrap().to_owned());
    assert_eq!(reqwest::get(url).await.unwrap().status().as_u16(), 200);
    let (status, shown) = manage(&world.base, Method::GET, &format!("/{id}"), None).await;
    assert_eq!((status, &shown["enabled"], shown.get("secret")), (200, &json!(true), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_what_it_names_and_nothing_after_it_is_deleted() {
    let world = world("60").await;
    let (ends, other, gone) = (Receiver::start(), Receiver::start(), Receiver::start());
    subscribe(&world.base, &ends, &json!({ "events": ["order.ended"], "workflow": "told" })).await;
    subscribe(&world.base, &other, &json!({ "workflow": "another" })).await;
    let deleted = subscribe(&world.base, &gone, &json!({})).await;
    let (status, _) = manage(&world.base, Method::DELETE, &format!("/{deleted}"), None).await;
    assert_eq!(status, 204);
    until("it is not listed", async || {
        manage(&world.base, Method::GET, "", None).await.1["webhooks"].as_array().unwrap().len() == 2
    })
    .await;
    place(&world.base, (0..5).map(|number| format!("T{number}"))).await;
    until("all ends arrive", async || ends.accepted().len() == 5).await;
    assert!(ends.accepted().iter().all(|(_, _, kind)| kind == "order.ended"));
    assert!(other.accepted().is_empty() && gone.accepted().is_empty());
    let again = manage(&world.base, Method::DELETE, &format!("/{deleted}"), None).await;
    assert_eq!((again.0, &again.1["detail"]), (404, &json!("no such webhook")));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_rotated_both_sign_and_neither_is_in_the_log() {
    let world = world("60").await;
    let receiver = Receiver::start();
    let id = subscribe(&world.base, &receiver, &json!({})).await;
    let rotate = async |body: Value| {
        let (status, rotated) = manage(&world.base, Method::POST, &format!("/{id}/rotate"), Some(&body)).await;
        assert_eq!(status, 200, "{rotated}");
        rotated["secret"].as_str().unwrap().to_owned()
    };
    let second = rotate(json!({})).await;
    let test = async || manage(&world.base, Method::POST, &format!("/{id}/test"), None).await;
    // The receiver still has the first secret.
    let (status, tested) = test().await;
    assert_eq!((status, &tested["delivered"], &tested["status"]), (200, &json!(true), &json!(204)), "{tested}");
    receiver.seen(|seen| assert_eq!((seen.signatures, seen.wrong_signatures), (2, 0)));
    receiver.trust_only(&second);
    test().await;
    receiver.seen(|seen| {
        assert_eq!(
            (seen.wrong_signatures, &*seen.others),
            (0, &["webhook.test".to_owned(), "webhook.test".to_owned()][..])
        );
    });
    // At once: the earlier one is known to others.
    let third = rotate(json!({ "earlierForSeconds": 0 })).await;
    test().await;
    receiver.seen(|seen| assert_eq!((seen.signatures, seen.wrong_signatures), (1, 1)));
    receiver.trust_only(&third);
    place(&world.base, ["T".to_owned()]).await;
    until("the order arrives", async || receiver.accepted().len() == EACH).await;
    let mut history = EventStore::connect(&world.log).unwrap().history(None);
    let mut of_webhook = 0;
    while let Some(record) = history.next().await.unwrap() {
        let event = record.event;
        of_webhook += u32::from(event.stream == format!("webhook-{id}"));
        let written = [&event.data[..], &event.metadata[..]].concat();
        assert!(!String::from_utf8_lossy(&written).contains("whsec_"), "{}", event.event_type);
    }
    assert_eq!(of_webhook, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_sent_nothing_more_until_it_is_enabled_again() {
    let world = world("60").await;
    let receiver = Receiver::start();
    let id = subscribe(&world.base, &receiver, &json!({})).await;
    receiver.answer(Answers::Status(410));
    place(&world.base, ["T1".to_owned()]).await;
    let shown = async || manage(&world.base, Method::GET, &format!("/{id}"), None).await.1;
    until("it is disabled", async || shown().await["enabled"] == false).await;
    assert_eq!(shown().await["disabledBecause"], "the endpoint answered 410 Gone");
    receiver.answer(Answers::Ok);
    place(&world.base, ["T2".to_owned()]).await;
    world.comes_to("T2", "Second", "COMPLETED").await;
    assert!(receiver.accepted().is_empty());
    let change = json!({ "url": receiver.url(), "events": TOPICS });
    let (status, enabled) = manage(&world.base, Method::PUT, &format!("/{id}"), Some(&change)).await;
    assert_eq!((status, &enabled["enabled"]), (200, &json!(true)));
    until("everything arrived", async || receiver.accepted().len() == 2 * EACH).await;
    assert_eq!(receiver.accepted(), told_by(&world.log).await);
    assert_eq!(receiver.out_of_order(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_a_changed_url_is_tried_at_once() {
    let world = world("600").await;
    let (moved, there) = (Receiver::start(), Receiver::start());
    let id = subscribe(&world.base, &moved, &json!({})).await;
    moved.answer(Answers::Redirect(there.url()));
    place(&world.base, (0..8).map(|number| format!("T{number}"))).await;
    until("it was tried", async || moved.seen(|seen| seen.attempts.len()) >= 5).await;
    assert!(there.seen(|seen| seen.attempts.is_empty()));
    there.trust(&moved.secret());
    let change = json!({ "url": there.url(), "events": TOPICS });
    assert_eq!(manage(&world.base, Method::PUT, &format!("/{id}"), Some(&change)).await.0, 200);
    until("everything arrived", async || there.accepted().len() == 8 * EACH).await;
    there.seen(|seen| assert_eq!(seen.wrong_signatures, 0));
}

//! Receivers that fail for ever, or are slow.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::{Answers, Receiver};
use super::{EACH, TOPICS, manage, place, subscribe, told_by, world};
use crate::parts::Parts;
use crate::process::until;

/// The dead letters of a webhook.
async fn dead(base: &str, id: &str) -> Vec<Value> {
    let (status, letters) = manage(base, Method::GET, &format!("/{id}/dead-letters"), None).await;
    assert_eq!(status, 200, "{letters}");
    letters["deadLetters"].as_array().unwrap().clone()
}

async fn figure(base: &str, name: &str) -> f64 {
    let metrics = reqwest::get(format!("{base}/metrics")).await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_never_takes_becomes_a_dead_letter_holds_back_nothing_and_is_replayed() {
    let world = world("2").await;
    let receiver = Receiver::start();
    let id = subscribe(&world.base, &receiver, &json!({})).await;
    receiver.answer(Answers::StatusFor("T1".to_owned(), 500));
    place(&world.base, ["T1".to_owned()]).await;
    // Meanwhile others arrive, until each event of the first order was given up in its turn.
    let mut placed = 0;
    while dead(&world.base, &id).await.len() < EACH {
        placed += 1;
        place(&world.base, [format!("U{placed}")]).await;
        let told = placed * EACH;
        until("the others arrive", async || receiver.accepted().len() == told).await;
    }
    let letters = dead(&world.base, &id).await;
    let revisions: Vec<u64> = letters.iter().map(|letter| letter["revision"].as_u64().unwrap()).collect();
    assert!(revisions.is_sorted() && letters.iter().all(|letter| letter["orderId"] == "T1"), "{letters:?}");
    let attempts = receiver.seen(|seen| seen.attempts[letters[0]["messageId"].as_str().unwrap()]);
    assert_eq!(letters[0]["attempts"], attempts);
    assert!((2..=10).contains(&attempts), "ten, as the standard has it, or fewer on a slow machine: {attempts}");
    assert_eq!(letters[0]["error"], "the endpoint answered 500 Internal Server Error");
    assert!((figure(&world.base, "tenuto_webhook_dead_letters ").await - 4.0).abs() < f64::EPSILON);

    receiver.answer(Answers::Ok);
    let replay = async |body: Value| manage(&world.base, Method::POST, &format!("/{id}/replay"), Some(&body)).await;
    let one = json!({ "orderId": "T1", "revision": revisions[0] });
    assert_eq!(replay(one).await, (202, json!({ "replayed": 1, "more": false })));
    until("it arrives", async || receiver.accepted().len() == placed * EACH + 1).await;
    until("one is dead no more", async || dead(&world.base, &id).await.len() == EACH - 1).await;
    let later = json!({ "from": "2100-01-01T00:00:00Z" });
    assert_eq!(replay(later).await, (202, json!({ "replayed": 0, "more": false })));
    assert_eq!(replay(json!({ "to": "2100-01-01T00:00:00Z" })).await.1["replayed"], 3);
    until("everything arrived", async || receiver.accepted().len() == (placed + 1) * EACH).await;
    until("none is dead", async || dead(&world.base, &id).await.is_empty()).await;
    assert_eq!(receiver.accepted(), told_by(&world.log).await);
    receiver.seen(|seen| assert_eq!(seen.wrong_signatures, 0));
    crate::many::views::equal_the_log(&world.log, world.database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_takes_nothing_is_disabled_and_nothing_is_lost() {
    let world = world("2").await;
    let receiver = Receiver::start();
    let id = subscribe(&world.base, &receiver, &json!({})).await;
    receiver.answer(Answers::Status(500));
    place(&world.base, (0..10).map(|number| format!("T{number}"))).await;
    let shown = async || manage(&world.base, Method::GET, &format!("/{id}"), None).await.1;
    until("it is disabled", async || shown().await["enabled"] == false).await;
    until("the figures say so", async || {
        (figure(&world.base, "tenuto_webhooks_disabled ").await - 1.0).abs() < f64::EPSILON
    })
    .await;
    receiver.answer(Answers::Ok);
    let change = json!({ "url": receiver.url(), "events": TOPICS });
    assert_eq!(manage(&world.base, Method::PUT, &format!("/{id}"), Some(&change)).await.0, 200);
    let (status, replayed) =
        manage(&world.base, Method::POST, &format!("/{id}/replay"), Some(&json!({ "all": true }))).await;
    assert_eq!(status, 202, "{replayed}");
    until("everything arrived", async || receiver.accepted().len() == 10 * EACH).await;
    assert_eq!(receiver.accepted(), told_by(&world.log).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_endpoint_delays_no_other_and_no_order() {
    let world = world("600").await;
    let (slow, fast) = (Receiver::start(), Receiver::start());
    slow.answer(Answers::Slow(Duration::from_millis(1_500)));
    for receiver in [&slow, &fast] {
        subscribe(&world.base, receiver, &json!({})).await;
    }
    place(&world.base, (0..60).map(|number| format!("T{number}"))).await;
    until("the fast one has all", async || fast.accepted().len() == 60 * EACH).await;
    assert!(slow.accepted().len() < 60 * EACH, "the slow one is behind");
    slow.answer(Answers::Ok);
    until("the slow one, too", async || slow.accepted().len() == 60 * EACH).await;
    assert_eq!(slow.out_of_order(), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rule_only_the_public_internet_is_reached() {
    let parts = Parts::new().await;
    let (_handler, orders) = parts.handler();
    let base = orders.trim_end_matches("/orders");
    for url in ["http://127.0.0.1:9/", "https://10.0.0.1/hooks", "https://[::1]/", "https://169.254.169.254/"] {
        let (status, refused) = manage(base, Method::POST, "", Some(&json!({ "url": url }))).await;
        assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/url")), "{url}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains("--webhook-hosts"), "{url}: {refused}");
    }
    // A name is resolved when a connection is opened to it.
    let named = json!({ "url": "https://localhost:9/" });
    let (status, made) = manage(base, Method::POST, "", Some(&named)).await;
    assert_eq!(status, 201, "{made}");
    let test = format!("/{}/test", made["id"].as_str().unwrap());
    let (status, tested) = manage(base, Method::POST, &test, None).await;
    assert_eq!((status, &tested["delivered"]), (200, &json!(false)));
    assert!(tested["error"].as_str().unwrap().contains("--webhook-hosts"), "{tested}");
}

//! Scripted faults.

use std::time::{Duration, Instant};

use participants::Options;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, options, until};

fn charge_input() -> Value {
    json!({ "amount": "1.00", "currency": "EUR" })
}

async fn script(world: &World, fault: Value) {
    let mut whole = json!({ "participant": "payments", "action": "charge" });
    whole.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
    let scripted = world.post("/faults", json!([whole])).await;
    assert_eq!(scripted.status, 200, "{}", scripted.text);
}

async fn charges(world: &World) -> i64 {
    world.count("SELECT count(*) FROM participant_payments.charges").await
}

#[tokio::test]
async fn an_action_answers_as_scripted_for_the_scripted_number_of_calls() {
    let world = World::start().await;
    script(&world, json!({ "respond": { "status": 503, "detail": "closed for stocktaking" }, "times": 2 })).await;
    let charge = world.ask("payments.charge", "1", charge_input());
    for _ in 0..2 {
        let struck = charge.send().await;
        assert_eq!((struck.status, struck.media_type.as_str()), (503, "application/problem+json"));
        assert_eq!(struck.body["detail"], "closed for stocktaking");
        assert_eq!(charges(&world).await, 0);
    }
    assert_eq!(charge.outcome().await, "charged");
    assert_eq!(world.get("/faults").await.body, json!([]));
}

#[tokio::test]
async fn a_fault_without_a_limit_lasts_until_it_is_deleted() {
    let world = World::start().await;
    script(&world, json!({ "action": "refund", "respond": { "status": 400 } })).await;
    assert_eq!(world.ask("payments.charge", "1", charge_input()).outcome().await, "charged");
    for n in 0..5 {
        assert_eq!(world.ask("payments.refund", "1", json!({})).key(&n.to_string()).send().await.status, 400);
    }
    assert_eq!(world.request(Method::DELETE, "/faults").send().await.unwrap().status(), 204);
    assert_eq!(world.ask("payments.refund", "1", json!({})).outcome().await, "refunded");
}

#[tokio::test]
async fn an_answer_lost_after_the_effect_comes_with_the_repetition() {
    let world = World::start().await;
    script(&world, json!({ "loseAnswer": true, "times": 1 })).await;
    script(&world, json!({ "crash": "after", "times": 1 })).await;
    let charge = world.ask("payments.charge", "1", charge_input());
    assert_eq!(charge.send().await.status, 503);
    assert_eq!(charges(&world).await, 1);
    assert!(charge.request().send().await.is_err());
    assert_eq!(charge.outcome().await, "charged");
    assert_eq!(world.get("/payments/totals").await.body[0]["charged"], "1.00");
    let audit = world.get("/audit/repeats").await.body;
    assert_eq!(audit, json!([{ "participant": "payments", "action": "charge", "handled": 1, "repeated": 2 }]));
}

#[tokio::test]
async fn a_crash_before_the_effect_breaks_the_connection_and_has_no_effect() {
    let world = World::start().await;
    script(&world, json!({ "crash": "before", "times": 1 })).await;
    let charge = world.ask("payments.charge", "1", charge_input());
    assert!(charge.request().send().await.is_err());
    assert_eq!(charges(&world).await, 0);
    assert_eq!(charge.outcome().await, "charged");
}

#[tokio::test]
async fn a_delay_alone_lets_the_call_succeed_late() {
    let world = World::start().await;
    script(&world, json!({ "delayMs": 100, "times": 1 })).await;
    let began = Instant::now();
    assert_eq!(world.ask("payments.charge", "1", charge_input()).outcome().await, "charged");
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_fault_with_a_duration_ends_after_it() {
    let world = World::start().await;
    script(&world, json!({ "respond": { "status": 500 }, "forMs": 300 })).await;
    let charge = world.ask("payments.charge", "1", charge_input());
    assert_eq!(charge.send().await.status, 500);
    until("the fault to be over", async || charge.send().await.status == 200).await;
}

#[tokio::test]
async fn an_invalid_fault_is_refused_with_its_field() {
    let world = World::start().await;
    let wrong = [
        (json!({ "participant": "billing", "respond": { "status": 500 } }), "/0/participant"),
        (json!({ "action": "ship", "respond": { "status": 500 } }), "/0/action"),
        (json!({ "respond": { "status": 200 } }), "/0/respond/status"),
        (json!({ "delayMs": 3_600_000 }), "/0/delayMs"),
        (json!({ "respond": { "status": 500 }, "times": 0 }), "/0/times"),
        (json!({ "respond": { "status": 500 }, "rate": 1.5 }), "/0/rate"),
        (json!({ "respond": { "status": 500 }, "loseAnswer": true }), "/0/"),
        (json!({}), "/0/"),
        (json!({ "explode": true }), ""),
    ];
    for (fields, pointer) in wrong {
        let mut fault = json!({ "participant": "payments", "action": "charge" });
        fault.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let refused = world.post("/faults", json!([fault])).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (422, &json!(pointer)), "{fault}");
    }
    assert_eq!(world.get("/faults").await.body, json!([]));
}

#[tokio::test]
async fn without_scripted_faults_the_path_does_not_exist() {
    let world = World::with(Options { scripted_faults: false, ..options() }).await;
    assert_eq!(world.get("/faults").await.status, 404);
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_with_retry_after() {
    let world = World::with(Options { requests_in_flight_max: 1, ..options() }).await;
    script(&world, json!({ "delayMs": 60_000, "times": 1 })).await;
    let charge = world.ask("payments.charge", "1", charge_input());
    let slow = tokio::spawn(charge.request().send());
    until("the slow call to be inside", async || world.get("/faults").await.body == json!([])).await;
    let refused = charge.request().send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    slow.abort();
    until("the door to be open", async || world.get("/payments/totals").await.status == 200).await;
}

//! What an author asks a server about a definition: a backtest and a test, over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::access::Guarded;
use crate::world::{World, order};

const BACKTEST: &str = "/workflows/backtest";
const TEST: &str = "/workflows/test";

fn workflow(name: &str) -> String {
    std::fs::read_to_string(format!("{}/workflows/{name}.yaml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The lines of an answer.
async fn lines(world: &World, path: &str, body: &Value) -> Vec<Value> {
    let response = world.http.post(format!("{}{path}", world.base)).json(body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{body}");
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The last line of an answer, which has to be the only one with an end.
async fn result(world: &World, path: &str, body: &Value) -> Value {
    let mut lines = lines(world, path, body).await;
    let last = lines.pop().unwrap();
    assert!(lines.iter().all(|line| line["state"] == "running"), "{lines:?}");
    assert_ne!(last["state"], "running", "{last}");
    last
}

/// Two orders are shipped, and one has to wait for its goods.
async fn with_orders() -> World {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 2 }])).await;
    for id in ["A", "B"] {
        world.place(&order(id, "order-fulfilment", "11", 1)).await;
        world.comes_to(id, "Shipped", "COMPLETED").await;
    }
    world.place(&order("C", "order-fulfilment", "11", 3)).await;
    world.comes_to("C", "BackOrdered", "WAITING").await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_which_past_orders_another_definition_would_change_where_and_what_they_are_worth() {
    let world = with_orders().await;
    let text = workflow("order-fulfilment-without-backorder");
    let tried = result(&world, BACKTEST, &json!({ "text": text })).await;
    let counts = ["orders", "same", "differs", "unknown", "percent"].map(|name| tried[name].as_u64().unwrap());
    assert_eq!((&tried["state"], counts), (&json!("done"), [3, 2, 1, 0, 100]), "{tried}");
    let at = &tried["differsAt"][0];
    assert_eq!((&at["step"], &at["orders"]), (&json!("ship"), &json!(1)), "{tried}");
    let example = &at["examples"][0];
    assert_eq!((&example["order"], &example["endedThen"]["status"]), (&json!("C"), &json!("BackOrdered")), "{example}");
    assert!(example["then"][0].as_str().unwrap().contains("backordered"), "{example}");
    let ends = &tried["ends"];
    assert_eq!(ends[0]["totals"], json!([{ "currency": "EUR", "amount": "42.00" }]), "{tried}");
    assert_eq!((&ends[0]["then"]["status"], &ends[0]["now"]["status"]), (&json!("BackOrdered"), &json!("Placed")));

    let shipped = json!({ "text": text, "where": { "status": ["Shipped"] } });
    let tried = result(&world, BACKTEST, &shipped).await;
    assert_eq!((&tried["orders"], &tried["same"]), (&json!(2), &json!(2)), "{tried}");
    let own = json!({ "workflow": { "name": "order-fulfilment", "version": 1 } });
    let tried = result(&world, BACKTEST, &own).await;
    assert_eq!((&tried["orders"], &tried["same"]), (&json!(3), &json!(3)), "{tried}");

    // Nothing was recorded, and no one was asked.
    world.comes_to("C", "BackOrdered", "WAITING").await;
    let replayed = world.order("C", "timeline { nodes { type } }").await;
    assert!(!replayed.to_string().contains("OrderCanceled"), "{replayed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tests_a_definition_against_every_fault_and_shows_the_cases_that_end_wrong() {
    let world = World::new().await;
    let lines = lines(&world, TEST, &json!({ "workflow": { "name": "order-parallel", "version": 1 } })).await;
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["state"], &last["wrong"], &last["neverBegun"]),
        (&json!("done"), &json!(0), &json!([])),
        "{last}"
    );
    assert!(last["cases"].as_u64().unwrap() > 1000, "{last}");
    let progress: Vec<u64> = lines.iter().filter_map(|line| line["cases"].as_u64()).collect();
    assert!(progress.is_sorted() && progress.len() > 1, "{progress:?}");

    let text = "workflow: w
version: 1
participants: { p: { url: 'http://p' } }
steps:
  a: { call: p.a }
  b: { after: [a], call: p.b, when: steps.a.data.score > 5 }";
    let tested = result(&world, TEST, &json!({ "text": text })).await;
    assert!(tested["wrong"].as_u64().unwrap() > 0 && tested["state"] == "done", "{tested}");
    let failure = &tested["failures"][0];
    assert!(failure["wrong"].to_string().contains("`when` has no answer"), "{failure}");
    assert!(failure["history"][0].as_str().unwrap().contains("Placed"), "{failure}");
    let right = result(&world, TEST, &json!({ "text": text, "data": { "a": { "score": 7 } } })).await;
    assert_eq!((&right["wrong"], &right["neverBegun"]), (&json!(0), &json!([])), "{right}");
    let never = text.replace("a: { call: p.a }", "a: { call: p.a, when: order.currency == 'XXX' }");
    let failed = result(&world, TEST, &json!({ "text": never })).await;
    assert!(
        failed["state"] == "failed" && failed["reason"].as_str().unwrap().contains("nothing was tested"),
        "{failed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_refused_with_the_place_of_each_fault() {
    let world = World::new().await;
    for path in [BACKTEST, TEST] {
        for (body, pointer) in [
            (json!({}), "/text"),
            (json!({ "text": "workflow: w\nversion: one" }), "line 2, column 10"),
            (json!({ "workflow": { "name": "order-fulfilment", "version": 99 } }), "/workflow"),
        ] {
            let (status, problem) = world.post(path, &body).await;
            let pointers = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]);
            assert!(status == 422 && pointers.into_iter().any(|found| found == pointer), "{path} {body}: {problem}");
        }
        let (status, problem) = world.get(path).await;
        assert!(status == 405 && problem["detail"].as_str().unwrap().contains("GET is not allowed"), "{problem}");
    }
    let answers = json!({ "text": workflow("order-fulfilment"), "answers": "answers: { ship: [{}] }" });
    assert_eq!(world.post(BACKTEST, &answers).await.0, 422);
}

/// A chain of steps: a test of it runs until its time limit.
fn long_workflow() -> String {
    let steps = (1..100).map(|step| format!("  s{step}: {{ after: [s{}], call: p.a, undo: p.b }}\n", step - 1));
    let steps: String = steps.collect();
    format!(
        "workflow: long\nversion: 1\nparticipants: {{ p: {{ url: 'http://p' }} }}\nsteps:\n  s0: {{ call: p.a, undo: p.b }}\n{steps}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_has_one_test_under_way_until_it_goes_away() {
    let guarded = Guarded::new().await;
    let begin = async |who: &str| {
        let token = guarded.issuer.token(who, "author");
        guarded.ask(reqwest::Method::POST, TEST, Some(&token), Some(&json!({ "text": long_workflow() }))).await
    };
    let mut first = begin("ann").await;
    assert_eq!(first.status(), StatusCode::OK);
    assert!(String::from_utf8_lossy(&first.chunk().await.unwrap().unwrap()).contains("\"running\""));
    let refused = begin("ann").await;
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
    let other = begin("bob").await;
    assert_eq!(other.status(), StatusCode::OK);
    let third = begin("cleo").await;
    assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop((first, other));
    crate::process::until("both turns are free again", async || {
        let (ann, cleo) = (begin("ann").await, begin("cleo").await);
        ann.status() == StatusCode::OK && cleo.status() == StatusCode::OK
    })
    .await;
}

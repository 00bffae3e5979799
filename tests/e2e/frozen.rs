//! A log that does not answer: each query that reads it gets the same error within five seconds.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::parts::Parts;
use crate::process::until;
use crate::world::order;

/// Five seconds, with a margin for a busy machine. Without a bound a query takes ten seconds and
/// more.
const BOUND: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_read_a_frozen_log_fail_in_time_with_the_reason() {
    let parts = Parts::new().await;
    let ((_handler, orders), (_queries, base)) = (parts.handler(), parts.queries());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let placed = http.post(&orders).json(&order("1", "order-parallel", "11", 1)).send().await.unwrap();
    assert_eq!(placed.status().as_u16(), 202);
    let ask = async |query: &str| -> (Value, Duration) {
        let begun = Instant::now();
        let asked = http.post(format!("{base}/graphql")).json(&json!({ "query": query })).send().await.unwrap();
        (asked.json().await.unwrap(), begun.elapsed())
    };
    let as_of = "{ order(id: \"1\", atRevision: 0) { id timeline { nodes { revision } } } }";
    until("the order can be asked for, now and as it was", async || {
        let now = ask("{ order(id: \"1\") { id } }").await.0;
        now["data"]["order"]["id"] == "1" && ask(as_of).await.0["data"]["order"]["id"] == "1"
    })
    .await;

    parts.node.signal(Signal::STOP);
    let many: Vec<_> = (0..40).map(|n| format!("a{n}: order(id: \"1\", atRevision: {n}) {{ id }}")).collect();
    let many = format!("{{ {} }}", many.join(" "));
    let moment = "{ order(id: \"1\", asOf: \"2100-01-01T00:00:00Z\") { id } now: order(id: \"1\") { id } }";
    for query in [as_of, moment, many.as_str()] {
        let (answer, took) = ask(query).await;
        assert!(took < BOUND, "{query}: {took:?}");
        let errors = answer["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["extensions"]["code"] == "UNAVAILABLE"), "{answer}");
        assert!(errors[0]["message"].as_str().unwrap().contains("the log is unavailable"), "{answer}");
        assert!(query != moment || answer["data"]["now"]["id"] == "1", "the views answer as before: {answer}");
    }
    // The lag cannot be measured. The rest is answered.
    let far = u64::MAX;
    let behind = format!("{{ order(id: \"1\", freshness: {{position: \"{far}\", waitMs: 100}}) {{ id }} }}");
    let (answer, took) = ask(&behind).await;
    assert!(took < BOUND && answer["errors"][0]["extensions"]["code"] == "VIEWS_BEHIND", "{took:?}: {answer}");
    let lags = (0..6).map(|_| ask("{ overview { lag { logPosition seconds } } }"));
    for (answer, took) in futures::future::join_all(lags).await {
        assert!(took < BOUND, "{took:?}: {answer}");
    }
    let begun = Instant::now();
    let unknown = http.get(format!("{base}/orders/unknown")).send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 404);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());

    parts.node.signal(Signal::CONT);
    until("it is answered again", async || ask(as_of).await.0["data"]["order"]["id"] == "1").await;
}

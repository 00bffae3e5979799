//! Read your writes: a query that names a command's position sees everything that the command
//! wrote.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::parts::Parts;
use crate::process::{from_environment, until};
use crate::world::{World, order};

/// Concurrent clients.
const CLIENTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_names_the_position_sees_the_order_as_soon_as_it_was_placed() {
    let orders = usize::try_from(from_environment("TENUTO_FRESH_ORDERS", 2_000)).unwrap();
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": orders }])).await;
    let asked: Vec<Asked> =
        stream::iter(0..orders).map(|number| place_and_ask(&world, number)).buffer_unordered(CLIENTS).collect().await;
    assert_eq!(asked.len(), orders);
    let (fresh, usual) = (asked.iter().map(|asked| asked.fresh), asked.iter().map(|asked| asked.usual));
    let added = asked.iter().map(|asked| asked.fresh.saturating_sub(asked.usual));
    let waited = asked.iter().filter(|asked| asked.missing).count();
    let sampled = orders.div_ceil(20);
    println!(
        "{orders} orders placed and asked for, none stale; without a position, {waited} of {sampled} were not seen"
    );
    println!("with the position {}, without {}, added {}", spread(fresh), spread(usual), spread(added));
}

/// How long the queries for one order took.
struct Asked {
    /// With the position.
    fresh: Duration,
    /// The same, right after, without one.
    usual: Duration,
    /// Whether a query without a position did not see the order, at the same moment.
    missing: bool,
}

/// Every second order is queried in a list.
async fn place_and_ask(world: &World, number: usize) -> Asked {
    let id = format!("fresh-{number}");
    let mut request = order(&id, "order-fulfilment", "11", 1);
    request["customer"]["id"] = json!(format!("C{number}"));
    let receipt = world.place(&request).await;
    let position = receipt["position"].as_str().unwrap();
    let ask = async |freshness: &str| {
        let fields = "id position revision timeline(first: 200) { nodes { revision } }";
        let start = Instant::now();
        let order = if number.is_multiple_of(2) {
            world.query(&format!("{{ order(id: {id:?} {freshness}) {{ {fields} }} }}")).await["order"].take()
        } else {
            let list =
                format!("{{ orders(where: {{customer: \"C{number}\"}} {freshness}) {{ nodes {{ {fields} }} }} }}");
            world.query(&list).await["orders"]["nodes"][0].take()
        };
        (start.elapsed(), order)
    };
    let freshness = format!(", freshness: {{position: {position:?}, waitMs: 20000}}");
    // At the same moment, for a sample of the orders: whether a query without a position sees the
    // order.
    let sample = async || number.is_multiple_of(20) && world.order(&id, "id").await.is_null();
    let ((fresh, seen), missing) = tokio::join!(ask(&freshness), sample());
    let (usual, _) = ask("").await;
    assert_eq!(seen["id"], json!(id), "the order is missing at {receipt}: {seen}");
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    assert!(number(&seen["position"]) >= number(&receipt["position"]), "stale: {receipt}, {seen}");
    assert!(seen["revision"].as_u64() >= receipt["revision"].as_u64(), "stale: {receipt}, {seen}");
    let entries = seen["timeline"]["nodes"].as_array().unwrap().len() as u64;
    assert_eq!(entries, seen["revision"].as_u64().unwrap() + 1, "a mix: {seen}");
    Asked { fresh, usual, missing }
}

fn spread(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    format!("p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", at(50), at(99), at(100))
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_are_behind_report_it_everywhere_and_miss_nothing_after_catching_up() {
    let parts = Parts::without_projector().await;
    let (_handler, orders) = parts.handler();
    let (_queries, base) = parts.queries();
    let http = reqwest::Client::new();
    let placed = http.post(&orders).json(&order("1", "order-fulfilment", "11", 1)).send().await.unwrap();
    let receipt: Value = placed.json().await.unwrap();
    let position = receipt["position"].as_str().unwrap();
    let ask = async |wait: u32| {
        let query = format!(
            "{{ order(id: \"1\", freshness: {{position: {position:?}, waitMs: {wait}}}) {{ id }} overview {{ lag {{ seconds }} }} }}"
        );
        let asked = http.post(format!("{base}/graphql")).json(&json!({ "query": query })).send().await.unwrap();
        asked.json::<Value>().await.unwrap()
    };
    let get = async |url: String| http.get(url).send().await.unwrap().text().await.unwrap();
    let handler = orders.trim_end_matches("/orders").to_owned();

    let answer = ask(100).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["code"], &extensions["wantedPosition"]),
        (&json!("VIEWS_BEHIND"), &json!(position)),
        "{answer}"
    );
    assert!(extensions["lagSeconds"].as_f64().unwrap() > 0.0 && extensions["logPosition"].is_string(), "{answer}");
    assert!(answer["data"]["overview"]["lag"]["seconds"].as_f64().unwrap() > 0.0, "{answer}");
    for role in [&base, &handler] {
        until("the lag shows", async || {
            figure(&get(format!("{role}/metrics")).await, "tenuto_views_lag_seconds") > 0.0
        })
        .await;
        let ready = get(format!("{role}/readyz")).await;
        assert!(ready.starts_with("ready\nviews: ") && ready.contains(" s behind the log (at nothing of "), "{ready}");
    }

    let _projector = parts.projector();
    let answer = ask(20_000).await;
    assert_eq!(answer["data"]["order"]["id"], "1", "{answer}");
    for role in [&base, &handler] {
        let caught_up = async || {
            let metrics = get(format!("{role}/metrics")).await;
            figure(&metrics, "tenuto_views_lag_seconds") == 0.0
                && figure(&metrics, "tenuto_views_position") >= position.parse::<f64>().unwrap()
        };
        until("nothing is missing", caught_up).await;
    }
}

fn figure(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}

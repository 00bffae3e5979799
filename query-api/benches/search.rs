//! The cost of a search in a large table, compared with the query of one order: `cargo bench -p
//! query-api`.
//!
//! Each filter in each sort is queried for its first 50 orders, through the router. The figures are
//! the 99th percentiles, as multiples of that of `order(id: …)`, which is queried in between.
//! `TENUTO_BENCH_ORDERS` is the number of orders (default: a million, which takes a minute to
//! create), `TENUTO_BENCH_ROUNDS` the number of times of each search (default: 200).

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::time::{Duration, Instant};

use access::Caller;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::{Extension, Router};
use event_store::EventStore;
use postgres_cluster::testing::database;
use query_api::Options;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tower::ServiceExt;

const SORTS: [&str; 8] = [
    "PLACED_AT_ASC",
    "PLACED_AT_DESC",
    "UPDATED_AT_ASC",
    "UPDATED_AT_DESC",
    "ENDED_AT_ASC",
    "ENDED_AT_DESC",
    "TOTAL_ASC",
    "TOTAL_DESC",
];
const ORDERS: &str = "query ($where: OrderFilter, $orderBy: OrderSort) {
    orders(where: $where, orderBy: $orderBy, first: 50) { nodes { id status } } }";
const ORDER: &str = "query ($id: ID!) { order(id: $id) { id status } }";

fn filters() -> Vec<Value> {
    let week = json!({ "from": "2025-03-03T00:00:00Z", "to": "2025-03-10T00:00:00Z" });
    vec![
        json!({}),
        json!({ "status": "Shipped" }),
        json!({ "status": ["BackOrdered", "Canceled"] }),
        json!({ "state": "WAITING" }),
        json!({ "state": ["RUNNING", "WAITING", "PAUSED", "STUCK"] }),
        json!({ "workflow": { "name": "order-fulfilment" } }),
        json!({ "workflow": { "name": "order-fulfilment", "version": 1 } }),
        json!({ "customer": "C2012" }),
        json!({ "customer": "GUEST" }),
        json!({ "sku": "S4711" }),
        json!({ "sku": "BAG" }),
        json!({ "sku": "NEW" }),
        json!({ "total": { "atLeast": "990" } }),
        json!({ "placedAt": week }),
        json!({ "updatedAt": week }),
        json!({ "endedAt": week }),
        json!({ "step": { "name": "ship", "status": "COMPLETED" } }),
        json!({ "step": { "name": "ship", "status": ["RETRYING", "STUCK"] } }),
        json!({ "stuckReason": "already settled" }),
        json!({ "attributes": { "path": "channel", "value": "web" } }),
        json!({ "attributes": { "path": ["campaign", "code"], "value": "K1" } }),
        json!({ "attributes": { "path": ["note", "text"] } }),
        json!({ "state": ["RUNNING", "WAITING"], "customer": "GUEST" }),
        json!({ "state": "COMPLETED", "workflow": { "name": "order-fulfilment", "version": 1 }, "sku": "BAG" }),
        json!({ "customer": "GUEST", "placedAt": week, "total": { "atLeast": "500" } }),
    ]
}

#[tokio::main]
async fn main() {
    // `cargo bench` passes `--bench`. A run that only lists or tests the targets measures nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let (orders, rounds) = (number("TENUTO_BENCH_ORDERS", 1_000_000), number("TENUTO_BENCH_ROUNDS", 200));
    let database = database().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    views::migrate(&pool).await.unwrap();
    let fill = include_str!("../../crates/views/tests/synthetic.sql").replace("$1", &orders.to_string());
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&pool).await.unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE) orders, steps").execute(&pool).await.unwrap();
    let log = EventStore::connect("esdb://127.0.0.1:1?tls=false").unwrap();
    let router = query_api::router(pool, log, &Options::default()).layer(Extension(Caller::Anyone));

    let searches: Vec<(Value, &str)> =
        filters().into_iter().flat_map(|filter| SORTS.map(|sort| (filter.clone(), sort))).collect();
    let mut took = vec![Vec::with_capacity(rounds); searches.len()];
    let mut looks = Vec::with_capacity(rounds * searches.len());
    for round in 0..=rounds {
        for (index, (filter, sort)) in searches.iter().enumerate() {
            let number = (round * searches.len() + index) * 7919 % orders + 1;
            let look = ask(&router, ORDER, json!({ "id": format!("o{number:09}") })).await;
            let search = ask(&router, ORDERS, json!({ "where": filter, "orderBy": sort })).await;
            // The first round warms up.
            if round > 0 {
                looks.push(look);
                took[index].push(search);
            }
        }
    }
    let look = percentile(&mut looks, 99);
    println!("{orders} orders; one of them by its id: median {:?}, p99 {look:?}", percentile(&mut looks, 50));
    println!("{:>9} {:>9} {:>6}  search", "median ms", "p99 ms", "times");
    let mut most: f64 = 0.0;
    for ((filter, sort), took) in searches.iter().zip(&mut took) {
        let (median, slow) = (percentile(took, 50), percentile(took, 99));
        let times = slow.as_secs_f64() / look.as_secs_f64();
        most = most.max(times);
        println!("{:>9.2} {:>9.2} {times:>6.1}  {sort} {filter}", milliseconds(median), milliseconds(slow));
    }
    println!("at most {most:.1} times a look at one order");
}

async fn ask(router: &Router, query: &str, variables: Value) -> Duration {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = Request::post("/graphql").header("content-type", "application/json").body(Body::from(body)).unwrap();
    let begun = Instant::now();
    let response = router.clone().oneshot(request).await.unwrap();
    let answer = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let took = begun.elapsed();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(answer.get("errors").is_none() && answer["data"].is_object(), "{variables}: {answer}");
    took
}

fn percentile(took: &mut [Duration], percent: usize) -> Duration {
    took.sort_unstable();
    took[(took.len() * percent).div_ceil(100) - 1]
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

//! Clients that place orders at a steady rate, and send an order again until it is acknowledged.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::process::LIMIT;
use crate::world::order;

const SKUS: [&str; 3] = ["11", "42", "72"];
/// The pause between two attempts, if the answer does not name one.
const PAUSE: Duration = Duration::from_millis(200);
/// How many clients come, and how they behave.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub per_second: u32,
    /// How many in a hundred never try twice.
    pub impatient: u32,
    /// Determines which clients these are.
    pub seed: u64,
}

/// Orders by two workflows for some goods.
pub fn orders(count: usize, seed: u64) -> Vec<Value> {
    let mut dice = StdRng::seed_from_u64(seed);
    let workflow = |waits| if waits { "order-fulfilment" } else { "order-fulfilment-without-backorder" };
    (0..count)
        .map(|number| {
            let waits = dice.random_ratio(2, 3);
            order(&format!("C{number:05}"), workflow(waits), SKUS[dice.random_range(0..3)], dice.random_range(1..=5))
        })
        .collect()
}

/// Stock for about two thirds of the orders.
pub fn stock_for(orders: &[Value]) -> Value {
    let wanted = |sku: &str| {
        let lines = orders.iter().map(|order| &order["lines"][0]).filter(|line| line["sku"] == sku);
        lines.map(|line| line["quantity"].as_u64().unwrap()).sum::<u64>()
    };
    SKUS.map(|sku| json!({ "sku": sku, "quantity": wanted(sku) * 2 / 3 })).into()
}

/// The answers that the clients received.
#[derive(Debug, Default)]
pub struct Placed {
    /// Orders that were acknowledged.
    pub acknowledged: BTreeSet<String>,
    /// Orders whose clients got a refusal, or no answer, and gave up.
    pub given_up: BTreeSet<String>,
    /// Answers that asked the client to try later.
    pub asked_later: usize,
    /// Requests without an answer.
    pub unanswered: usize,
}

/// One client and its order.
struct Client {
    http: reqwest::Client,
    url: String,
    order: Value,
    gives_up: bool,
}

/// Places the orders one after another, and waits until every client has finished.
pub async fn place(http: &reqwest::Client, base: &str, orders: &[Value], crowd: Crowd) -> Placed {
    let mut dice = StdRng::seed_from_u64(crowd.seed);
    let mut beat = tokio::time::interval(Duration::from_secs(1) / crowd.per_second);
    let mut clients = JoinSet::new();
    for order in orders {
        beat.tick().await;
        let gives_up = dice.random_ratio(crowd.impatient, 100);
        let client = Client { http: http.clone(), url: format!("{base}/orders"), order: order.clone(), gives_up };
        clients.spawn(client.place());
    }
    let mut placed = Placed::default();
    while let Some(one) = clients.join_next().await {
        let one = one.unwrap();
        placed.acknowledged.extend(one.acknowledged);
        placed.given_up.extend(one.given_up);
        placed.asked_later += one.asked_later;
        placed.unanswered += one.unanswered;
    }
    placed
}

impl Client {
    async fn place(self) -> Placed {
        let id = self.order["orderId"].as_str().unwrap().to_owned();
        let (begun, mut placed) = (Instant::now(), Placed::default());
        loop {
            let pause = match self.http.post(&self.url).json(&self.order).send().await {
                Ok(answer) if answer.status() == StatusCode::ACCEPTED => {
                    placed.acknowledged.insert(id);
                    return placed;
                }
                Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
                    placed.asked_later += 1;
                    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                    seconds.map_or(PAUSE, Duration::from_secs)
                }
                Ok(answer) => panic!("order {id}: {} {}", answer.status(), answer.text().await.unwrap_or_default()),
                Err(_) => {
                    placed.unanswered += 1;
                    PAUSE
                }
            };
            if self.gives_up {
                placed.given_up.insert(id);
                return placed;
            }
            assert!(begun.elapsed() < LIMIT, "order {id} was not accepted");
            tokio::time::sleep(pause).await;
        }
    }
}

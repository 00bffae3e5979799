//! Heavy queries during orders.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future;
use serde_json::json;

use crate::world::{World, order};

/// Clients that send heavy queries, one after another.
const CLIENTS: usize = 40;
/// Orders whose time is measured, with and without heavy queries.
const ORDERS: usize = 15;
/// How many times as long an order may take during heavy queries. The queries keep all cores busy.
/// Without admission control the factor is in the hundreds.
const MAX_RATIO: u32 = 40;
/// A shorter time counts as this one.
const LEAST: Duration = Duration::from_millis(50);
/// How long a client pauses after a 503.
const LATER: Duration = Duration::from_millis(100);

/// The second longest time from placing an order to its end. The longest may be due to a pause of
/// the machine.
async fn slowest(world: &World, name: &str) -> Duration {
    let mut times = Vec::new();
    for number in 0..ORDERS {
        let start = Instant::now();
        let id = format!("{name}{number}");
        world.place(&order(&id, "order-recorded", "11", 1)).await;
        let (status, head) = world.get(&format!("/orders/{id}?wait=30")).await;
        assert_eq!((status, &head["state"]), (200, &json!("COMPLETED")), "{head}");
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times[ORDERS - 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_heavy_queries_do_not_delay_an_order() {
    let world = World::with(&["--workflows", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workflows")]).await;
    for number in 0..200 {
        world.place(&order(&format!("R{number}"), "order-recorded", "11", 1)).await;
    }
    let alone = slowest(&world, "A").await;

    let aliases: Vec<String> = (0..400).map(|alias| format!("a{alias}:id")).collect();
    let heavy = json!({ "query": format!("{{orders(first:200){{nodes{{{}}}}}}}", aliases.join(" ")) });
    let (over, answered, later) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let client = async || {
        while !over.load(Ordering::Relaxed) {
            match world.post("/graphql", &heavy).await {
                (200, body) if body.get("errors").is_none() => drop(answered.fetch_add(1, Ordering::Relaxed)),
                (503, _) => {
                    later.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(LATER).await;
                }
                (status, body) => panic!("{status} {body}"),
            }
        }
    };
    let timed = async {
        let all_ask = async || answered.load(Ordering::Relaxed) > 0 && later.load(Ordering::Relaxed) > 0;
        world.until("heavy queries are answered, and others asked to come later", all_ask).await;
        let during = slowest(&world, "B").await;
        over.store(true, Ordering::Relaxed);
        during
    };
    let (during, _) = future::join(timed, future::join_all((0..CLIENTS).map(|_| client()))).await;
    let (answered, later) = (answered.into_inner(), later.into_inner());
    println!(
        "an order took {alone:?} alone and {during:?} during {answered} heavy queries ({later} asked to come later)"
    );
    assert!(during < alone.max(LEAST) * MAX_RATIO, "{alone:?} alone, {during:?} during heavy queries");
}

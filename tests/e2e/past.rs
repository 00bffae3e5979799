//! What the log alone shows of the past: orders decided again, and tried under other definitions.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::{Value, json};

use crate::northwind::{file, northwind};
use crate::process::binary;
use crate::world::{World, order};

/// How many orders are replayed one by one.
const REPLAYED: usize = 40;

fn workflow(name: &str) -> String {
    format!("{}/workflows/{name}.yaml", env!("CARGO_MANIFEST_DIR"))
}

fn backtest(world: &World, workflow_name: &str, more: &[&str]) -> Output {
    let mut command = binary();
    command.args(["backtest", "--workflow", &workflow(workflow_name), "--event-store", &world.log]).args(more);
    command.output().unwrap()
}

/// The JSON lines of orders, and the last line with the summary.
fn lines(output: &Output) -> (Vec<Value>, Value) {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (lines, summary)
}

async fn ids(world: &World, query: &'static str) -> BTreeSet<String> {
    let pool = sqlx::PgPool::connect(world.database.url()).await.unwrap();
    sqlx::query_scalar::<_, String>(query).fetch_all(&pool).await.unwrap().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_back_orders_exactly_the_back_ordered_orders_of_northwind_differ_and_all_replay_alike() {
    let northwind = northwind();
    let world = World::new().await;
    crate::ledger::set_stock(&world.http, &format!("{}/participants", world.base), &northwind.stock).await;
    let place = binary().args(["place", "--server", &world.base, "--file"]).arg(file("orders.jsonl")).output().unwrap();
    assert_eq!(place.status.code(), Some(0), "{}", String::from_utf8_lossy(&place.stderr));
    let run = "SELECT id FROM orders WHERE workflow = 'order-fulfilment'";
    let run = ids(&world, run).await;
    let backordered =
        "SELECT DISTINCT order_id FROM timeline WHERE type = 'StepCompleted' AND data->>'outcome' = 'backordered'";
    let backordered = ids(&world, backordered).await;
    assert!(!backordered.is_empty() && backordered.len() < run.len());

    let of_it = ["--where", "workflow=order-fulfilment@1", "--json"];
    let tried = backtest(&world, "order-fulfilment-without-backorder", &of_it);
    let (differing, summary) = lines(&tried);
    assert_eq!(tried.status.code(), Some(1), "{summary}");
    println!("{summary}");
    assert!(differing.iter().all(|line| line["verdict"] == "differs" && line["step"] == "ship"), "{differing:?}");
    let found: BTreeSet<String> = differing.iter().map(|line| line["order"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, backordered);
    assert_eq!((&summary["orders"], &summary["unknown"]), (&json!(run.len()), &json!(0)));
    let expected =
        backtest(&world, "order-fulfilment-without-backorder", &[&of_it[..], &["--expect", "ship"]].concat());
    assert_eq!(expected.status.code(), Some(0));

    let own = backtest(&world, "order-fulfilment", &of_it);
    let (differing, summary) = lines(&own);
    assert_eq!((own.status.code(), differing.len(), &summary["same"]), (Some(0), 0, &json!(run.len())), "{summary}");

    let every = northwind.orders.len() / REPLAYED;
    for id in northwind.orders.keys().step_by(every) {
        let replayed = binary().args(["replay", id, "--event-store", &world.log]).output().unwrap();
        let reported = String::from_utf8_lossy(&replayed.stdout);
        assert_eq!(replayed.status.code(), Some(0), "{reported}{}", String::from_utf8_lossy(&replayed.stderr));
        assert!(reported.contains("each of which would be made so today"), "{reported}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_an_order_from_the_log_up_to_the_requested_revision() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("A", "order-fulfilment", "11", 2)).await;
    world.comes_to("A", "Shipped", "COMPLETED").await;
    let replay =
        |more: &[&str]| binary().args(["replay", "A", "--event-store", &world.log]).args(more).output().unwrap();
    let whole = replay(&["--json"]);
    let reported: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!((whole.status.code(), &reported["decidedOtherwise"]), (Some(0), &json!(0)), "{reported}");
    let last = &reported["decisions"].as_array().unwrap().last().unwrap()["events"];
    let last = last.as_array().unwrap().last().unwrap();
    assert_eq!((&last["type"], &last["state"]["status"]), (&json!("OrderCompleted"), &json!("Shipped")));

    let part = replay(&["--until", "1", "--diff"]);
    let reported = String::from_utf8(part.stdout).unwrap();
    assert!(reported.contains("steps.create-order.attempts: – → 1"), "{reported}");
    assert!(!reported.contains("OrderCompleted"), "{reported}");

    let unknown = binary().args(["replay", "B", "--event-store", &world.log]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    let wrong = binary().args(["replay", "a/b", "--event-store", &world.log]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_reproducible_and_a_log_is_read_from_its_folder() {
    let mut world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 1000 }])).await;
    for number in 0..12 {
        world.place(&order(&format!("S{number}"), "order-fulfilment", "11", 1)).await;
    }
    world
        .until("all are shipped", async || {
            let all = ids(&world, "SELECT id FROM orders WHERE state = 'COMPLETED'").await;
            all.len() == 12
        })
        .await;
    world.process.kill();
    let folder = world.data();
    let stricter = folder.join("stricter.yaml");
    let text = std::fs::read_to_string(workflow("order-fulfilment")).unwrap();
    std::fs::write(&stricter, text.replace("sets-status: Shipped", "sets-status: Sent")).unwrap();
    let sample = || {
        let mut command = binary();
        command
            .args(["backtest", "--json", "--sample", "5", "--where", "state=COMPLETED", "--workflow"])
            .arg(&stricter);
        let output = command.arg("--data").arg(&folder).output().unwrap();
        let (differing, summary) = lines(&output);
        let ids: BTreeSet<String> = differing.iter().map(|line| line["order"].as_str().unwrap().to_owned()).collect();
        assert_eq!((ids.len(), &summary["orders"], output.status.code()), (5, &json!(5), Some(1)), "{summary}");
        ids
    };
    assert_eq!(sample(), sample());
    std::fs::write(&stricter, "workflow: broken").unwrap();
    let output = binary().args(["backtest", "--workflow"]).arg(&stricter).arg("--data").arg(&folder).output().unwrap();
    let reported = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && reported.contains("stricter.yaml:1:1"), "{reported}");
}

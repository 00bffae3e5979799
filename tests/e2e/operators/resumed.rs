//! Batches that are broken off, and gone on with.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::batch::{lines, tenuto};
use super::{waiting, world};
use crate::process::binary;
use crate::world::{World, order};

const REST: &str = "workflow: rest\nversion: 1\nparticipants:\n  payments: { url: \"${PAYMENTS_URL}\" }\nsteps:\n  rest: { wait: 1h }\n  \
                    charge: { after: [rest], call: payments.charge, with: { amount: order.total, currency: order.currency } }\n";

#[tokio::test]
async fn a_batch_whose_reader_has_gone_goes_on_after_the_order_that_was_told_of_last() {
    let world = world().await;
    let ids: Vec<String> = (0..20).map(|number| format!("G{number:02}")).collect();
    for id in &ids {
        waiting(&world, id).await;
    }
    let url = format!("{}/orders/batch", world.base);
    let mut body =
        json!({ "operation": "cancel", "reason": "recalled", "where": { "workflow": { "name": "approval" } } });
    let mut response = world.http.post(&url).json(&body).send().await.unwrap();
    let mut text = String::new();
    while text.matches('\n').count() < 6 {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    drop(response);
    let whole = &text[..=text.rfind('\n').unwrap()];
    let first: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(first[0]["matches"], 20);
    let told: Vec<String> = first[1..].iter().filter_map(|line| Some(line["orderId"].as_str()?.to_owned())).collect();
    assert_eq!(told, ids[..told.len()]);

    // One that is placed meanwhile is not among them.
    waiting(&world, "G99").await;
    body["after"] = json!(told.last());
    body["where"]["placedAt"] = json!({ "to": first[0]["before"] });
    let response = world.http.post(&url).json(&body).send().await.unwrap();
    let text = response.text().await.unwrap();
    let second: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&second[0]["matches"], second.last().unwrap()), (&json!(20 - told.len()), &json!({ "done": true })));
    let rest = second.iter().filter_map(|line| line["orderId"].as_str());
    assert_eq!(rest.collect::<Vec<_>>(), ids[told.len()..]);
    for id in &ids {
        world.comes_to(id, "Placed", "CANCELED").await;
    }
    assert_eq!(world.order("G99", "state").await["state"], "WAITING");
}

#[tokio::test]
async fn a_command_that_was_killed_goes_on_where_its_file_says() {
    const ORDERS: usize = 300;
    let world = World::new().await;
    world.register(REST).await;
    for number in 0..ORDERS {
        world.place(&order(&format!("K{number:03}"), "rest", "11", 1)).await;
    }
    world
        .until("the views have them", async || {
            world.query("{ overview { orders } }").await["overview"]["orders"] == ORDERS
        })
        .await;
    let file = world.data().join("batch.json");
    let arguments =
        ["cancel", "--where", "workflow=rest", "--reason", "recalled", "--json", "--resume", file.to_str().unwrap()];

    let mut command = binary();
    command.args(arguments).args(["--server", &world.base, "--actor", "ann"]);
    let mut killed = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let told = BufReader::new(killed.stdout.take().unwrap()).lines().map_while(Result::ok).take(100).count();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(told, 100);
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let after = kept["after"].as_str().unwrap().to_owned();

    let other =
        tenuto(&world, &["pause", "--where", "workflow=rest", "--reason", "so", "--resume", file.to_str().unwrap()]);
    assert_eq!(other.status.code(), Some(2), "the file is of another command");

    let output = tenuto(&world, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told: BTreeSet<String> =
        lines(&output).iter().filter_map(|line| Some(line["orderId"].as_str()?.to_owned())).collect();
    assert!(told.iter().all(|id| *id > after), "it went on after {after}");
    let expected = (0..ORDERS).map(|number| format!("K{number:03}")).filter(|id| *id > after);
    assert_eq!(told, expected.collect());
    assert!(!file.exists(), "nothing is left to go on with");
    for number in 0..ORDERS {
        world.comes_to(&format!("K{number:03}"), "Placed", "CANCELED").await;
    }

    let again = tenuto(&world, &["cancel", "--where", "workflow=rest", "--reason", "recalled"]);
    assert_eq!(again.status.code(), Some(0));
    let summary = String::from_utf8(again.stdout).unwrap();
    assert!(summary.contains("had already ended: CANCELED") && summary.contains("300 orders in"), "{summary}");
}

#[tokio::test]
async fn orders_are_named_counted_and_told_of_one_by_one() {
    let world = world().await;
    waiting(&world, "one").await;
    let run = |arguments: &[&str]| {
        let output = tenuto(&world, arguments);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told, _) = run(&["pause", "one", "--reason", "so"]);
    assert_eq!((code, told.as_str()), (Some(0), "Order one: held now\n"));
    world.comes_to("one", "Placed", "PAUSED").await;
    let (code, told, _) = run(&["pause", "--where", "state=paused", "--reason", "so", "--dry-run"]);
    assert_eq!((code, told.as_str()), (Some(0), "1 order matches\n"));
    let (code, told, _) = run(&["retry", "one", "--reason", "so"]);
    assert_eq!((code, told.as_str()), (Some(1), "Order one: refused: PAUSED\n"));
    assert_eq!(run(&["resume", "one", "--reason", "so"]).0, Some(0));
    let (code, told, stderr) = run(&["skip", "one", "--reason", "so", "--step", "approve", "--outcome", "eaten"]);
    assert_eq!((code, told.as_str()), (Some(1), "Order one: refused\n"));
    assert!(stderr.contains("it knows approved, rejected"), "{stderr}");
    let (code, ..) = run(&["skip", "one", "--reason", "so", "--step", "approve", "--outcome", "approved"]);
    assert_eq!(code, Some(0));
    world.comes_to("one", "Placed", "COMPLETED").await;
    let (code, told, stderr) = run(&["cancel", "one", "two", "--reason", "so"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("had already ended: COMPLETED") && told.contains("not there"), "{told}");
    assert!(stderr.contains("order two: there is no order two"), "{stderr}");
    let (code, _, complaint) = run(&["cancel", "--where", "sate=RUNNING", "--reason", "so"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("did you mean \"state\"?"), "{complaint}");
}

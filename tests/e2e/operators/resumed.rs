//! Batches that are interrupted and resumed.

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
async fn a_batch_whose_reader_left_resumes_after_the_last_reported_order() {
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
    let reported: Vec<String> =
        first[1..].iter().filter_map(|line| Some(line["orderId"].as_str()?.to_owned())).collect();
    assert_eq!(reported, ids[..reported.len()]);

    // An order that is placed meanwhile is not part of the batch.
    waiting(&world, "G99").await;
    body["after"] = json!(reported.last());
    body["where"]["placedAt"] = json!({ "to": first[0]["before"] });
    let response = world.http.post(&url).json(&body).send().await.unwrap();
    let text = response.text().await.unwrap();
    let second: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&second[0]["matches"], second.last().unwrap()),
        (&json!(20 - reported.len()), &json!({ "done": true }))
    );
    let rest = second.iter().filter_map(|line| line["orderId"].as_str());
    assert_eq!(rest.collect::<Vec<_>>(), ids[reported.len()..]);
    for id in &ids {
        world.comes_to(id, "Placed", "CANCELED").await;
    }
    assert_eq!(world.order("G99", "state").await["state"], "WAITING");
}

#[tokio::test]
async fn a_killed_command_resumes_at_the_place_in_its_file() {
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
    let reported = BufReader::new(killed.stdout.take().unwrap()).lines().map_while(Result::ok).take(100).count();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(reported, 100);
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let after = kept["after"].as_str().unwrap().to_owned();

    let other =
        tenuto(&world, &["pause", "--where", "workflow=rest", "--reason", "so", "--resume", file.to_str().unwrap()]);
    assert_eq!(other.status.code(), Some(2), "the file belongs to another command");

    let output = tenuto(&world, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let reported: BTreeSet<String> =
        lines(&output).iter().filter_map(|line| Some(line["orderId"].as_str()?.to_owned())).collect();
    assert!(reported.iter().all(|id| *id > after), "it resumed after {after}");
    let expected = (0..ORDERS).map(|number| format!("K{number:03}")).filter(|id| *id > after);
    assert_eq!(reported, expected.collect());
    assert!(!file.exists(), "nothing is left to resume");
    for number in 0..ORDERS {
        world.comes_to(&format!("K{number:03}"), "Placed", "CANCELED").await;
    }

    let again = tenuto(&world, &["cancel", "--where", "workflow=rest", "--reason", "recalled"]);
    assert_eq!(again.status.code(), Some(0));
    let summary = String::from_utf8(again.stdout).unwrap();
    assert!(summary.contains("had already ended: CANCELED") && summary.contains("300 orders in"), "{summary}");
}

#[tokio::test]
async fn orders_are_named_counted_and_reported_one_by_one() {
    let world = world().await;
    waiting(&world, "one").await;
    let run = |arguments: &[&str]| {
        let output = tenuto(&world, arguments);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, reported, _) = run(&["pause", "one", "--reason", "so"]);
    assert_eq!((code, reported.as_str()), (Some(0), "Order one: held now\n"));
    world.comes_to("one", "Placed", "PAUSED").await;
    let (code, reported, _) = run(&["pause", "--where", "state=paused", "--reason", "so", "--dry-run"]);
    assert_eq!((code, reported.as_str()), (Some(0), "1 order matches\n"));
    let (code, reported, _) = run(&["retry", "one", "--reason", "so"]);
    assert_eq!((code, reported.as_str()), (Some(1), "Order one: refused: PAUSED\n"));
    assert_eq!(run(&["resume", "one", "--reason", "so"]).0, Some(0));
    let (code, reported, stderr) = run(&["skip", "one", "--reason", "so", "--step", "approve", "--outcome", "eaten"]);
    assert_eq!((code, reported.as_str()), (Some(1), "Order one: refused\n"));
    assert!(stderr.contains("it knows approved, rejected"), "{stderr}");
    let (code, ..) = run(&["skip", "one", "--reason", "so", "--step", "approve", "--outcome", "approved"]);
    assert_eq!(code, Some(0));
    world.comes_to("one", "Placed", "COMPLETED").await;
    let (code, reported, stderr) = run(&["cancel", "one", "two", "--reason", "so"]);
    assert_eq!(code, Some(1));
    assert!(reported.contains("had already ended: COMPLETED") && reported.contains("not there"), "{reported}");
    assert!(stderr.contains("order two: there is no order two"), "{stderr}");
    let (code, _, complaint) = run(&["cancel", "--where", "sttate=RUNNING", "--reason", "so"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("did you mean \"state\"?"), "{complaint}");
}

//! `tenuto cancel` and similar commands against a server whose answers the test sets.

use clap::Parser;

use super::*;
use crate::stub::{Reply, Stub};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: OperateArgs,
}

fn parse(arguments: &[&str]) -> Result<OperateArgs, clap::Error> {
    Line::try_parse_from(["cancel"].iter().chain(arguments)).map(|line| line.args)
}

async fn cancel(stub: &Stub, arguments: &[&str]) -> Result<ExitCode, CommandError> {
    let mut all = vec!["--reason", "recalled", "--actor", "ann", "--server", &stub.base];
    all.extend(arguments);
    operate(&stub.client(), OperatorAction::Cancel, Map::new(), parse(&all).unwrap()).await
}

fn beginning(matches: usize) -> Value {
    json!({ "matches": matches, "before": "2026-01-31T09:00:00Z" })
}

fn order(id: &str, status: u16) -> Value {
    json!({ "orderId": id, "status": status, "detail": "so it is" })
}

fn done() -> Value {
    json!({ "done": true })
}

const RUNNING: [&str; 2] = ["--where", "state=RUNNING"];

#[test]
fn orders_are_named_or_match_or_are_all_and_a_reason_is_given() {
    assert!(parse(&["a", "b", "--reason", "so"]).is_ok());
    assert!(parse(&["--where", "state=RUNNING", "--where", "customer=VINET", "--reason", "so"]).is_ok());
    assert!(parse(&["--all", "--reason", "so"]).is_ok());
    for wrong in [
        &["--reason", "so"][..],
        &["a"],
        &["a", "--all", "--reason", "so"],
        &["a", "--where", "state=RUNNING", "--reason", "so"],
        &["--all", "--where", "state=RUNNING", "--reason", "so"],
        &["--where", "sate=RUNNING", "--reason", "so"],
        &["a", "--dry-run", "--reason", "so"],
        &["a", "--resume", "file", "--reason", "so"],
    ] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn orders_that_are_named_are_sent_in_chunks_each_once() {
    let stub = Stub::start().await;
    let ids: Vec<String> = (0..1_200).map(|id| id.to_string()).collect();
    let mut arguments: Vec<&str> = ids.iter().map(String::as_str).collect();
    arguments.push("7");
    assert_eq!(cancel(&stub, &arguments).await.unwrap(), ExitCode::SUCCESS);
    let sent = stub.batched();
    let sizes: Vec<usize> = sent.iter().map(|batch| batch["orders"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [500, 500, 200]);
    let first = &sent[0];
    assert_eq!(
        (&first["operation"], &first["reason"], &first["actor"]),
        (&json!("cancel"), &json!("recalled"), &json!("ann"))
    );
}

#[tokio::test]
async fn an_order_that_is_not_as_asked_makes_it_a_1() {
    for (line, code) in [
        (order("a", 202), 0),
        (order("a", 404), 1),
        (order("a", 422), 1),
        (json!({ "orderId": "a", "status": 409, "state": "COMPLETED" }), 1),
        (json!({ "orderId": "a", "status": 409, "state": "CANCELED" }), 0),
    ] {
        let stub = Stub::start().await;
        stub.batches([vec![beginning(1), line.clone(), done()]]);
        assert_eq!(cancel(&stub, &RUNNING).await.unwrap(), ExitCode::from(code), "{line}");
    }
}

#[tokio::test]
async fn what_is_broken_off_goes_on_after_the_last_order_and_is_about_the_orders_of_the_beginning() {
    let stub = Stub::start().await;
    stub.batches([
        vec![beginning(4), order("a", 202), order("b", 202)],
        vec![beginning(2), order("c", 202), json!({ "stopped": "leaving" })],
        vec![beginning(1), order("d", 202), done()],
    ]);
    assert_eq!(cancel(&stub, &["--where", "state=RUNNING,placedAt>=2026-01-01"]).await.unwrap(), ExitCode::SUCCESS);
    let sent = stub.batched();
    let after: Vec<&Value> = sent.iter().map(|batch| &batch["after"]).collect();
    assert_eq!(after, [&Value::Null, &json!("b"), &json!("c")]);
    let since = "2026-01-01T00:00:00Z";
    assert_eq!(sent[0]["where"], json!({ "state": ["RUNNING"], "placedAt": { "from": since } }));
    let pinned = json!({ "state": ["RUNNING"], "placedAt": { "from": since, "to": "2026-01-31T09:00:00Z" } });
    assert_eq!((&sent[1]["where"], &sent[2]["where"]), (&pinned, &pinned));
}

#[tokio::test]
async fn all_orders_are_those_of_the_beginning_too() {
    let stub = Stub::start().await;
    stub.batches([vec![beginning(2), order("a", 202)], vec![beginning(1), order("b", 202), done()]]);
    assert_eq!(cancel(&stub, &["--all"]).await.unwrap(), ExitCode::SUCCESS);
    let sent = stub.batched();
    assert_eq!((&sent[0]["all"], sent[0].get("where")), (&json!(true), None));
    let pinned = json!({ "placedAt": { "to": "2026-01-31T09:00:00Z" } });
    assert_eq!((sent[1].get("all"), &sent[1]["where"]), (None, &pinned));
}

#[tokio::test]
async fn orders_that_there_was_no_room_for_are_tried_again_in_the_end() {
    let stub = Stub::start().await;
    stub.batches([vec![beginning(3), order("a", 202), order("b", 503), order("c", 202), done()]]);
    assert_eq!(cancel(&stub, &RUNNING).await.unwrap(), ExitCode::SUCCESS);
    assert_eq!(stub.batched()[1]["orders"], json!(["b"]));
}

#[tokio::test]
async fn orders_that_there_is_no_room_for_in_the_end_are_not_decided() {
    let stub = Stub::start().await;
    let in_vain = || vec![beginning(1), order("b", 503), done()];
    stub.batches((0..100).map(|_| in_vain()));
    assert_eq!(cancel(&stub, &["b"]).await.unwrap(), ExitCode::from(1));
}

#[tokio::test]
async fn a_batch_that_goes_nowhere_is_given_up_and_the_file_keeps_where_it_stood() {
    let stub = Stub::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("batch.json");
    let arguments = ["--where", "state=RUNNING", "--resume", file.to_str().unwrap()];
    stub.batches([vec![beginning(3), order("a", 202), order("b", 503)]]);
    stub.batches((0..100).map(|_| vec![beginning(1)]));
    assert!(matches!(cancel(&stub, &arguments).await, Err(CommandError::BrokenOff { .. })));
    assert!(file.exists());

    let other = Stub::start().await;
    assert!(matches!(cancel(&other, &arguments).await, Err(CommandError::Checkpoint { .. })), "of another server");

    let before = stub.batched().len();
    stub.forget_batches();
    stub.batches([vec![beginning(1), order("c", 202), done()]]);
    assert_eq!(cancel(&stub, &arguments).await.unwrap(), ExitCode::SUCCESS);
    let sent = stub.batched();
    assert_eq!(sent[before]["after"], "b");
    assert_eq!(sent[before]["where"]["placedAt"]["to"], "2026-01-31T09:00:00Z");
    assert_eq!(sent[before + 1]["orders"], json!(["b"]));
    assert!(!file.exists(), "nothing is left to resume");
}

#[tokio::test]
async fn a_dry_run_counts_and_does_nothing() {
    let stub = Stub::start().await;
    stub.batches([vec![beginning(3), done()]]);
    assert_eq!(cancel(&stub, &["--all", "--dry-run"]).await.unwrap(), ExitCode::SUCCESS);
    let sent = stub.batched();
    assert_eq!((sent.len(), &sent[0]["dryRun"]), (1, &json!(true)));
}

#[tokio::test]
async fn a_command_that_the_server_refuses_is_an_error() {
    let stub = Stub::start().await;
    stub.replies([Reply::refused("/reason", "must be shorter")]);
    assert!(matches!(cancel(&stub, &RUNNING).await, Err(CommandError::Refused { .. })));
}

#[tokio::test]
async fn the_fields_of_a_skip_are_sent_with_it() {
    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SkipArgs,
    }
    let stub = Stub::start().await;
    let line = [
        "skip",
        "a",
        "--reason",
        "so",
        "--server",
        &stub.base,
        "--step",
        "ship",
        "--outcome",
        "shipped",
        "--data",
        "{\"t\": 1}",
    ];
    skip(Line::try_parse_from(line).unwrap().args).await.unwrap();
    let sent = &stub.batched()[0];
    assert_eq!(
        (&sent["step"], &sent["outcome"], &sent["data"]),
        (&json!("ship"), &json!("shipped"), &json!({ "t": 1 }))
    );
}

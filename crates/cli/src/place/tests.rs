//! `tenuto place` against a server whose answers the test sets.

use std::io::Write as _;

use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::stub::{Reply, Stub};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: PlaceArgs,
}

fn parse(arguments: &[&str]) -> Result<PlaceArgs, clap::Error> {
    Line::try_parse_from(["place"].iter().chain(arguments)).map(|line| line.args)
}

async fn place_lines(stub: &Stub, content: &str, more: &[&str]) -> Result<ExitCode, CommandError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let arguments = ["--file", path, "--server", &stub.base].into_iter().chain(more.iter().copied());
    let args = parse(&arguments.collect::<Vec<_>>()).unwrap();
    place(&stub.client(), &args).await
}

fn standing(status: &str, state: &str) -> Value {
    json!({ "status": status, "state": state, "revision": 1 })
}

#[test]
fn one_input_is_asked_for_and_only_one() {
    assert!(parse(&[]).is_err());
    assert!(parse(&["a.json", "--file", "b.jsonl"]).is_err());
    assert!(parse(&["a.json"]).is_ok() && parse(&["-"]).is_ok() && parse(&["--file", "-"]).is_ok());
}

#[test]
fn wrong_options_are_refused_and_the_last_of_wait_and_no_wait_counts() {
    for wrong in [["--concurrency", "0"], ["--concurrency", "x"], ["--timeout", "soon"], ["--timeout", "10"]] {
        assert!(parse(&["a.json", wrong[0], wrong[1]]).is_err(), "{wrong:?}");
    }
    assert!(parse(&["a.json", "--wait", "--no-wait"]).unwrap().no_wait);
    assert!(!parse(&["a.json", "--no-wait", "--wait"]).unwrap().no_wait);
}

#[tokio::test]
async fn orders_that_all_come_to_rest_are_a_success() {
    let stub = Stub::start().await;
    stub.order("a", standing("Shipped", "COMPLETED"));
    stub.order("b", standing("Canceled", "CANCELED"));
    let code = place_lines(&stub, "{\"orderId\":\"a\"}\n\n{\"orderId\":\"b\"}\n", &[]).await.unwrap();
    assert_eq!(code, ExitCode::SUCCESS);
    assert!(stub.placed().iter().all(|placed| placed.key.is_none()));
}

#[tokio::test]
async fn a_malformed_line_stops_no_other_and_is_not_sent() {
    let stub = Stub::start().await;
    let code = place_lines(&stub, "{\"orderId\":\n{\"orderId\":\"b\"}\n", &["--no-wait"]).await.unwrap();
    assert_eq!(code, ExitCode::from(1));
    assert_eq!(stub.placed().len(), 1);
    assert!(stub.queries().is_empty(), "the command does not wait");
}

#[tokio::test]
async fn refused_failed_stuck_and_late_orders_each_make_it_a_1() {
    for (reply, state) in [
        (Some(Reply::refused("/currency", "must be three letters")), "COMPLETED"),
        (Some(Reply::status(500)), "COMPLETED"),
        (None, "STUCK"),
        (None, "RUNNING"),
    ] {
        let stub = Stub::start().await;
        stub.replies(reply);
        stub.order("a", standing("Placed", state));
        let code = place_lines(&stub, "{\"orderId\":\"a\"}\n", &["--timeout", "1ms"]).await.unwrap();
        assert_eq!(code, ExitCode::from(1), "{state}");
    }
}

#[tokio::test]
async fn an_order_without_an_id_is_placed_under_a_key_that_is_the_same_next_time() {
    let stub = Stub::start().await;
    for _ in 0..2 {
        place_lines(&stub, "{}\n{}\n", &["--no-wait", "--concurrency", "1"]).await.unwrap();
    }
    let keys: Vec<String> = stub.placed().into_iter().map(|placed| placed.key.unwrap()).collect();
    assert_eq!(keys[..2], keys[2..]);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_minted_id_is_what_is_waited_for() {
    let stub = Stub::start().await;
    stub.order("minted-1", standing("Shipped", "COMPLETED"));
    assert_eq!(place_lines(&stub, "{}", &[]).await.unwrap(), ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_an_error() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{\n  \"orderId\": \"a\"\n}\n").unwrap();
    let args = parse(&[file.path().to_str().unwrap()]).unwrap();
    let patience = crate::retry::Patience { first_contact: Duration::ZERO, later: Duration::ZERO };
    let client = Client::with_patience("http://127.0.0.1:1", patience).unwrap();
    assert!(matches!(place(&client, &args).await, Err(CommandError::Unreachable { .. })));
}

#[tokio::test]
async fn many_orders_are_placed_at_once_each_of_them_once() {
    let stub = Stub::start().await;
    let lines: Vec<String> = (0..500).map(|order| format!("{{\"orderId\":\"{order}\"}}")).collect();
    for order in 0..500 {
        stub.order(&order.to_string(), standing("Shipped", "COMPLETED"));
    }
    assert_eq!(place_lines(&stub, &lines.join("\n"), &[]).await.unwrap(), ExitCode::SUCCESS);
    let mut bodies: Vec<_> = stub.placed().into_iter().map(|placed| placed.body).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 500);
}

//! `tenuto webhook`.

use std::process::Output;

use serde_json::Value;

use super::receiver::{Answers, Receiver};
use super::{EACH, place, world};
use crate::process::{binary, ends, until};

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_managed_on_the_command_line() {
    let world = world("2").await;
    let receiver = Receiver::start();
    let tenuto = |arguments: &[&str]| -> Output {
        binary().arg("webhook").args(arguments).env("TENUTO_SERVER", &world.base).output().unwrap()
    };
    let added = tenuto(&["add", &receiver.url(), "--description", "the warehouse's screen", "--json"]);
    let added: Value = serde_json::from_str(&ends(&added, 0)).unwrap();
    let id = added["id"].as_str().unwrap();
    receiver.trust(added["secret"].as_str().unwrap());
    let shown = ends(&tenuto(&["show", id]), 0);
    assert!(shown.contains("the warehouse's screen") && !shown.contains("whsec_"), "{shown}");
    until("it is listed", async || ends(&tenuto(&["list"]), 0).contains(id)).await;
    assert!(ends(&tenuto(&["test", id]), 0).contains("delivered: the endpoint answered 204"));
    receiver.answer(Answers::Status(503));
    assert!(ends(&tenuto(&["test", id]), 1).contains("not delivered: the endpoint answered 503"));
    place(&world.base, ["T".to_owned()]).await;
    until("the webhook is disabled", async || ends(&tenuto(&["show", id]), 0).contains("state    disabled")).await;
    until("there is a dead letter", async || ends(&tenuto(&["dead", id]), 0).contains("order T, event 0")).await;
    assert!(ends(&tenuto(&["replay", id, "--all"]), 1).contains("enable it first"));
    receiver.answer(Answers::Ok);
    assert!(ends(&tenuto(&["change", id, &receiver.url()]), 0).contains("state    enabled"));
    assert!(ends(&tenuto(&["replay", id, "--order", "T"]), 0).contains("1 notifications are sent again"));
    until("everything arrived", async || receiver.accepted().len() == EACH).await;
    let rotated = ends(&tenuto(&["rotate", id]), 0);
    assert!(rotated.contains("secret   whsec_"), "{rotated}");
    assert!(ends(&tenuto(&["add", "http://shop.example/"]), 1).contains("/url: must start with https://"));
    assert!(ends(&tenuto(&["remove", id]), 0).contains("is deleted"));
    assert!(ends(&tenuto(&["show", id]), 1).contains("no such webhook"));
}

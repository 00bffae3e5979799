//! Operations that a second person has to approve: over HTTP and by commands, for one order and for
//! many.

use std::process::Output;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::Guarded;
use super::own_orders::{WAITING, place_in, register};
use crate::process::{binary, ends, until};

/// Cancels and skips need a second person, pauses of many orders an administrator.
const RULES: &str = "
[[second-person]]
operations = [\"cancel\", \"skip\"]
[[second-person]]
operations = [\"pause\"]
above-orders = 2
approver = \"admin\"
";

const ASKED: &str = "workflow: asked\nversion: 1\nparticipants: { p: { events: true } }\nsteps:\n  tell: { request: p.tell, undo: p.forget }\n  sign: { await: approval, outcomes: [yes, no], timeout: 30d }\n";

struct Persons {
    guarded: Guarded,
    shop: String,
    ann: String,
    bob: String,
    root: String,
}

impl Persons {
    async fn new(workflow: &str) -> Self {
        let guarded = Guarded::with(RULES).await;
        register(&guarded, workflow).await;
        let shop = guarded.key(&["--role", "shop", "--name", "web"]).1;
        let (ann, bob) = (guarded.issuer.token("ann", "operator"), guarded.issuer.token("bob", "operator"));
        let root = guarded.issuer.token("root", "admin");
        Self { guarded, shop, ann, bob, root }
    }

    async fn place(&self, workflow: &str, ids: &[&str]) {
        for id in ids {
            assert_eq!(place_in(&self.guarded, workflow, &self.shop, id).await, 202);
        }
        until("the views have the orders", async || {
            self.query("{ overview { orders } }").await["overview"]["orders"] == ids.len()
        })
        .await;
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Response {
        self.guarded.ask(Method::POST, path, Some(token), Some(&body)).await
    }

    async fn get(&self, path: &str) -> Value {
        self.guarded.ask(Method::GET, path, Some(&self.ann), None).await.json().await.unwrap()
    }

    /// The history of an order, as a file of this format.
    async fn exported(&self, order: &str, format: &str) -> String {
        let path = format!("/audit/orders/{order}/export?format={format}");
        let answer = self.guarded.ask(Method::GET, &path, Some(&self.root), None).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    }

    async fn query(&self, query: &str) -> Value {
        self.guarded.query(&self.bob, query).await["data"].take()
    }

    /// Asks for something, and returns the id of the request once the views have it.
    async fn ask(&self, path: &str, body: Value) -> String {
        let answer = self.post(path, &self.ann, body).await;
        assert_eq!(answer.status(), 202);
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["state"], "WAITS_FOR_APPROVAL", "{answer}");
        let id = answer["request"].as_str().unwrap().to_owned();
        assert_eq!(location, format!("/requests/{id}"));
        until("the views have the request", async || self.get(&location).await["state"] == "WAITS_FOR_APPROVAL").await;
        id
    }

    async fn is_in(&self, order: &str, state: &str) {
        until(&format!("{order} is {state}"), async || {
            self.query(&format!("{{ order(id: {order:?}) {{ state }} }}")).await["order"]["state"] == state
        })
        .await;
    }

    /// The actor and the second person of the first event of this type.
    async fn signed(&self, order: &str, of: &str) -> (Value, Value) {
        let query = format!("{{ order(id: {order:?}) {{ timeline {{ nodes {{ type actor approvedBy }} }} }} }}");
        let found = self.query(&query).await;
        let entries = found["order"]["timeline"]["nodes"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["type"] == of).unwrap_or_else(|| panic!("{of}: {found}"));
        (entry["actor"].clone(), entry["approvedBy"].clone())
    }

    fn run(&self, token: &str, arguments: &[&str]) -> Output {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), token).unwrap();
        let mut command = binary();
        command.args(arguments).args(["--server", &self.guarded.base]).arg("--token-file").arg(file.path());
        command.output().unwrap()
    }
}

async fn refused(answer: Response, status: u16) -> String {
    let found = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(found, status, "{problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_approves_what_one_asked_for_and_the_order_goes_on_meanwhile() {
    let persons = Persons::new(WAITING).await;
    persons.place("waiting", &["a", "b"]).await;
    let operations = "{ order(id: \"a\") { operations { operation needsSecondPerson } } }";
    let found = persons.query(operations).await;
    let needs = |name: &str| {
        let all = found["order"]["operations"].as_array().unwrap();
        all.iter().find(|operation| operation["operation"] == name).unwrap()["needsSecondPerson"].clone()
    };
    assert_eq!((needs("CANCEL"), needs("PAUSE"), needs("NOTE")), (json!(true), json!(false), json!(false)));
    let id = persons.ask("/orders/a/cancel", json!({ "reason": "recalled" })).await;
    assert_eq!(id, "a:1");
    let again = persons.post("/orders/a/cancel", &persons.bob, json!({ "reason": "recalled" })).await;
    assert!(refused(again, 409).await.contains("request 1 for the same operation"));
    persons.is_in("a", "WAITING").await;
    let own = persons.post("/requests/a:1/approve", &persons.ann, json!({})).await;
    assert!(refused(own, 403).await.contains("another person has to approve"));
    let viewer = persons.guarded.issuer.token("eve", "viewer");
    refused(persons.post("/requests/a:1/approve", &viewer, json!({})).await, 403).await;
    let auditor = persons.guarded.issuer.token("eve", "auditor");
    let refusal = refused(persons.post("/requests/a:1/approve", &auditor, json!({})).await, 403).await;
    assert!(refusal.contains("takes the role operator"), "{refusal}");
    refused(persons.post("/requests/a:1/decline", &persons.bob, json!({})).await, 422).await;
    let listed = persons.get("/requests").await;
    assert_eq!((listed[0]["request"].as_str(), listed[0]["requestedBy"].as_str()), (Some("a:1"), Some("ann@company")));
    let approved = persons.post("/requests/a:1/approve", &persons.bob, json!({ "reason": "as agreed" })).await;
    assert_eq!(approved.status(), 202);
    persons.is_in("a", "CANCELED").await;
    let (ann, bob) = (json!("ann@company"), json!("bob@company"));
    assert_eq!(persons.signed("a", "CompensationStarted").await, (ann.clone(), bob.clone()));
    assert_eq!(persons.signed("a", "RequestSettled").await, (bob, Value::Null));
    assert_eq!(persons.signed("a", "OperationRequested").await, (ann, Value::Null));
    let table = persons.exported("a", "csv").await;
    let approved = table.lines().filter(|line| line.ends_with(",bob@company")).collect::<Vec<_>>();
    assert!(approved.iter().any(|line| line.contains(",CompensationStarted,")), "{table}");
    assert!(table.lines().next().unwrap().ends_with(",approved_by"), "{table}");
    assert!(persons.exported("a", "html").await.contains("by ann@company, approved by bob@company"));
    assert_eq!(persons.get("/requests/a:1").await["state"], "APPROVED");
    refused(persons.post("/requests/a:1/approve", &persons.bob, json!({})).await, 409).await;
    // A shop cancels its own order by itself.
    let shop = persons.post("/orders/b/cancel", &persons.shop, json!({ "reason": "changed its mind" })).await;
    assert_eq!(shop.status(), 202);
    persons.is_in("b", "CANCELED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declined_withdrawn_or_no_longer_allowed_is_not_done() {
    let persons = Persons::new(ASKED).await;
    persons.place("asked", &["a"]).await;
    let skip = json!({ "reason": "told by phone", "step": "tell" });
    persons.ask("/orders/a/skip", skip.clone()).await;
    let declined = persons.post("/requests/a:1/decline", &persons.bob, json!({ "reason": "not told" })).await;
    assert_eq!(declined.status(), 202);
    persons.ask("/orders/a/skip", skip.clone()).await;
    let by_other = persons.post("/requests/a:2/withdraw", &persons.bob, json!({})).await;
    assert!(refused(by_other, 403).await.contains("decline it instead"));
    assert_eq!(persons.post("/requests/a:2/withdraw", &persons.ann, json!({})).await.status(), 202);
    // To answer for a participant is to skip.
    let answer = json!({ "outcome": "done", "reason": "told by phone" });
    let for_participant = persons.post("/orders/a/steps/tell/outcome", &persons.ann, answer).await;
    assert!(refused(for_participant, 403).await.contains("skip the step"));
    persons.ask("/orders/a/skip", skip).await;
    let participant = persons.guarded.key(&["--role", "participant:p", "--name", "p"]).1;
    let told = persons.post("/orders/a/steps/tell/outcome", &participant, json!({ "outcome": "done" })).await;
    assert_eq!(told.status(), 202);
    let late = persons.post("/requests/a:3/approve", &persons.bob, json!({})).await;
    assert!(refused(late, 409).await.contains("cannot skip step"));
    let signed = persons.post("/orders/a/steps/sign/outcome", &persons.ann, json!({ "outcome": "yes" })).await;
    assert_eq!(signed.status(), 202);
    persons.is_in("a", "COMPLETED").await;
    until("the end makes the last request void", async || persons.get("/requests/a:3").await["state"] == "VOID").await;
    let requests = persons
        .query("{ order(id: \"a\") { requests { state } } operationRequests { nodes { request { id } } } }")
        .await;
    let states: Vec<&str> = requests["order"]["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["VOID", "WITHDRAWN", "DECLINED"]);
    assert_eq!(requests["operationRequests"]["nodes"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_request_and_the_one_who_approves_it_carries_it_out() {
    let persons = Persons::new(WAITING).await;
    let ids: Vec<String> = (0..4).map(|number| format!("o{number}")).collect();
    persons.place("waiting", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let waiting = json!({ "state": "WAITING" });
    let dry = json!({ "operation": "pause", "reason": "stock-taking", "where": waiting, "dryRun": true });
    let preview = persons.post("/orders/batch", &persons.ann, dry).await.text().await.unwrap();
    assert!(preview.starts_with("{\"matches\":4,") && preview.contains("\"needsApproval\":true"), "{preview}");
    let id =
        persons.ask("/orders/batch", json!({ "operation": "pause", "reason": "stock-taking", "where": waiting })).await;
    persons.is_in("o0", "WAITING").await;
    for token in [&persons.ann, &persons.bob] {
        refused(persons.post(&format!("/requests/{id}/approve"), token, json!({})).await, 403).await;
    }
    let listed =
        persons.query("{ operationRequests { nodes { request { id matches own maySettle } order { id } } } }").await;
    let expected = json!([{ "request": { "id": id, "matches": 4, "own": false, "maySettle": false }, "order": null }]);
    assert_eq!(listed["operationRequests"]["nodes"], expected);
    let approved = persons.post(&format!("/requests/{id}/approve"), &persons.root, json!({})).await;
    assert_eq!(approved.status(), 200);
    let lines = approved.text().await.unwrap();
    assert_eq!(lines.matches("\"status\":202").count(), 4, "{lines}");
    assert!(lines.ends_with("{\"done\":true}\n"), "{lines}");
    for order in &ids {
        persons.is_in(order, "PAUSED").await;
        let signed = persons.signed(order, "OrderPaused").await;
        assert_eq!(signed, (json!("ann@company"), json!("root@company")));
    }
    refused(persons.post(&format!("/requests/{id}/approve"), &persons.root, json!({})).await, 409).await;
    // An interrupted batch goes on after an order: by the same person, and soon.
    let rest = persons.post(&format!("/requests/{id}/approve"), &persons.root, json!({ "after": "o1" })).await;
    let rest = rest.text().await.unwrap();
    assert!(rest.contains("{\"done\":true}"), "{rest}");
    // A batch of fewer orders is carried out, and one order alone follows the rules of orders.
    let few = json!({ "operation": "resume", "reason": "counted", "orders": ["o0", "o1"] });
    assert!(persons.post("/orders/batch", &persons.ann, few).await.text().await.unwrap().contains("\"done\":true"));
    let one = json!({ "operation": "cancel", "reason": "recalled", "orders": ["o0"] });
    let one = persons.post("/orders/batch", &persons.ann, one).await.text().await.unwrap();
    assert!(one.contains("\"request\":\"o0:1\"") && one.contains("WAITS_FOR_APPROVAL"), "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_would_reach_more_orders_than_were_asked_for_is_not_carried_out() {
    let persons = Persons::new(WAITING).await;
    persons.place("waiting", &["a", "b", "c"]).await;
    let pause = json!({ "operation": "pause", "reason": "one rests", "orders": ["c"] });
    persons.post("/orders/batch", &persons.ann, pause).await.text().await.unwrap();
    persons.is_in("c", "PAUSED").await;
    let waiting = json!({ "state": "WAITING" });
    let id =
        persons.ask("/orders/batch", json!({ "operation": "cancel", "reason": "recalled", "where": waiting })).await;
    let resume = json!({ "operation": "resume", "reason": "it goes on", "orders": ["c"] });
    persons.post("/orders/batch", &persons.ann, resume).await.text().await.unwrap();
    persons.is_in("c", "WAITING").await;
    let more = persons.post(&format!("/requests/{id}/approve"), &persons.bob, json!({})).await;
    assert!(refused(more, 409).await.contains("3 orders match now instead of the 2"));
    let declined =
        persons.post(&format!("/requests/{id}/decline"), &persons.bob, json!({ "reason": "too many" })).await;
    assert_eq!(declined.status(), 200);
    until("the views have it", async || persons.get(&format!("/requests/{id}")).await["state"] == "DECLINED").await;
    persons.is_in("a", "WAITING").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_ask_list_and_approve() {
    let persons = Persons::new(WAITING).await;
    persons.place("waiting", &["a", "b", "c"]).await;
    let asked = persons.run(&persons.ann, &["cancel", "a", "--reason", "recalled"]);
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(said.contains("waits for the approval of a second person"), "{said}");
    let many = persons.run(&persons.ann, &["cancel", "b", "c", "--reason", "recalled"]);
    let said = String::from_utf8_lossy(&many.stderr).into_owned();
    let batch = said.split_once("request ").unwrap().1.split(' ').next().unwrap().to_owned();
    until("the views have both", async || persons.get("/requests").await.as_array().unwrap().len() == 2).await;
    let listed = persons.run(&persons.bob, &["approvals"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("a:1") && listed.contains(&batch) && listed.contains("2 orders"), "{listed}");
    let own = persons.run(&persons.ann, &["approve", "a:1"]);
    assert_eq!(own.status.code(), Some(1), "{own:?}");
    ends(&persons.run(&persons.bob, &["approve", "a:1", "--reason", "as agreed"]), 0);
    let carried = persons.run(&persons.bob, &["approve", &batch]);
    assert!(String::from_utf8_lossy(&carried.stdout).contains("taken for 2 orders"), "{carried:?}");
    for order in ["a", "b", "c"] {
        persons.is_in(order, "CANCELED").await;
    }
}

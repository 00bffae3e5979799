//! A shop has its own orders alone, a viewer sees no personal data, and the actor is the principal.

use reqwest::Method;
use serde_json::{Value, json};

use super::Guarded;
use crate::process::{binary, ends, until};
use crate::world::order;

pub(super) const WAITING: &str = "workflow: waiting\nversion: 1\nparticipants: { p: { events: true } }\nsteps:\n  rest: { wait: 30d }\n  tell: { after: [rest], request: p.tell }\n";

/// One participant does the step, and another one undoes it.
const UNDONE_BY_ANOTHER: &str = "workflow: lent\nversion: 1\nparticipants: { desk: { events: true }, store: { events: true } }\nsteps:\n  lend: { request: desk.lend, undo: store.take-back }\n  rest: { after: [lend], wait: 30d }\n";

pub(super) async fn register(guarded: &Guarded, workflow: &str) {
    let author = guarded.issuer.token("eve", "author");
    let registered = guarded.http.post(format!("{}/workflows", guarded.base)).bearer_auth(author);
    let registered = registered.header("content-type", "application/yaml").body(workflow.to_owned());
    let registered = registered.send().await.unwrap();
    let status = registered.status();
    assert_eq!(status, 201, "{}", registered.text().await.unwrap());
}

async fn place(guarded: &Guarded, token: &str, id: &str) -> u16 {
    place_in(guarded, "waiting", token, id).await
}

pub(super) async fn place_in(guarded: &Guarded, workflow: &str, token: &str, id: &str) -> u16 {
    let order = order(id, workflow, "11", 1);
    guarded.ask(Method::POST, "/orders", Some(token), Some(&order)).await.status().as_u16()
}

async fn with_orders_of_two_shops() -> (Guarded, String, String) {
    let guarded = Guarded::new().await;
    register(&guarded, WAITING).await;
    let web = guarded.key(&["--role", "shop", "--name", "web"]).1;
    let app = guarded.key(&["--role", "shop", "--name", "app"]).1;
    for (token, id) in [(&web, "web-1"), (&web, "web-2"), (&app, "app-1")] {
        assert_eq!(place(&guarded, token, id).await, 202);
    }
    let viewer = guarded.issuer.token("ann", "viewer");
    until("the views have the three orders", async || {
        guarded.query(&viewer, "{ overview { orders } }").await["data"]["overview"]["orders"] == 3
    })
    .await;
    (guarded, web, app)
}

fn ids(answer: &Value) -> Vec<&str> {
    let nodes = answer["data"]["orders"]["nodes"].as_array().unwrap();
    let mut ids: Vec<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_reads_counts_and_cancels_the_orders_that_it_placed_and_no_others() {
    let (guarded, web, app) = with_orders_of_two_shops().await;
    assert_eq!(ids(&guarded.query(&web, "{ orders { nodes { id } } }").await), ["web-1", "web-2"]);
    assert_eq!(
        ids(&guarded.query(&app, "{ orders(where: { placedBy: [\"web\", \"app\"] }) { nodes { id } } }").await),
        ["app-1"]
    );
    assert_eq!(guarded.query(&app, "{ overview { orders } }").await["data"]["overview"]["orders"], 1);
    for field in ["order(id: \"web-1\") { id }", "order(id: \"web-1\", atRevision: 0) { id }"] {
        let answer = guarded.query(&app, &format!("{{ {field} }}")).await;
        assert_eq!(answer["data"]["order"], Value::Null, "{field}: {answer}");
        let answer = guarded.query(&web, &format!("{{ {field} }}")).await;
        assert_eq!(answer["data"]["order"]["id"], "web-1", "{field}: {answer}");
    }
    for path in ["/orders/web-1", "/orders/web-1/personal-data"] {
        let foreign = guarded.ask(Method::GET, path, Some(&app), None).await;
        let missing = guarded.ask(Method::GET, &path.replace("web-1", "nowhere"), Some(&app), None).await;
        assert_eq!((foreign.status().as_u16(), missing.status().as_u16()), (404, 404), "{path}");
        assert_eq!(guarded.ask(Method::GET, path, Some(&web), None).await.status(), 200, "{path}");
    }
    let cancel = json!({ "reason": "changed its mind" });
    for (token, expected) in [(&app, 404), (&web, 202)] {
        let answer = guarded.ask(Method::POST, "/orders/web-1/cancel", Some(token), Some(&cancel)).await;
        assert_eq!(answer.status().as_u16(), expected);
    }
    // The same id and the same content: of another shop, it is another order.
    assert_eq!(place(&guarded, &app, "web-2").await, 409);
    assert_eq!(place(&guarded, &web, "web-2").await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_placeholders_in_place_of_personal_data() {
    let (guarded, web, _) = with_orders_of_two_shops().await;
    let query = "{ order(id: \"web-1\") { placedBy customer { id name email } shipTo { city country }
        timeline { nodes { data } } } }";
    let seen = guarded.query(&guarded.issuer.token("ann", "viewer"), query).await;
    let order = &seen["data"]["order"];
    assert_eq!(order["customer"]["name"], "⟦customer.name⟧", "{seen}");
    assert_eq!(order["customer"]["email"], "⟦customer.email⟧");
    assert_eq!(
        (order["shipTo"]["city"].as_str(), order["shipTo"]["country"].as_str()),
        (Some("⟦shipTo.city⟧"), Some("France"))
    );
    assert_eq!(order["placedBy"], "web");
    assert!(!seen.to_string().contains("orders@vinet.example"), "{seen}");
    let own = guarded.query(&web, query).await;
    assert_eq!(own["data"]["order"]["customer"]["email"], "orders@vinet.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_actor_of_an_event_is_the_principal() {
    let (guarded, _, _) = with_orders_of_two_shops().await;
    let operator = guarded.issuer.token("ann", "operator");
    let forged = json!({ "reason": "so", "actor": "bob" });
    let answer = guarded.ask(Method::POST, "/orders/web-1/pause", Some(&operator), Some(&forged)).await;
    assert_eq!(answer.status(), 422);
    let (_, desk) = guarded.key(&["--role", "operator", "--name", "desk", "--on-behalf-of"]);
    for (token, id, body) in [(&operator, "web-1", json!({ "reason": "so" })), (&desk, "web-2", forged)] {
        let answer = guarded.ask(Method::POST, &format!("/orders/{id}/pause"), Some(token), Some(&body)).await;
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    }
    let query =
        "{ orders(where: { state: PAUSED }, orderBy: PLACED_AT_ASC) { nodes { timeline { nodes { type actor } } } } }";
    until("the views have both", async || {
        guarded.query(&operator, query).await["data"]["orders"]["nodes"]
            .as_array()
            .is_some_and(|found| found.len() == 2)
    })
    .await;
    let found = guarded.query(&operator, query).await;
    let actors = |order: usize, of: &str| {
        let timeline = found["data"]["orders"]["nodes"][order]["timeline"]["nodes"].as_array().unwrap();
        timeline.iter().find(|entry| entry["type"] == of).unwrap()["actor"].clone()
    };
    assert_eq!(actors(0, "OrderPaused"), "ann@company");
    assert_eq!(actors(1, "OrderPaused"), "bob, by desk");
    assert_eq!(actors(0, "OrderPlaced"), "web");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_a_key_acts_as_its_principal_and_not_as_the_user_of_the_machine() {
    let (guarded, _, _) = with_orders_of_two_shops().await;
    let (_, desk) = guarded.key(&["--role", "operator", "--name", "desk"]);
    let mut pause = binary();
    pause.args(["pause", "web-1", "--reason", "recount", "--server", &guarded.base]);
    ends(&pause.env("TENUTO_TOKEN", &desk).env("USER", "root").output().unwrap(), 0);
    let query = "{ orders(where: { state: PAUSED }) { nodes { timeline { nodes { type actor } } } } }";
    until("the views have it", async || {
        let found = guarded.query(&desk, query).await;
        found["data"]["orders"]["nodes"][0]["timeline"]["nodes"]
            .as_array()
            .is_some_and(|events| events.iter().any(|event| event["type"] == "OrderPaused" && event["actor"] == "desk"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_answers_the_actions_and_the_undos_that_asked_it_and_no_others() {
    let guarded = Guarded::new().await;
    register(&guarded, UNDONE_BY_ANOTHER).await;
    let (_, web) = guarded.key(&["--role", "shop", "--name", "web"]);
    let [desk, store] =
        ["desk", "store"].map(|name| guarded.key(&["--role", &format!("participant:{name}"), "--name", name]).1);
    assert_eq!(place_in(&guarded, "lent", &web, "lent-1").await, 202);
    let answer = async |token: &str, direction: &str| {
        let path = format!("/orders/lent-1/steps/lend/outcome?direction={direction}");
        let answer = json!({ "outcome": "done" });
        guarded.ask(Method::POST, &path, Some(token), Some(&answer)).await.status().as_u16()
    };
    for (token, direction) in [(&desk, "undo"), (&store, "undo"), (&store, "do")] {
        assert_eq!(answer(token, direction).await, 404, "{direction}");
    }
    assert_eq!(answer(&desk, "do").await, 202);
    let reads = async |token: &str| {
        guarded.ask(Method::GET, "/orders/lent-1/personal-data", Some(token), None).await.status().as_u16()
    };
    assert_eq!((reads(&desk).await, reads(&store).await), (200, 404));
    let cancel = json!({ "reason": "changed its mind" });
    let canceled = guarded.ask(Method::POST, "/orders/lent-1/cancel", Some(&web), Some(&cancel)).await;
    assert_eq!(canceled.status(), 202);
    assert_eq!((reads(&desk).await, reads(&store).await), (200, 200));
    assert_eq!(answer(&desk, "undo").await, 404, "another participant was asked to undo it");
    assert_eq!(answer(&store, "do").await, 404);
    assert_eq!(answer(&store, "undo").await, 202);
}

//! What callers do is counted by role, and keys that come and go are logged.

use reqwest::Method;
use serde_json::json;

use super::Guarded;
use crate::process::{binary, until};
use crate::world::order;

#[tokio::test(flavor = "multi_thread")]
async fn requests_disclosures_and_erasures_are_counted() {
    let guarded = Guarded::new().await;
    let (web, operator) =
        (guarded.key(&["--role", "shop", "--name", "storefront"]).1, guarded.issuer.token("ann", "operator"));
    let placed = guarded.ask(Method::POST, "/orders", Some(&web), Some(&order("A", "order-fulfilment", "11", 1))).await;
    assert_eq!(placed.status(), 202);
    let query = "{ order(id: \"A\") { customer { email } } }";
    until("the operator reads the customer", async || {
        guarded.query(&operator, query).await["data"]["order"]["customer"]["email"] == "orders@vinet.example"
    })
    .await;
    let read = guarded.ask(Method::GET, "/orders/A/personal-data", Some(&web), None).await;
    assert_eq!(read.status(), 200);
    let cancel = json!({ "reason": "she changed her mind" });
    assert_eq!(guarded.ask(Method::POST, "/orders/A/cancel", Some(&web), Some(&cancel)).await.status(), 202);
    until("the order has ended", async || {
        guarded.query(&operator, "{ order(id: \"A\") { state } }").await["data"]["order"]["state"] == "CANCELED"
    })
    .await;
    let admin = guarded.issuer.token("eve", "admin");
    let forget = json!({ "reason": "she asked for it" });
    let erased = guarded.ask(Method::POST, "/customers/VINET/forget", Some(&admin), Some(&forget)).await;
    assert_eq!(erased.status(), 200, "{}", erased.text().await.unwrap());
    let wrong = "/orders/A/steps/create/outcome?token=wrong";
    let refused = guarded.ask(Method::POST, wrong, None, Some(&json!({ "outcome": "done" }))).await;
    assert_eq!(refused.status(), 401);

    let metrics = guarded.ask(Method::GET, "/metrics", Some(&operator), None).await.text().await.unwrap();
    let count = |series: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series}: {metrics}")).parse::<u64>().unwrap()
    };
    assert_eq!(count("tenuto_authenticated_requests_total{credentials=\"key\",role=\"shop\"}"), 3);
    assert_eq!(count("tenuto_authenticated_requests_total{credentials=\"token\",role=\"admin\"}"), 1);
    assert!(count("tenuto_authenticated_requests_total{credentials=\"token\",role=\"operator\"}") >= 1);
    assert_eq!(count("tenuto_disclosed_orders_total"), 2);
    assert_eq!(count("tenuto_erasures_total"), 1);
    assert_eq!(count("tenuto_rejected_callback_tokens_total{reason=\"malformed\"}"), 1);
    assert!(!metrics.contains("ann") && !metrics.contains("storefront") && !metrics.contains("VINET"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_created_or_revoked_is_logged_without_the_key() {
    let guarded = Guarded::new().await;
    let run = |arguments: &[&str]| {
        let mut command = binary();
        command.arg("key").args(arguments).env("TENUTO_POSTGRES", guarded.database.url()).env("TENUTO_LOG", "info");
        let output = command.output().unwrap();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let [key, created] = run(&["create", "--role", "operator", "--role", "author", "--name", "ci"]);
    let line =
        created.lines().find(|line| line.contains("an API key was created")).unwrap_or_else(|| panic!("{created}"));
    assert!(line.contains("INFO") && line.contains("principal=\"ci\"") && line.contains("roles=\"operator author\""));
    assert!(!created.contains(key.trim()), "{created}");
    let id = line.split_once("key=\"").unwrap().1.split('"').next().unwrap();
    let [_, revoked] = run(&["revoke", id]);
    assert!(revoked.contains("an API key was revoked") && revoked.contains(id), "{revoked}");
}

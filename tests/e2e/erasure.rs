//! A customer is forgotten: no one can read the personal data any more, in any place, and all other
//! data is unchanged.

use std::process::{Command, Output};

use event_store::EventStore;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::process::{binary, ends};
use crate::world::{World, order};

/// The customer's personal data, in words that occur nowhere else.
const PERSONAL: [&str; 7] = [
    "Zaphod Beeblebrox",
    "zaphod@heartofgold.example",
    "Trillian Astra",
    "42 Improbability Drive",
    "Betelgeuse City",
    "BX-47114",
    "Beeblebrox",
];

/// An order of that customer.
fn personal(id: &str, workflow: &str, quantity: u32) -> Value {
    let [name, email, receiver, street, city, postal_code, _] = PERSONAL;
    let mut order = order(id, workflow, "11", quantity);
    order["customer"] = json!({ "id": "ZB/1", "name": name, "email": email });
    order["shipTo"] = json!({
        "name": receiver, "street": street, "city": city, "postalCode": postal_code, "country": "France",
    });
    order
}

fn tenuto(arguments: &[&str]) -> Output {
    binary().args(arguments).output().unwrap()
}

fn forget(world: &World, customer: &str) -> Output {
    tenuto(&["forget", customer, "--reason", "asked for", "--actor", "ann", "--server", &world.base])
}

/// The first of the words that occurs in some bytes.
fn word_in(bytes: &[u8]) -> Option<&'static str> {
    PERSONAL.into_iter().find(|word| bytes.windows(word.len()).any(|window| window == word.as_bytes()))
}

/// The files below a folder in which one of the words occurs.
fn files_with_words(folder: &str) -> String {
    let words = PERSONAL.iter().flat_map(|word| ["-e", word]);
    // Files that appear or disappear meanwhile are no error.
    let found = Command::new("grep").args(["-rlasF"]).args(words).arg(folder).output().unwrap();
    String::from_utf8(found.stdout).unwrap()
}

/// The events of a log in which one of the words occurs. The events are read, because files may be
/// compressed.
async fn events_with_words(log: &EventStore) -> Vec<String> {
    let (mut history, mut found) = (log.history(None), Vec::new());
    while let Some(record) = history.next().await.unwrap() {
        let event = record.event;
        if let Some(word) = word_in(&event.data).or(word_in(&event.metadata)) {
            found.push(format!("{} of {}: {word}", event.event_type, event.stream));
        }
    }
    found
}

/// The tables of all schemas with a row in which one of the words occurs.
async fn tables_with_words(pool: &PgPool) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let query = format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} AS t");
        let text: String = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(pool).await.unwrap();
        if let Some(word) = word_in(text.as_bytes()) {
            found.push(format!("{table}: {word}"));
        }
    }
    found
}

const CUSTOMER: &str = "customer { id name email erasedAt } shipTo { name street city postalCode country }";

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_customer_is_found_nowhere_and_the_record_stays_provable() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 50 }])).await;
    let pool = PgPool::connect(world.database.url()).await.unwrap();
    let log = EventStore::connect(&world.log).unwrap();

    let cluster: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&pool).await.unwrap();
    an_order_without_mails_leaves_nothing_in_any_file(&world, &cluster).await;
    world.place(&personal("Z1", "order-fulfilment", 2)).await;
    world.place(&personal("Z2", "order-parallel", 1)).await;
    world.place(&order("other", "order-fulfilment", "11", 1)).await;
    let keyed = world.http.post(format!("{}/orders", world.base)).header("Idempotency-Key", "z3");
    let keyed = keyed.json(&personal("Z3", "order-fulfilment-without-backorder", 60)).send().await.unwrap();
    assert_eq!(keyed.status(), 202);
    world.comes_to("Z1", "Shipped", "COMPLETED").await;
    world.comes_to("Z2", "Confirmed", "COMPLETED").await;
    world.comes_to("Z3", "Canceled", "CANCELED").await;
    world.comes_to("other", "Shipped", "COMPLETED").await;

    let [name, email, receiver, street, city, postal_code, _] = PERSONAL;
    let reported = world.order("Z1", CUSTOMER).await;
    assert_eq!(
        reported,
        json!({
            "customer": { "id": "ZB/1", "name": name, "email": email, "erasedAt": null },
            "shipTo": { "name": receiver, "street": street, "city": city, "postalCode": postal_code, "country": "France" },
        })
    );
    let personal_data = world.get("/orders/Z2/personal-data").await;
    assert_eq!((personal_data.0, &personal_data.1["email"]), (200, &json!(email)));
    assert_eq!(world.get("/orders/none/personal-data").await.0, 404);

    // The log and the views never had them. Only the service that writes mails has.
    assert_eq!(events_with_words(&log).await, Vec::<String>::new());
    let tables = tables_with_words(&pool).await;
    assert_eq!(tables, [format!("participant_notifications.mails: {name}")]);
    assert_ne!(files_with_words(&cluster), "", "what is there is found");

    refused_while_an_order_is_open(&world).await;
    let reported = ends(&forget(&world, "ZB/1"), 0);
    assert!(reported.contains("customer ZB/1 is forgotten: the personal data of 6 orders"), "{reported}");
    assert!(ends(&forget(&world, "unknown"), 1).contains("there is no customer \"unknown\""));

    world.until("the mails are deleted", async || tables_with_words(&pool).await.is_empty()).await;
    let reported = world.order("Z1", CUSTOMER).await;
    let customer = &reported["customer"];
    assert_eq!((&customer["id"], &customer["name"], &customer["email"]), (&json!("ZB/1"), &Value::Null, &Value::Null));
    assert!(customer["erasedAt"].is_string(), "{reported}");
    assert_eq!(
        reported["shipTo"],
        json!({ "name": null, "street": null, "city": null, "postalCode": null, "country": "France" })
    );
    assert_eq!(
        world.query(&format!("{{ order(id: \"Z1\", atRevision: 3) {{ {CUSTOMER} }} }}")).await["order"],
        reported
    );
    assert_eq!(world.order("other", "customer { name }").await["customer"]["name"], "Vins et alcools Chevalier");
    assert_eq!(world.get("/orders/Z2/personal-data").await.0, 410);
    // Nothing is left to compare the same request with, so it is refused.
    assert_eq!(world.post("/orders", &personal("Z1", "order-fulfilment", 2)).await.0, 409);

    let (copy, url) = (world.data().join("copy"), world.database.url());
    ends(&tenuto(&["event-store", "backup", "--from", &world.log, "--to", copy.to_str().unwrap()]), 0);
    assert_eq!(files_with_words(world.data().to_str().unwrap()), "");
    assert_eq!(events_with_words(&log).await, Vec::<String>::new());
    ends(&tenuto(&["audit", "verify", "--all", "--event-store", &world.log, "--postgres", url]), 0);
    ends(&tenuto(&["rebuild", "--check", "--event-store", &world.log, "--postgres", url]), 0);
    for id in ["Z1", "Z2", "Z3"] {
        let reported = ends(&tenuto(&["replay", id, "--event-store", &world.log]), 0);
        assert!(!reported.contains("Zaphod"), "{reported}");
    }
    comes_back(&world).await;
    names_an_open_order_whose_key_was_lost(&world, &pool).await;
}

/// Without a participant that keeps copies, no plain text is left: not in a page, and not in the
/// write-ahead log.
async fn an_order_without_mails_leaves_nothing_in_any_file(world: &World, cluster: &str) {
    let quiet = r#"workflow: quiet
version: 1
participants: { shipping: { url: "${SHIPPING_URL}" } }
steps:
  ship:
    request: shipping.ship
    with: { lines: order.lines, backorder: false, shipTo: order.shipTo }
    timeout: 1d
    outcomes: [shipped, out_of_stock]
"#;
    world.register(quiet).await;
    world.place(&personal("Z0", "quiet", 1)).await;
    world.comes_to("Z0", "Placed", "COMPLETED").await;
    assert_eq!(files_with_words(cluster), "");
    assert_eq!(files_with_words(world.data().to_str().unwrap()), "");
}

async fn refused_while_an_order_is_open(world: &World) {
    world.place(&personal("Z4", "order-fulfilment", 1)).await;
    world.comes_to("Z4", "Shipped", "COMPLETED").await;
    world.place(&personal("Z5", "order-fulfilment", 500)).await;
    world.comes_to("Z5", "BackOrdered", "WAITING").await;
    let reported = ends(&forget(world, "ZB/1"), 1);
    assert!(reported.contains("needed by orders that have not ended: Z5; cancel them, or wait"), "{reported}");
    let (status, body) = world.post("/orders/Z5/cancel", &json!({ "reason": "to be forgotten" })).await;
    assert_eq!(status, 202, "{body}");
    world.comes_to("Z5", "Canceled", "CANCELED").await;
}

/// The personal data of this order is lost already, so it does not prevent the erasure. But the
/// order does not end by itself.
async fn names_an_open_order_whose_key_was_lost(world: &World, pool: &PgPool) {
    world.place(&personal("Z7", "order-fulfilment", 500)).await;
    world.comes_to("Z7", "BackOrdered", "WAITING").await;
    sqlx::query("DELETE FROM customer_keys WHERE customer_id = 'ZB/1'").execute(pool).await.unwrap();
    let reported = ends(&forget(world, "ZB/1"), 0);
    assert!(reported.contains("these orders have not ended: Z7; "), "{reported}");
    let (status, body) = world.post("/orders/Z7/cancel", &json!({ "reason": "forgotten" })).await;
    assert_eq!(status, 202, "{body}");
    world.comes_to("Z7", "Canceled", "CANCELED").await;
    assert!(!ends(&forget(world, "ZB/1"), 0).contains("have not ended"));
}

/// A customer who returns is treated as a new one: with a new key, and without earlier data.
async fn comes_back(world: &World) {
    world.place(&personal("Z6", "order-fulfilment", 1)).await;
    world.comes_to("Z6", "Shipped", "COMPLETED").await;
    let name = |order: Value| order["customer"]["name"].clone();
    assert_eq!(name(world.order("Z6", "customer { name }").await), PERSONAL[0]);
    assert_eq!(name(world.order("Z1", "customer { name }").await), Value::Null);
    let reported = ends(&forget(world, "ZB/1"), 0);
    assert!(reported.contains("the personal data of 7 orders"), "{reported}");
    assert_eq!(name(world.order("Z6", "customer { name }").await), Value::Null);
}

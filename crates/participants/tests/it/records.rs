//! The services' records, and how to read them.

use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;

use crate::world::World;

#[tokio::test]
async fn an_order_is_recorded_with_its_whole_input() {
    let world = World::start().await;
    let details =
        json!({ "customer": { "id": "VINET" }, "currency": "EUR", "total": "440.00", "lines": [{ "sku": "11" }] });
    assert_eq!(world.ask("orders.create", "10248", details.clone()).outcome().await, "created");
    assert_eq!(world.ask("orders.update_status", "10248", json!({ "status": "Shipped" })).outcome().await, "updated");
    let record = world.get("/orders/10248").await.body;
    assert_eq!((&record["details"], &record["status"]), (&details, &json!("Shipped")));

    assert_eq!(world.ask("orders.cancel", "10248", json!({})).outcome().await, "canceled");
    let record = world.get("/orders/10248").await.body;
    assert_eq!((&record["details"], &record["status"]), (&details, &json!("Canceled")));
}

#[tokio::test]
async fn an_order_that_was_never_created_has_nothing_to_update() {
    let world = World::start().await;
    let update = world.ask("orders.update_status", "1", json!({ "status": "Canceled" }));
    assert_eq!(update.outcome().await, "nothing_to_update");
    assert_eq!(world.get("/orders/1").await.status, 404);
}

#[tokio::test]
async fn payments_add_up_to_the_last_digit() {
    let world = World::start().await;
    for (order, amount, currency) in
        [("1", "0.10", "EUR"), ("2", "0.20", "EUR"), ("3", "999999999999999.999999", "EUR"), ("4", "7", "USD")]
    {
        let charge =
            world.ask("payments.charge", order, json!({ "amount": amount, "currency": currency })).send().await;
        assert_eq!(charge.body["data"]["amount"], amount);
    }
    let refund = world.ask("payments.refund", "2", Value::Null).send().await;
    assert_eq!((&refund.body["outcome"], &refund.body["data"]["amount"]), (&json!("refunded"), &json!("0.20")));
    assert_eq!(world.get("/payments/2").await.body["state"], "refunded");
    let totals = json!([
        { "currency": "EUR", "charged": "1000000000000000.299999", "refunded": "0.20", "charges": 3, "refunds": 1 },
        { "currency": "USD", "charged": "7", "refunded": "0", "charges": 1, "refunds": 0 },
    ]);
    assert_eq!(world.get("/payments/totals").await.body, totals);
}

#[tokio::test]
async fn repeated_and_concurrent_migrations_touch_only_the_services_schemas() {
    let database = postgres_cluster::testing::database().await;
    let pool = PgPoolOptions::new().max_connections(4).connect(database.url()).await.unwrap();
    let (one, other) = tokio::join!(participants::migrate(&pool), participants::migrate(&pool));
    one.unwrap();
    other.unwrap();
    participants::migrate(&pool).await.unwrap();
    let schemas: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT table_schema::text FROM information_schema.tables
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let expected = ["notifications", "orders", "payments", "shipping"].map(|service| format!("participant_{service}"));
    assert_eq!(schemas, expected);
}

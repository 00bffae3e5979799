//! The ways in which an order can end.

use serde_json::{Value, json};

use crate::world::{World, order};

/// The sentences of an order's timeline.
async fn summaries_of(world: &World, id: &str) -> Vec<String> {
    let order = world.order(id, "timeline(first: 100) { edges { node { summary } } }").await;
    let edges = order["timeline"]["edges"].as_array().unwrap();
    edges.iter().map(|edge| edge["node"]["summary"].as_str().unwrap().to_owned()).collect()
}

async fn mails(world: &World, id: &str) -> Vec<String> {
    let (_, mailbox) = world.get(&format!("/participants/notifications/mailbox?orderId={id}")).await;
    mailbox["mails"].as_array().unwrap().iter().map(|mail| mail["template"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_order_in_stock_is_shipped() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    let receipt = world.place(&order("A", "order-fulfilment", "11", 2)).await;
    assert_eq!(receipt["orderId"], "A");
    world.comes_to("A", "Shipped", "COMPLETED").await;
    assert_eq!(mails(&world, "A").await, ["order-shipped"]);
    let shipped = world.order("A", "result total steps { id status outcome attempts }").await;
    assert!(shipped["result"]["tracking"].is_string(), "{shipped}");
    assert_eq!(shipped["total"], "28.00");
    let reported = summaries_of(&world, "A").await;
    assert_eq!(reported.first().map(String::as_str), Some("Placed by customer VINET: 1 line, 28.00 EUR"));
    assert_eq!(reported.last().map(String::as_str), Some("The order is completed"));
    let (status, head) = world.get("/orders/A").await;
    assert_eq!((status, &head["status"], &head["state"]), (200, &json!("Shipped"), &json!("COMPLETED")));
}

#[tokio::test]
async fn a_back_ordered_order_is_shipped_when_stock_arrives() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("B", "order-fulfilment", "11", 8)).await;
    world.comes_to("B", "BackOrdered", "WAITING").await;
    world.until("the customer knows", async || mails(&world, "B").await == ["order-backordered"]).await;
    let (status, _) = world.post("/participants/shipping/restock", &json!([{ "sku": "11", "quantity": 5 }])).await;
    assert!(status < 300);
    world.comes_to("B", "Shipped", "COMPLETED").await;
    let mut mails = mails(&world, "B").await;
    mails.sort();
    assert_eq!(mails, ["order-backordered", "order-shipped"]);
}

#[tokio::test]
async fn an_order_that_cannot_be_fulfilled_is_undone() {
    let world = World::new().await;
    world.place(&order("C", "order-fulfilment-without-backorder", "11", 1)).await;
    world.comes_to("C", "Canceled", "CANCELED").await;
    assert_eq!(mails(&world, "C").await, ["order-canceled"]);
    let (_, totals) = world.get("/participants/payments/totals").await;
    assert_eq!((&totals[0]["charged"], &totals[0]["refunded"]), (&json!("14.00"), &json!("14.00")), "{totals}");
    let (_, record) = world.get("/participants/orders/C").await;
    assert_eq!(record["status"], "Canceled", "{record}");
}

#[tokio::test]
async fn the_same_order_again_gives_the_same_answer_and_no_second_order() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    let order = order("D", "order-fulfilment", "11", 1);
    let first = world.place(&order).await;
    world.comes_to("D", "Shipped", "COMPLETED").await;
    assert_eq!(world.place(&order).await, first);
    let other = json!({ "currency": "USD" });
    let mut changed = order.clone();
    changed.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    let (status, problem) = world.post("/orders", &changed).await;
    assert_eq!((status, &problem["status"]), (409, &json!(409)), "{problem}");
}

#[tokio::test]
async fn an_idempotency_key_means_one_order() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    let mut order = order("", "order-fulfilment", "11", 1);
    order.as_object_mut().unwrap().remove("orderId");
    let send = async |key: &str, order: &Value| {
        let request = world.http.post(format!("{}/orders", world.base)).header("Idempotency-Key", key).json(order);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, first) = send("\"k-1\"", &order).await;
    assert_eq!(status, 202, "{first}");
    assert_eq!(send("k-1", &order).await, (202, first.clone()));
    let (_, second) = send("\"k-2\"", &order).await;
    assert_ne!(first["orderId"], second["orderId"]);
    order["currency"] = json!("USD");
    assert_eq!(send("\"k-1\"", &order).await.0, 422);
}

#[tokio::test]
async fn one_of_many_racing_requests_places_the_order_and_all_get_its_answer() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    let order = order("R", "order-fulfilment", "11", 1);
    let answers = futures::future::join_all((0..20).map(|_| world.post("/orders", &order))).await;
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!(answers[0].0, 202, "{}", answers[0].1);
    world.comes_to("R", "Shipped", "COMPLETED").await;
    let (_, totals) = world.get("/participants/payments/totals").await;
    assert_eq!(totals[0]["charges"], 1);
}

#[tokio::test]
async fn every_order_that_was_accepted_can_be_completed() {
    let world = World::new().await;
    // Free of charge, with a long product name in many bytes, and a customer without a name.
    let sku = "茶".repeat(64);
    world.stock(&json!([{ "sku": sku, "quantity": 5 }])).await;
    let mut order = order("odd", "order-fulfilment", &sku, 1);
    order["lines"][0]["unitPrice"] = json!("0.00");
    order["customer"]["name"] = json!("");
    world.place(&order).await;
    world.comes_to("odd", "Shipped", "COMPLETED").await;
}

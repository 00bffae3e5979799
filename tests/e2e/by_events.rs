//! Orders with some or all participants reached by events.

use serde_json::{Value, json};

use crate::world::{World, order};

/// A world with the tests' workflows.
async fn world() -> World {
    World::with(&["--workflows", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workflows")]).await
}

async fn steps(world: &World, id: &str) -> Value {
    world.order(id, "steps { id status outcome lastError }").await["steps"].take()
}

async fn totals(world: &World) -> Value {
    world.get("/participants/payments/totals").await.1[0].take()
}

/// The templates of the mails about an order, sorted by name.
async fn mailed(world: &World, id: &str) -> Vec<String> {
    let (_, mailbox) = world.get(&format!("/participants/notifications/mailbox?orderId={id}")).await;
    let mails = mailbox["mails"].as_array().unwrap().iter();
    let mut templates: Vec<String> = mails.map(|mail| mail["template"].as_str().unwrap().to_owned()).collect();
    templates.sort();
    templates
}

#[tokio::test]
async fn three_services_act_in_parallel_and_their_results_are_composed() {
    let world = world().await;
    world.place(&order("P", "order-parallel", "11", 2)).await;
    world.comes_to("P", "Confirmed", "COMPLETED").await;
    let reported = world.order("P", "result timeline(first: 3) { edges { node { summary } } }").await;
    let result = &reported["result"];
    assert_eq!((&result["order"], &result["mail"]), (&json!("created"), &json!("sent")), "{reported}");
    let (_, charge) = world.get("/participants/payments/P").await;
    assert_eq!(result["charge"], charge["chargeId"], "{reported} {charge}");
    assert_eq!(mailed(&world, "P").await, ["order-placed"]);
    let (_, record) = world.get("/participants/orders/P").await;
    assert_eq!(record["status"], "Confirmed");
}

#[tokio::test]
async fn a_customer_without_a_mail_address_gets_no_mail_and_the_order_has_a_result() {
    let world = world().await;
    let mut order = order("Q", "order-parallel", "11", 1);
    order["customer"].as_object_mut().unwrap().remove("email");
    world.place(&order).await;
    world.comes_to("Q", "Confirmed", "COMPLETED").await;
    let result = world.order("Q", "result").await["result"].take();
    assert_eq!(result["mail"], Value::Null, "{result}");
    assert!(result["charge"].is_string(), "{result}");
}

#[tokio::test]
async fn if_one_of_three_services_refuses_the_others_undo() {
    let world = world().await;
    let refused = json!({ "status": 402, "detail": "the card has expired" });
    let fault = json!([{ "participant": "payments", "action": "charge", "respond": refused }]);
    let (status, body) = world.post("/participants/faults", &fault).await;
    assert_eq!(status, 200, "{body}");
    world.place(&order("R", "order-parallel", "11", 1)).await;
    world.comes_to("R", "Canceled", "CANCELED").await;
    let steps = steps(&world, "R").await;
    let charge = steps.as_array().unwrap().iter().find(|step| step["id"] == "charge").unwrap();
    assert_eq!(charge["lastError"], "the card has expired", "{steps}");
    assert_eq!(world.get("/participants/orders/R").await.1["status"], "Canceled");
    assert_eq!(mailed(&world, "R").await, ["order-canceled", "order-placed"]);
}

#[tokio::test]
async fn direct_and_event_driven_steps_follow_one_another() {
    let world = world().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    let with = |id: &str, quantity: u32, patient: bool| {
        let mut order = order(id, "order-mixed", "11", quantity);
        order["attributes"] = json!({ "patient": patient });
        order
    };
    world.place(&with("M1", 2, true)).await;
    world.comes_to("M1", "Shipped", "COMPLETED").await;
    world.place(&with("M2", 8, true)).await;
    world.comes_to("M2", "BackOrdered", "WAITING").await;
    // A later answer arrives by events like the request, after the interim answer.
    world.post("/participants/shipping/restock", &json!([{ "sku": "11", "quantity": 5 }])).await;
    world.comes_to("M2", "Shipped", "COMPLETED").await;
    assert!(world.order("M2", "result").await["result"]["tracking"].is_string());
    world.place(&with("M3", 8, false)).await;
    world.comes_to("M3", "Canceled", "CANCELED").await;
    let totals = totals(&world).await;
    assert_eq!((&totals["charged"], &totals["refunded"]), (&json!("252.00"), &json!("112.00")), "{totals}");
}

#[tokio::test]
async fn out_of_stock_by_events_undoes_by_events() {
    let world = world().await;
    world.place(&order("E", "order-by-events", "11", 1)).await;
    world.comes_to("E", "Canceled", "CANCELED").await;
    let steps = steps(&world, "E").await;
    let status = |id: &str| steps.as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()["status"].clone();
    assert_eq!([status("create-order"), status("charge")], [json!("COMPENSATED"), json!("COMPENSATED")], "{steps}");
    let totals = totals(&world).await;
    assert_eq!((&totals["charged"], &totals["refunded"]), (&json!("14.00"), &json!("14.00")), "{totals}");
    assert_eq!(world.get("/participants/orders/E").await.1["status"], "Canceled");
}

#[tokio::test]
async fn scripted_faults_apply_to_requests_by_events_and_each_effect_happens_once() {
    let world = world().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    let faults = json!([
        { "participant": "orders", "action": "create", "respond": { "status": 503 }, "times": 2 },
        { "participant": "payments", "action": "charge", "loseAnswer": true, "times": 2 },
        { "participant": "shipping", "action": "ship", "crash": "after", "times": 1 },
        { "participant": "orders", "action": "update_status", "crash": "before", "times": 1 },
    ]);
    let (status, body) = world.post("/participants/faults", &faults).await;
    assert_eq!(status, 200, "{body}");
    world.place(&order("F", "order-by-events", "11", 2)).await;
    world.comes_to("F", "Shipped", "COMPLETED").await;
    assert_eq!(world.get("/participants/faults").await.1, json!([]), "all of them struck");
    let totals = totals(&world).await;
    assert_eq!((&totals["charges"], &totals["charged"]), (&json!(1), &json!("28.00")));
    let (_, stock) = world.get("/participants/shipping/stock").await;
    assert_eq!(stock[0]["onHand"], 3, "{stock}");
}

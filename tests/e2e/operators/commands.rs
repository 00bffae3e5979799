//! Each command: its effect, the states in which it is refused, and the actor and reason in the
//! history.

use serde_json::{Value, json};

use super::{answer, entry, fault, operate, operated, refused, waiting, world};
use crate::world::{World, order};

fn none() -> Value {
    json!({})
}

fn skip(step: &str, outcome: &str) -> Value {
    json!({ "step": step, "outcome": outcome })
}

async fn signed(world: &World, id: &str, kind: &str) {
    let entry = entry(world, id, kind).await;
    assert_eq!((&entry["actor"], &entry["reason"]), (&json!("ann"), &json!("the customer called")), "{entry}");
}

#[tokio::test]
async fn a_canceled_order_is_undone_and_accepts_no_more_commands() {
    let world = world().await;
    waiting(&world, "C").await;
    operated(&world, "C", "cancel", none()).await;
    world.comes_to("C", "Placed", "CANCELED").await;
    let (_, charge) = world.get("/participants/payments/C").await;
    assert_eq!(charge["state"], "refunded", "{charge}");
    signed(&world, "C", "CompensationStarted").await;
    for word in ["cancel", "note", "pause", "resume", "retry"] {
        refused(&world, "C", word, none(), "CANCELED").await;
    }
    refused(&world, "C", "skip", skip("approve", "approved"), "CANCELED").await;
    let (status, problem) = answer(&world, "C", json!({ "outcome": "approved" })).await;
    assert_eq!((status, &problem["state"]), (409, &json!("CANCELED")), "{problem}");
}

#[tokio::test]
async fn a_back_ordered_order_and_its_shipment_can_be_canceled() {
    let world = World::new().await;
    world.place(&order("B", "order-fulfilment", "11", 1)).await;
    world.comes_to("B", "BackOrdered", "WAITING").await;
    operated(&world, "B", "cancel", none()).await;
    world.comes_to("B", "Canceled", "CANCELED").await;
    let (_, totals) = world.get("/participants/payments/totals").await;
    assert_eq!(totals[0]["charged"], totals[0]["refunded"], "{totals}");
    let (status, _) = world.post("/participants/shipping/restock", &json!([{ "sku": "11", "quantity": 5 }])).await;
    assert!(status < 300);
    world.comes_to("B", "Canceled", "CANCELED").await;
}

#[tokio::test]
async fn a_note_is_in_the_history_with_its_author_and_nothing_else_about_the_order_changes() {
    let world = world().await;
    waiting(&world, "M").await;
    let before = world.order("M", "status state steps { id status since dueAt }").await;
    operated(&world, "M", "note", none()).await;
    signed(&world, "M", "OrderNoted").await;
    assert_eq!(world.order("M", "status state steps { id status since dueAt }").await, before);
    let (status, problem) = operate(&world, "M", "note", json!({ "reason": "x".repeat(501) })).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/reason")), "{problem}");
    let (status, _) = answer(&world, "M", json!({ "outcome": "approved" })).await;
    assert_eq!(status, 202);
    world.comes_to("M", "Placed", "COMPLETED").await;
}

#[tokio::test]
async fn a_paused_order_records_answers_and_continues_when_resumed() {
    let world = world().await;
    waiting(&world, "P").await;
    refused(&world, "P", "resume", none(), "WAITING").await;
    operated(&world, "P", "pause", none()).await;
    world.comes_to("P", "Placed", "PAUSED").await;
    refused(&world, "P", "pause", none(), "PAUSED").await;
    refused(&world, "P", "retry", none(), "PAUSED").await;
    let by_bob = json!({ "outcome": "approved", "actor": "bob", "reason": "known for years" });
    let (status, receipt) = answer(&world, "P", by_bob).await;
    assert_eq!(status, 202, "{receipt}");
    world
        .until("the views have it", async || world.order("P", "revision").await["revision"] == receipt["revision"])
        .await;
    assert_eq!(world.order("P", "state").await["state"], "PAUSED");
    operated(&world, "P", "resume", none()).await;
    world.comes_to("P", "Placed", "COMPLETED").await;
    signed(&world, "P", "OrderPaused").await;
    signed(&world, "P", "OrderResumed").await;
    let answered = world.order("P", "timeline(first: 100) { edges { node { type step actor reason } } }").await;
    let answered = answered["timeline"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["node"]["step"] == "approve" && e["node"]["type"] == "StepCompleted");
    let answered = &answered.unwrap()["node"];
    assert_eq!((&answered["actor"], &answered["reason"]), (&json!("bob"), &json!("known for years")));
    refused(&world, "P", "pause", none(), "COMPLETED").await;
}

#[tokio::test]
async fn an_answer_of_a_participant_is_recorded_without_an_actor() {
    let world = world().await;
    waiting(&world, "A").await;
    assert_eq!(answer(&world, "A", json!({ "outcome": "approved" })).await.0, 202);
    world.comes_to("A", "Placed", "COMPLETED").await;
    let order = world.order("A", "timeline(first: 100) { edges { node { actor reason } } }").await;
    let edges = order["timeline"]["edges"].as_array().unwrap();
    assert!(edges.iter().all(|edge| edge["node"]["actor"].is_null() && edge["node"]["reason"].is_null()), "{order}");
}

#[tokio::test]
async fn a_retry_starts_the_next_attempt_at_once() {
    let world = World::new().await;
    let patient = "workflow: patient\nversion: 1\nparticipants:\n  payments: { url: \"${PAYMENTS_URL}\" }\nsteps:\n  charge:\n    \
                   call: payments.charge\n    with: { amount: order.total, currency: order.currency }\n    undo: payments.refund\n    \
                   retry: { attempts: 5, initial: 1h, max: 1h }\n  more: { after: [charge], wait: 1h }\n";
    world.register(patient).await;
    let down = json!({ "participant": "payments", "action": "charge", "respond": { "status": 503 }, "times": 1 });
    fault(&world, Some(down)).await;
    world.place(&order("R", "patient", "11", 1)).await;
    let charge = async || {
        let order = world.order("R", "steps { id status }").await;
        order["steps"]
            .as_array()
            .is_some_and(|steps| steps.iter().any(|s| s["id"] == "charge" && s["status"] == "RETRYING"))
    };
    world.until("the first attempt has failed", charge).await;
    refused(&world, "R", "retry", json!({ "step": "more" }), "RUNNING").await;
    operated(&world, "R", "retry", json!({ "step": "charge" })).await;
    world.comes_to("R", "Placed", "WAITING").await;
    refused(&world, "R", "retry", none(), "WAITING").await;
    operated(&world, "R", "skip", json!({ "step": "more", "outcome": "elapsed" })).await;
    world.comes_to("R", "Placed", "COMPLETED").await;
}

#[tokio::test]
async fn a_stuck_order_continues_after_a_retry_and_after_its_undo_is_skipped() {
    let world = world().await;
    let closed = json!({ "status": 400, "detail": "the account is closed" });
    fault(&world, Some(json!({ "participant": "payments", "action": "refund", "respond": closed }))).await;
    for id in ["S1", "S2"] {
        waiting(&world, id).await;
        operated(&world, id, "cancel", none()).await;
        world.comes_to(id, "Placed", "STUCK").await;
        refused(&world, id, "cancel", none(), "STUCK").await;
        refused(&world, id, "pause", none(), "STUCK").await;
    }
    // A skip with an outcome means the step itself, and not its undo.
    refused(&world, "S1", "skip", skip("charge", "done"), "STUCK").await;
    operated(&world, "S1", "skip", json!({ "step": "charge" })).await;
    world.comes_to("S1", "Placed", "CANCELED").await;
    fault(&world, None).await;
    operated(&world, "S2", "retry", none()).await;
    world.comes_to("S2", "Placed", "CANCELED").await;
    let state = async |id: &str| world.get(&format!("/participants/payments/{id}")).await.1["state"].take();
    assert_eq!((state("S1").await, state("S2").await), (json!("charged"), json!("refunded")));
}

#[tokio::test]
async fn a_step_is_skipped_with_the_outcome_to_assume() {
    let world = world().await;
    waiting(&world, "K").await;
    refused(&world, "K", "skip", skip("charge", "done"), "WAITING").await;
    operated(&world, "K", "skip", json!({ "step": "approve", "outcome": "approved", "data": { "by": "phone" } })).await;
    world.comes_to("K", "Placed", "COMPLETED").await;
    let order = world.order("K", "steps { id outcome data }").await;
    let approve = order["steps"].as_array().unwrap().iter().find(|step| step["id"] == "approve").unwrap();
    assert_eq!((&approve["outcome"], &approve["data"]), (&json!("approved"), &json!({ "by": "phone" })));
}

#[tokio::test]
async fn an_actor_without_a_name_is_recorded_as_operator() {
    let world = world().await;
    waiting(&world, "N").await;
    let (status, _) = operate(&world, "N", "pause", json!({ "actor": null })).await;
    assert_eq!(status, 202);
    world.comes_to("N", "Placed", "PAUSED").await;
    assert_eq!(entry(&world, "N", "OrderPaused").await["actor"], "operator");
}

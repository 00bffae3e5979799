//! What a person may do to an order, and why not.

use domain::order::{Direction, Event, Operation};
use domain::testing::{Story, done, order};
use domain::workflow::Workflow;
use event_store::EventStore;
use serde_json::{Value, json};

use crate::as_of::record;
use crate::support::{Row, World};

const APPROVED: &str = "workflow: approved
version: 1
participants: { p: { url: 'http://p' } }
steps:
  approve: { await: approval, outcomes: [approved, rejected], compensate-on: [rejected] }
  ship: { after: [approve], call: p.ship, undo: p.call_back }
";

/// An order that waits for a person, in the log and in the views.
async fn world() -> (World, EventStore) {
    let (world, log) = World::with_log().await;
    sqlx::query(
        "INSERT INTO workflows (name, version, source, outline, registered_at, position)
         VALUES ('approved', 1, $1, '[]', '2026-01-01', 1)",
    )
    .bind(APPROVED)
    .execute(&world.pool)
    .await
    .unwrap();
    add(&world, &log, "1", |_| {}).await;
    (world, log)
}

async fn add(world: &World, log: &EventStore, id: &str, life: impl FnOnce(&mut Story<'_>)) {
    let workflow = Workflow::parse(APPROVED).unwrap();
    let mut story = Story::given(&workflow);
    let id = domain::ids::OrderId::new(id).unwrap();
    story.place(domain::order::NewOrder { order_id: Some(id.clone()), ..order() }).whatever();
    life(&mut story);
    record(log, id.as_str(), story.history()).await;
    world.insert(&Row { workflow: ("approved", 1), state: "WAITING", ..Row::new(id.as_str()) }).await;
    world.sql("UPDATE orders SET placed_by = 'web'").await;
}

/// Each operation as `KIND step: the reason`, or with the outcomes that it may name.
fn shown(operations: &Value) -> Vec<String> {
    let shown = operations.as_array().unwrap().iter().map(|found| {
        let outcome = found["reason"].as_str().map_or_else(|| format!("allowed {}", found["outcomes"]), str::to_owned);
        assert_eq!(found["allowed"], found["reason"].is_null(), "{found}");
        let step = found["step"].as_str().map_or_else(String::new, |step| format!(" {step}"));
        let undo = if found["undo"] == true { " (undo)" } else { "" };
        format!("{}{step}{undo}: {outcome}", found["operation"].as_str().unwrap())
    });
    shown.collect()
}

const FIELDS: &str = "operation step undo allowed reason outcomes";

async fn of(world: &World, arguments: &str) -> Vec<String> {
    let query = format!("{{ order(id: \"1\") {{ operations{arguments} {{ {FIELDS} }} }} }}");
    shown(&world.ask(&query, Value::Null).await["order"]["operations"])
}

#[tokio::test]
async fn the_operations_that_the_state_of_an_order_allows_are_listed_and_the_others_with_their_refusal() {
    let (world, _log) = world().await;
    let expected = [
        "CANCEL: allowed []",
        "NOTE: allowed []",
        "PAUSE: allowed []",
        "RESUME: cannot resume an order that is WAITING",
        "RETRY: nothing to retry: no step of the order, which is WAITING, waits for another attempt or is stuck",
        "RETRY approve: cannot retry step \"approve\", which is WAITING, of an order that is WAITING",
        "SKIP approve: allowed [\"approved\",\"rejected\"]",
        "ANSWER approve: allowed [\"approved\",\"rejected\"]",
    ];
    assert_eq!(of(&world, "").await, expected);
    // A step that has not begun is shown only if it is named.
    let expected = [
        "RETRY ship: cannot retry step \"ship\", which is PENDING, of an order that is WAITING",
        "SKIP ship: cannot skip step \"ship\", which is PENDING, of an order that is WAITING",
        "ANSWER ship: step \"ship\" of the order, which is WAITING, does not wait for an answer",
    ];
    assert_eq!(of(&world, "(step: \"ship\")").await, expected);
    assert_eq!(of(&world, "(step: \"nothing\")").await, [""; 0]);
}

#[tokio::test]
async fn an_operation_is_about_the_undo_while_a_step_is_undone_and_a_past_state_has_its_own() {
    let (world, log) = world().await;
    add(&world, &log, "2", |story| {
        story.signal("approve", "approved").whatever();
        story.operate(Operation::Cancel).whatever();
        story.answer("ship", done()).whatever();
        let begun = story.history().last().unwrap();
        assert!(matches!(begun, Event::StepStarted(e) if e.direction == Direction::Undo), "{begun:?}");
    })
    .await;
    let query = format!(
        "{{ now: order(id: \"2\") {{ operations(step: \"ship\") {{ {FIELDS} }} }}
           then: order(id: \"2\", atRevision: 1) {{ operations {{ {FIELDS} }} }} }}"
    );
    let found = world.ask(&query, Value::Null).await;
    let now = shown(&found["now"]["operations"]);
    assert_eq!(now[1..], ["SKIP ship (undo): allowed []", "ANSWER ship (undo): allowed []"]);
    assert!(shown(&found["then"]["operations"]).contains(&"PAUSE: allowed []".to_owned()), "{found}");
}

#[tokio::test]
async fn the_rights_of_the_caller_limit_the_operations() {
    let (world, _log) = world().await;
    let query = format!("{{ order(id: \"1\") {{ operations {{ {FIELDS} }} }} }}");
    let as_role = async |role| shown(&world.ask_as("web", role, &query).await["order"]["operations"]);
    let shop = as_role("shop").await;
    assert_eq!(shop[0], "CANCEL: allowed []", "it placed the order");
    assert_eq!(shop[1], "NOTE: web may not note, pause, resume, retry or skip: its roles do not allow it");
    assert_eq!(shop[7], "ANSWER approve: web may not answer steps: its roles do not allow it");
    let viewer = as_role("viewer").await;
    assert!(viewer.iter().all(|shown| shown.contains("web may not")), "{viewer:?}");
    assert_eq!(as_role("operator").await, of(&world, "").await);
}

#[tokio::test]
async fn an_order_without_its_definition_has_no_operations_and_is_shown_all_the_same() {
    let (world, _log) = world().await;
    world.sql("DELETE FROM workflows").await;
    let query = format!("{{ order(id: \"1\") {{ id operations {{ {FIELDS} }} }} }}");
    assert_eq!(world.ask(&query, Value::Null).await["order"], json!({ "id": "1", "operations": null }));
}

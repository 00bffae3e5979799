//! The steps that wait for a person.

use serde_json::{Value, json};

use crate::support::{Row, World};

const SOURCE: &str = "workflow: asked
version: 1
participants: {}
steps:
  approve: { await: approval, timeout: 2d, outcomes: [approved, rejected], compensate-on: [rejected] }
  check: { await: second_look, timeout: 1d, on-timeout: rejected, outcomes: [fine, rejected], compensate-on: [rejected] }
  guess: { await: guess, on-timeout: none, outcomes: [none, some] }
compensated:
  close: { await: letter }
";

/// Six steps that wait for a person, and three that do not.
async fn world() -> World {
    let world = World::new().await;
    for id in ["a", "b", "c"] {
        world.insert(&Row { workflow: ("asked", 1), state: "WAITING", ..Row::new(id) }).await;
    }
    sqlx::query(
        "INSERT INTO workflows (name, version, source, outline, registered_at, position)
         VALUES ('asked', 1, $1, '[]', '2026-01-01', 1)",
    )
    .bind(SOURCE)
    .execute(&world.pool)
    .await
    .unwrap();
    world
        .sql(
            "INSERT INTO steps (order_id, step, mode, status, attempts, started_at, since, due_at) VALUES
               ('a', 'approve', 'AWAIT', 'WAITING', 0, '2026-01-02', '2026-01-02', '2026-01-04'),
               ('b', 'approve', 'AWAIT', 'WAITING', 0, '2026-01-01', '2026-01-01', '2026-01-03'),
               ('a', 'check', 'AWAIT', 'WAITING', 0, '2026-01-02', '2026-01-02', '2026-01-03'),
               ('a', 'guess', 'AWAIT', 'WAITING', 0, '2026-01-03', NULL, NULL),
               ('c', 'close', 'AWAIT', 'WAITING', 0, '2026-01-04', '2026-01-04', '2026-01-05'),
               ('c', 'approve', 'AWAIT', 'COMPLETED', 0, '2026-01-01', '2026-01-01', NULL),
               ('c', 'wait', 'WAIT', 'WAITING', 0, '2026-01-01', '2026-01-01', '2026-01-03'),
               ('b', 'ship', 'REQUEST', 'WAITING', 1, '2026-01-01', '2026-01-01', '2026-01-03');
             UPDATE orders SET placed_by = 'web' WHERE id = 'a'",
        )
        .await;
    world
}

fn steps(approvals: &Value) -> String {
    let nodes = approvals["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| format!("{}.{} ", node["order"]["id"].as_str().unwrap(), node["step"].as_str().unwrap()))
        .collect::<Vec<_>>()
        .concat()
}

#[tokio::test]
async fn what_waits_for_a_person_is_listed_with_what_it_takes_and_what_happens_without_an_answer() {
    let world = world().await;
    let query = "{ approvals { nodes {
        order { id state } step asks since until outcomes onTimeout withoutAnswer } } }";
    let found = world.ask(query, Value::Null).await["approvals"].take();
    assert_eq!(steps(&found), "b.approve a.approve a.check a.guess c.close ", "the longest waiting first");
    let at = |day: u32| json!(format!("2026-01-0{day}T00:00:00+00:00"));
    assert_eq!(
        found["nodes"][0],
        json!({ "order": { "id": "b", "state": "WAITING" }, "step": "approve", "asks": "approval", "since": at(1),
                "until": at(3), "outcomes": ["approved", "rejected"], "onTimeout": null,
                "withoutAnswer": "The step fails, and the order is undone" })
    );
    let without: Vec<&Value> = (1..5).map(|index| &found["nodes"][index]["withoutAnswer"]).collect();
    assert_eq!(
        without,
        [
            "The step fails, and the order is undone",
            "It counts as \"rejected\", and the order is undone",
            "It counts as \"none\"",
            "The step fails, and the order is stuck",
        ]
    );
    // A row from before these times.
    assert_eq!((&found["nodes"][3]["since"], &found["nodes"][3]["until"]), (&at(3), &Value::Null));
}

#[tokio::test]
async fn pages_in_both_directions_have_every_step_once() {
    let world = world().await;
    for (size, end, cursor, flag) in
        [("first", "endCursor", "after", "hasNextPage"), ("last", "startCursor", "before", "hasPreviousPage")]
    {
        let (mut place, mut seen) = (String::new(), Vec::new());
        loop {
            let query = format!(
                "{{ approvals({size}: 2{place}) {{ nodes {{ order {{ id }} step }} pageInfo {{ {end} {flag} }} }} }}"
            );
            let found = world.ask(&query, Value::Null).await["approvals"].take();
            seen.push(steps(&found));
            if found["pageInfo"][flag] == false {
                break;
            }
            place = format!(", {cursor}: {}", found["pageInfo"][end]);
        }
        if size == "last" {
            seen.reverse();
        }
        assert_eq!(seen.concat(), "b.approve a.approve a.check a.guess c.close ", "{size}");
    }
    for wrong in ["first: -1", "first: 201", "after: \"x\"", "after: \"cGxhY2VkfDF8MQ\""] {
        let answer = world.try_ask(&format!("{{ approvals({wrong}) {{ nodes {{ step }} }} }}"), Value::Null).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{wrong}");
    }
}

#[tokio::test]
async fn a_shop_sees_what_waits_of_its_own_orders_alone() {
    let world = world().await;
    let query = "{ approvals { nodes { order { id } step } } }";
    let own = world.ask_as("web", "shop", query).await;
    assert_eq!(steps(&own["approvals"]), "a.approve a.check a.guess ");
    assert_eq!(steps(&world.ask_as("app", "shop", query).await["approvals"]), "");
}

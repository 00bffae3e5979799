//! The list of workflows, and how many orders follow each version.

use serde_json::{Value, json};

use crate::support::{Row, World};

const LIST: &str = "{ workflows { truncated nodes { name versions {
    version registeredAt orders { open ended byState { state count } } } } } }";

async fn world() -> World {
    let world = World::new().await;
    for row in [
        Row { state: "COMPLETED", ended: Some(5), ..Row::new("a") },
        Row { state: "CANCELED", ended: Some(5), ..Row::new("b") },
        Row { state: "STUCK", ..Row::new("c") },
        Row { workflow: ("order-fulfilment", 2), ..Row::new("d") },
    ] {
        world.insert(&row).await;
    }
    world.count().await;
    world
        .sql(
            "INSERT INTO workflows (name, version, source, outline, registered_at, position)
             SELECT name, version, '', '[]', '2026-01-01', version
             FROM (VALUES ('order-fulfilment', 1), ('order-fulfilment', 2), ('Another', 9)) AS w (name, version);
             UPDATE orders SET placed_by = 'web' WHERE id IN ('a', 'd')",
        )
        .await;
    world
}

#[tokio::test]
async fn workflows_are_listed_with_their_versions_and_the_orders_of_each() {
    let world = world().await;
    let at = "2026-01-01T00:00:00+00:00";
    let none = json!({ "open": 0, "ended": 0, "byState": [] });
    let expected = json!([
        { "name": "Another", "versions": [{ "version": 9, "registeredAt": at, "orders": none }] },
        { "name": "order-fulfilment", "versions": [
            { "version": 2, "registeredAt": at,
              "orders": { "open": 1, "ended": 0, "byState": [{ "state": "RUNNING", "count": 1 }] } },
            { "version": 1, "registeredAt": at,
              "orders": { "open": 1, "ended": 2, "byState": [
                  { "state": "CANCELED", "count": 1 }, { "state": "COMPLETED", "count": 1 },
                  { "state": "STUCK", "count": 1 } ] } },
        ] },
    ]);
    let found = world.ask(LIST, Value::Null).await;
    assert_eq!(found["workflows"], json!({ "truncated": false, "nodes": expected }));
}

#[tokio::test]
async fn a_shop_counts_its_own_orders_and_an_author_counts_none() {
    let world = world().await;
    let open = "{ workflows { nodes { name versions { version orders { open ended } } } } }";
    let counts = async |role| {
        let found = world.ask_as("web", role, open).await;
        found["workflows"]["nodes"][1]["versions"].as_array().unwrap().iter().map(|v| v["orders"].clone()).collect()
    };
    let own: Vec<Value> = counts("shop").await;
    assert_eq!(own, [json!({ "open": 1, "ended": 0 }), json!({ "open": 0, "ended": 1 })]);
    let all: Vec<Value> = counts("viewer").await;
    assert_eq!(all, [json!({ "open": 1, "ended": 0 }), json!({ "open": 1, "ended": 2 })]);
    let unknown: Vec<Value> = counts("author").await;
    assert_eq!(unknown, [Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_list_of_more_than_500_versions_reports_that_it_is_cut() {
    let world = world().await;
    world
        .sql(
            "INSERT INTO workflows (name, version, source, outline, registered_at, position)
             SELECT 'many', n, '', '[]', '2026-01-01', n FROM generate_series(1, 498) AS n",
        )
        .await;
    let found = world.ask(LIST, Value::Null).await;
    assert_eq!(found["workflows"]["truncated"], true);
    // The names before it and the later ones of its versions stay.
    let nodes = found["workflows"]["nodes"].as_array().unwrap();
    assert_eq!(
        nodes.iter().map(|node| node["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Another", "many", "order-fulfilment"]
    );
    assert_eq!(nodes[1]["versions"].as_array().unwrap().len(), 498);
    assert_eq!(nodes[2]["versions"].as_array().unwrap().len(), 1);
    assert_eq!(nodes[2]["versions"][0]["version"], 2);
}

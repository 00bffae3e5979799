//! Filters give exactly the orders that meet them.

use serde_json::{Value, json};

use crate::support::{Row, World};

async fn world() -> World {
    let world = World::new().await;
    for row in [
        Row { placed: 10, ..Row::new("a") },
        Row { placed: 20, status: "Shipped", state: "COMPLETED", updated: 50, ended: Some(50), ..Row::new("b") },
        Row { placed: 30, status: "BackOrdered", state: "WAITING", customer: "TOMSP", updated: 40, ..Row::new("c") },
        Row { placed: 40, state: "STUCK", workflow: ("order-fulfilment", 2), ..Row::new("d") },
        Row {
            placed: 50,
            status: "Canceled",
            state: "CANCELED",
            workflow: ("other", 2),
            ended: Some(60),
            ..Row::new("e")
        },
    ] {
        world.insert(&row).await;
    }
    world
}

async fn found(world: &World, filter: &str) -> String {
    let query = format!("{{ orders(where: {filter}, orderBy: PLACED_AT_ASC) {{ nodes {{ id }} }} }}");
    let data = world.ask(&query, Value::Null).await;
    data["orders"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_filter_gives_exactly_the_orders_that_meet_it() {
    let world = world().await;
    for (filter, expected) in [
        ("{}", "abcde"),
        ("{ state: STUCK }", "d"),
        ("{ state: [RUNNING, WAITING] }", "ac"),
        ("{ state: [] }", ""),
        ("{ status: \"Placed\" }", "ad"),
        ("{ status: [\"Shipped\", \"Canceled\"] }", "be"),
        ("{ status: \"placed\" }", ""),
        ("{ status: \"a\\u0000b\" }", ""),
        ("{ customer: \"TOMSP\" }", "c"),
        ("{ customer: [\"TOMSP\", \"VINET\"] }", "abcde"),
        ("{ workflow: { name: \"order-fulfilment\" } }", "abcd"),
        ("{ workflow: { name: \"order-fulfilment\", version: 2 } }", "d"),
        ("{ workflow: { name: \"unknown\" } }", ""),
        ("{ placedAt: { from: \"2026-01-01T00:00:20Z\", to: \"2026-01-01T00:00:40Z\" } }", "bc"),
        ("{ placedAt: { from: \"2026-01-01T01:00:30+01:00\" } }", "cde"),
        ("{ placedAt: { to: \"+262000-01-01T00:00:00Z\" } }", "abcde"),
        ("{ updatedAt: { from: \"2026-01-01T00:00:40Z\" } }", "bc"),
        ("{ endedAt: { to: \"2026-01-01T00:00:55Z\" } }", "b"),
        ("{ endedAt: {} }", "abcde"),
        ("{ status: \"Placed\", state: STUCK, customer: \"VINET\" }", "d"),
        ("{ status: \"Shipped\", state: STUCK }", ""),
    ] {
        assert_eq!(found(&world, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn the_overview_counts_what_there_is() {
    let world = world().await;
    world
        .sql(
            "INSERT INTO checkpoints VALUES ('views', 9007199254740993, 1, '2026-01-01T00:01:00Z');
             INSERT INTO parked SELECT n, 0, 'order-x', gen_random_uuid(), 'Strange', now(), 'it is', '', ''
             FROM generate_series(1, 2) AS n",
        )
        .await;
    let query =
        "{ overview { orders byStatus { status count } byState { state count } stuck parked position lastEventAt } }";
    assert_eq!(
        world.ask(query, Value::Null).await["overview"],
        json!({
            "orders": 5,
            "byStatus": [
                { "status": "BackOrdered", "count": 1 }, { "status": "Canceled", "count": 1 },
                { "status": "Placed", "count": 2 }, { "status": "Shipped", "count": 1 },
            ],
            "byState": [
                { "state": "CANCELED", "count": 1 }, { "state": "COMPLETED", "count": 1 }, { "state": "RUNNING", "count": 1 },
                { "state": "STUCK", "count": 1 }, { "state": "WAITING", "count": 1 },
            ],
            "stuck": 1, "parked": 2, "position": "9007199254740993", "lastEventAt": "2026-01-01T00:01:00+00:00",
        })
    );
}

#[tokio::test]
async fn an_overview_of_nothing_is_empty() {
    let world = World::new().await;
    let query = "{ overview { orders byStatus { count } position lastEventAt } }";
    assert_eq!(
        world.ask(query, Value::Null).await["overview"],
        json!({ "orders": 0, "byStatus": [], "position": null, "lastEventAt": null })
    );
}

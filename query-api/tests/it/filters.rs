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
        .sql(
            "INSERT INTO steps (order_id, step, participant, status, attempts, started_at, since, due_at) VALUES
               ('a', 'ship', 'shipping', 'RETRYING', 2, now(), now() - interval '2 h', '2026-01-02'),
               ('a', 'charge', 'payments', 'COMPLETED', 1, now(), now() - interval '30 m', NULL),
               ('b', 'ship', 'shipping', 'COMPLETED', 1, now(), '2026-01-01', NULL),
               ('c', 'charge', 'payments', 'COMPLETED', 1, now(), '2026-01-02', NULL);
             UPDATE orders SET lines = lines || '[{\"sku\": \"12\", \"quantity\": 1, \"unitPrice\": \"0.00\"}]' WHERE id = 'c';
             UPDATE orders SET attributes = attributes || '{\"delivery\": {\"floor\": 3}, \"tags\": [\"a\", \"b\"]}' WHERE id = 'b'",
        )
        .await;
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
        ("{ endedAt: { from: \"2026-01-01T00:00:55Z\" } }", "e"),
        ("{ sku: \"11\" }", "abcde"),
        ("{ sku: [\"12\", \"13\"] }", "c"),
        ("{ sku: \"Queso\" }", ""),
        ("{ sku: [] }", ""),
        ("{ total: { atLeast: \"168\" } }", "abcde"),
        ("{ total: { atLeast: \"168.01\" } }", ""),
        ("{ total: { atLeast: \"100\", atMost: 168.00 } }", "abcde"),
        ("{ total: { atMost: \"167.99\" } }", ""),
        ("{ step: { name: \"ship\" } }", "ab"),
        ("{ step: { name: \"ship\", status: RETRYING } }", "a"),
        ("{ step: { status: [COMPLETED, RETRYING] } }", "abc"),
        ("{ step: { name: \"charge\", status: RETRYING } }", ""),
        ("{ step: { status: [] } }", ""),
        ("{ step: { participant: \"shipping\" } }", "ab"),
        ("{ step: { participant: \"shipping\", olderThan: \"1h\", status: RETRYING } }", "a"),
        ("{ step: { participant: \"shipping\", olderThan: \"3h\", status: RETRYING } }", ""),
        ("{ step: { name: \"charge\", olderThan: \"1h\" } }", "c"),
        ("{ step: { due: { to: \"2026-01-02T00:00:01Z\" } } }", "a"),
        ("{ step: { due: { to: \"2026-01-02T00:00:00Z\" } } }", ""),
        ("{ step: { since: { to: \"2026-01-02T00:00:00Z\" } } }", "b"),
        ("{ stuckReason: \"REFUND\" }", "d"),
        ("{ stuckReason: \"\" }", "d"),
        ("{ stuckReason: \"%\" }", ""),
        ("{ attributes: { path: \"gift\" } }", "abcde"),
        ("{ attributes: { path: \"gift\", value: true } }", "abcde"),
        ("{ attributes: { path: \"gift\", value: \"true\" } }", ""),
        ("{ attributes: { path: [\"delivery\", \"floor\"] } }", "b"),
        ("{ attributes: { path: [\"delivery\", \"floor\"], value: 3 } }", "b"),
        ("{ attributes: { path: \"delivery\", value: {floor: 3.0} } }", "b"),
        ("{ attributes: { path: [\"floor\"], value: 3 } }", ""),
        ("{ attributes: { path: \"tags\", value: [\"a\"] } }", "b"),
        ("{ attributes: [{ path: \"gift\" }, { path: \"delivery\" }], sku: \"11\", state: COMPLETED }", "b"),
        ("{ status: \"Placed\", state: STUCK, customer: \"VINET\" }", "d"),
        ("{ status: \"Shipped\", state: STUCK }", ""),
    ] {
        assert_eq!(found(&world, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_meant_is_refused_with_the_reason() {
    let world = World::new().await;
    for (filter, message) in [
        (
            "{ step: {} }",
            "`step` takes at least one of `name`, `status`, `participant`, `since`, `due` and `olderThan`",
        ),
        (
            "{ step: { olderThan: \"1 hour\" } }",
            "`step.olderThan` takes a span of time of at most a year, like 90s, 10m, 2h or 3d",
        ),
        ("{ step: { status: PENDING } }", "`step.status` takes no PENDING: only steps that have begun are found"),
        ("{ attributes: [{ path: \"a\" }, { path: [] }] }", "`attributes[1].path` takes 1 to 10 keys"),
        ("{ status: \"a\\u0000b\" }", "`status[0]` must have no NUL: no text of an order has one"),
        ("{ workflow: { name: \"a\\u0000b\" } }", "`workflow.name` must have no NUL: no text of an order has one"),
        (
            "{ attributes: { path: \"no\\u0000thing\" } }",
            "`attributes[0].path[0]` must have no NUL: no text of an order has one",
        ),
    ] {
        let answer = world.try_ask(&format!("{{ orders(where: {filter}) {{ nodes {{ id }} }} }}"), Value::Null).await;
        assert_eq!(answer["errors"][0]["message"], message, "{filter}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{filter}");
    }
    let many = json!({ "sku": vec!["x"; 101] });
    let query = "query ($where: OrderFilter) { orders(where: $where) { nodes { id } } }";
    let answer = world.try_ask(query, json!({ "where": many })).await;
    assert_eq!(answer["errors"][0]["message"], "`sku` takes at most 100 values");
}

#[tokio::test]
async fn a_filter_that_no_order_meets_and_that_names_what_does_not_exist_says_so() {
    let world = world().await;
    world
        .sql(
            "INSERT INTO workflows SELECT name, version, '', outline::jsonb, now(), 0 FROM (VALUES
             ('order-fulfilment', 1, '[{\"id\": \"charge\"}, {\"id\": \"ship\"}]'),
             ('order-fulfilment', 2, '[{\"id\": \"charge\"}, {\"id\": \"ship\"}]'),
             ('other', 2, '[{\"id\": \"approve\"}]')) AS w (name, version, outline)",
        )
        .await;
    let query = |filter: &str| format!("{{ orders(where: {filter}) {{ nodes {{ id }} }} }}");
    for (filter, code, unknown, message) in [
        (
            "{ workflow: { name: \"order-fulfilmnet\" } }",
            "NO_SUCH_WORKFLOW",
            "order-fulfilmnet",
            "there is no workflow \"order-fulfilmnet\", so no order matches; did you mean 'order-fulfilment'?",
        ),
        (
            "{ workflow: { name: \"other\", version: 9 }, state: RUNNING }",
            "NO_SUCH_VERSION",
            "9",
            "workflow \"other\" has no version 9, so no order matches; its last is 2",
        ),
        (
            "{ step: { name: \"shipp\", status: RETRYING } }",
            "NO_SUCH_STEP",
            "shipp",
            "no workflow has a step \"shipp\", so no order matches; did you mean 'ship'?",
        ),
        (
            "{ workflow: { name: \"other\" }, step: { name: \"ship\" } }",
            "NO_SUCH_STEP",
            "ship",
            "no version of workflow \"other\" has a step \"ship\", so no order matches",
        ),
    ] {
        let answer = world.try_ask(&query(filter), Value::Null).await;
        let error = &answer["errors"][0];
        assert_eq!(error["message"], message, "{filter}");
        assert_eq!(error["extensions"], json!({ "code": code, "unknown": unknown }), "{filter}");
        assert_eq!(error["path"], json!(["orders"]), "{filter}");
    }
    // It is no error if the name exists and no order matches, or if the list has ended.
    for filter in [
        "{ workflow: { name: \"other\", version: 2 }, state: RUNNING }",
        "{ step: { name: \"approve\" } }",
        "{ workflow: { name: \"order-fulfilment\", version: 1 }, step: { name: \"ship\", status: STUCK } }",
    ] {
        assert_eq!(found(&world, filter).await, "", "{filter}");
    }
    let first = "{ orders(where: { customer: \"TOMSP\" }) { pageInfo { endCursor } } }";
    let cursor = world.ask(first, Value::Null).await["orders"]["pageInfo"]["endCursor"].take();
    let next =
        "query ($after: String) { orders(where: { step: { name: \"shipp\" } }, after: $after) { nodes { id } } }";
    assert_eq!(world.ask(next, json!({ "after": cursor })).await["orders"]["nodes"], json!([]));
}

#[tokio::test]
async fn what_could_not_be_projected_of_an_order_is_listed_with_the_reasons() {
    let world = world().await;
    world
        .sql(
            "INSERT INTO parked SELECT 9 + n, n, 'order-d', gen_random_uuid(), 'Strange', '2026-01-01', 'unknown', '', ''
             FROM generate_series(4, 5) AS n;
             INSERT INTO parked VALUES (20, 0, '$$order-d', gen_random_uuid(), '$metadata', '2026-01-01', 'hidden', '', '');
             INSERT INTO parked VALUES (21, 0, 'order-dd', gen_random_uuid(), 'Strange', '2026-01-01', 'other', '', '')",
        )
        .await;
    let listed = async |order: &str| {
        let query =
            "query ($order: ID!) { parkedEvents(order: $order) { stream revision position type recordedAt reason } }";
        world.ask(query, json!({ "order": order })).await["parkedEvents"].take()
    };
    let event = |stream: &str, revision: u32, position: &str, kind: &str, reason: &str| {
        json!({ "stream": stream, "revision": revision, "position": position, "type": kind,
                "recordedAt": "2026-01-01T00:00:00+00:00", "reason": reason })
    };
    assert_eq!(
        listed("d").await,
        json!([
            event("order-d", 4, "13", "Strange", "unknown"),
            event("order-d", 5, "14", "Strange", "unknown"),
            event("$$order-d", 0, "20", "$metadata", "hidden"),
        ])
    );
    for none in ["a", "unknown", "", "a\0b"] {
        assert_eq!(listed(none).await, json!([]), "{none:?}");
    }
}

#[tokio::test]
async fn orders_are_counted_by_the_hour_in_which_they_were_placed() {
    let world = World::new().await;
    for (id, placed, status) in [
        ("a", 0, "Placed"),
        ("b", 3_599, "Placed"),
        ("c", 3_600, "Placed"),
        ("d", 3_601, "Shipped"),
        ("e", 9_000, "Placed"),
    ] {
        world.insert(&Row { status, placed, ..Row::new(id) }).await;
    }
    world.count().await;
    let by_hour = async |from: &str, to: &str| {
        let query = "query ($from: DateTime!, $to: DateTime!) {
            ordersByHour(from: $from, to: $to) { hour status state count } }";
        world.try_ask(query, json!({ "from": from, "to": to })).await
    };
    let counted = |hour: &str, status: &str, count: u32| json!({ "hour": hour, "status": status, "state": "RUNNING", "count": count });
    assert_eq!(
        by_hour("2026-01-01T00:00:00Z", "2026-01-01T02:30:00Z").await["data"]["ordersByHour"],
        json!([
            counted("2026-01-01T00:00:00+00:00", "Placed", 2),
            counted("2026-01-01T01:00:00+00:00", "Placed", 1),
            counted("2026-01-01T01:00:00+00:00", "Shipped", 1),
            counted("2026-01-01T02:00:00+00:00", "Placed", 1),
        ])
    );
    assert_eq!(
        by_hour("2026-01-01T01:00:01Z", "2026-01-01T01:00:02Z").await["data"]["ordersByHour"].as_array().unwrap().len(),
        2,
        "an hour counts as a whole"
    );
    assert_eq!(by_hour("2026-01-01T01:30:00Z", "2026-01-01T01:10:00Z").await["data"]["ordersByHour"], json!([]));
    let answer = by_hour("2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z").await;
    assert_eq!(answer["errors"][0]["message"], "between `from` and `to` there may be at most 31 days");
}

#[tokio::test]
async fn the_overview_counts_what_there_is() {
    let world = world().await;
    world.count().await;
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

//! Paging gives every order once, in the same order from both ends, whatever the page size.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Row, World};

const SORTS: [&str; 8] = [
    "PLACED_AT_ASC",
    "PLACED_AT_DESC",
    "UPDATED_AT_ASC",
    "UPDATED_AT_DESC",
    "ENDED_AT_ASC",
    "ENDED_AT_DESC",
    "TOTAL_ASC",
    "TOTAL_DESC",
];

/// Orders with many ties, so that ids have to decide.
fn orders() -> Vec<Row> {
    let totals = ["0.10", "9.5", "10", "1000000000000.01"];
    (0..37u32)
        .map(|n| Row {
            placed: i64::from(n * 7 % 5),
            updated: i64::from(n * 3 % 11),
            ended: (n % 4 == 0).then_some(i64::from(n % 7)),
            total: totals[usize::try_from(n).unwrap() % totals.len()],
            status: if n % 3 == 0 { "Shipped" } else { "Placed" },
            ..Row::new(format!("o{}", n * 31 % 37))
        })
        .collect()
}

/// What the whole list must be, computed without the database.
fn expected(rows: &[Row], sort: &str, shipped_only: bool) -> Vec<String> {
    let mut rows: Vec<&Row> = rows.iter().filter(|row| !shipped_only || row.status == "Shipped").collect();
    if sort.starts_with("ENDED") {
        rows.retain(|row| row.ended.is_some());
    }
    let amount = |row: &Row| row.total.parse::<rust_decimal::Decimal>().unwrap();
    rows.sort_by_key(|row| {
        let key = match sort.rsplit_once('_').unwrap().0 {
            "PLACED_AT" => row.placed.into(),
            "UPDATED_AT" => row.updated.into(),
            "ENDED_AT" => row.ended.unwrap().into(),
            _ => amount(row),
        };
        (key, row.id.clone())
    });
    if sort.ends_with("DESC") {
        rows.reverse();
    }
    rows.into_iter().map(|row| row.id.clone()).collect()
}

async fn walk(world: &World, sort: &str, shipped_only: bool, size: i32, forward: bool) -> Vec<String> {
    let query =
        "query ($sort: OrderSort, $where: OrderFilter, $first: Int, $after: String, $last: Int, $before: String) {
        orders(orderBy: $sort, where: $where, first: $first, after: $after, last: $last, before: $before) {
            nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let filter = if shipped_only { json!({ "status": "Shipped" }) } else { json!({}) };
    let mut all = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let paging = if forward { ("first", "after") } else { ("last", "before") };
        let variables = json!({ "sort": sort, "where": filter, paging.0: size, paging.1: cursor });
        let data = world.ask(query, variables).await;
        let page = &data["orders"];
        let ids: Vec<String> =
            page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
        assert!(ids.len() <= usize::try_from(size).unwrap());
        let info = &page["pageInfo"];
        let (more, next, behind) = if forward {
            all.extend(ids);
            ("hasNextPage", "endCursor", "hasPreviousPage")
        } else {
            all.splice(0..0, ids);
            ("hasPreviousPage", "startCursor", "hasNextPage")
        };
        assert_eq!(info[behind], json!(!cursor.is_null()));
        if info[more] == json!(false) {
            return all;
        }
        cursor = info[next].clone();
    }
}

#[test]
fn every_order_comes_once_and_in_the_same_order_from_both_ends() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = orders();
    let world = runtime.block_on(async {
        let world = World::new().await;
        for row in &rows {
            world.insert(row).await;
        }
        world
    });
    let case = (proptest::sample::select(&SORTS), any::<bool>(), 1..=40i32, any::<bool>());
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(60) })
        .run(&case, |(sort, shipped_only, size, forward)| {
            let walked = runtime.block_on(walk(&world, sort, shipped_only, size, forward));
            prop_assert_eq!(walked, expected(&rows, sort, shipped_only));
            Ok(())
        })
        .unwrap();
    drop(world);
}

#[tokio::test]
async fn a_list_goes_on_where_it_was_whatever_happens_meanwhile() {
    let world = World::new().await;
    for n in 0..20 {
        world.insert(&Row { placed: n, ..Row::new(format!("o{n:02}")) }).await;
    }
    let query = "query ($after: String) {
        orders(first: 3, after: $after) { nodes { id } pageInfo { endCursor hasNextPage } } }";
    let mut seen = Vec::new();
    let mut after = Value::Null;
    for later in 0.. {
        let page = world.ask(query, json!({ "after": after })).await["orders"].take();
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
        world.insert(&Row { placed: 100 + later, ..Row::new(format!("new{later}")) }).await;
        world.sql("UPDATE orders SET status = 'Shipped', updated_at = now(), revision = revision + 1").await;
    }
    assert_eq!(seen, (0..20).rev().map(|n| format!("o{n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn wrong_paging_arguments_are_refused_with_the_reason() {
    let world = World::new().await;
    world.insert(&Row::new("a")).await;
    let by_total = world.ask("{ orders(orderBy: TOTAL_ASC) { edges { cursor } } }", Value::Null).await;
    let by_total = by_total["orders"]["edges"][0]["cursor"].as_str().unwrap().to_owned();
    let elsewhere = format!("after: \"{by_total}\"");
    for (arguments, message) in [
        ("first: -1", "`first` must not be negative"),
        ("last: -1", "`last` must not be negative"),
        ("first: 201", "`first` must be at most 200"),
        ("first: 1, last: 1", "`first` and `last` cannot be used together"),
        ("after: \"zzz\"", "`after` is not a cursor of this list"),
        ("last: 1, before: \"\"", "`before` is not a cursor of this list"),
        (elsewhere.as_str(), "`after` is not a cursor of this list"),
    ] {
        let answer = world.try_ask(&format!("{{ orders({arguments}) {{ nodes {{ id }} }} }}"), Value::Null).await;
        assert_eq!(answer["errors"][0]["message"], message, "{arguments}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{arguments}");
        assert_eq!(answer["data"], Value::Null, "{arguments}");
    }
}

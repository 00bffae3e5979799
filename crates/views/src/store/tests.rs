//! How orders are looked for among many: both ways find the same, and neither looks at more than it needs.

use chrono::{DateTime, Utc};
use postgres_cluster::testing::{TestDatabase, database};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, QueryBuilder};

use super::conditions::{Purpose, push_criteria};
use super::search::{Search, Way};
use crate::filter::{AttributeCriteria, Criteria, StepCriteria, TimeRange};
use crate::page::Page;
use crate::rows::OrderRow;
use crate::sort::{Place, Sort, SortBy};

const SORTS: [Sort; 8] = [
    Sort { by: SortBy::PlacedAt, is_descending: false },
    Sort { by: SortBy::PlacedAt, is_descending: true },
    Sort { by: SortBy::UpdatedAt, is_descending: false },
    Sort { by: SortBy::UpdatedAt, is_descending: true },
    Sort { by: SortBy::EndedAt, is_descending: false },
    Sort { by: SortBy::EndedAt, is_descending: true },
    Sort { by: SortBy::Total, is_descending: false },
    Sort { by: SortBy::Total, is_descending: true },
];

/// A database with so many orders.
async fn shop(orders: u32) -> (PgPool, TestDatabase) {
    let database = database().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    crate::migrate(&pool).await.unwrap();
    let fill = include_str!("../../tests/synthetic.sql").replace("$1", &orders.to_string());
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&pool).await.unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE) orders, steps").execute(&pool).await.unwrap();
    (pool, database)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn range(from: Option<&str>, to: Option<&str>) -> TimeRange {
    let at = |day: &str| format!("{day}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
    TimeRange { from: from.map(at), to: to.map(at) }
}

fn step(name: Option<&str>, statuses: Option<&[&str]>) -> StepCriteria {
    StepCriteria { name: name.map(str::to_owned), statuses: statuses.map(texts) }
}

fn there(path: &[&str]) -> Vec<AttributeCriteria> {
    let path = texts(path);
    vec![AttributeCriteria::There(path[0].clone(), path)]
}

/// Each filter alone, rare and frequent, early and late.
fn filters() -> Vec<Criteria> {
    let week = range(Some("2025-03-03"), Some("2025-03-10"));
    let any = Criteria::default;
    vec![
        any(),
        Criteria { statuses: Some(texts(&["Placed"])), ..any() },
        Criteria { statuses: Some(texts(&["Shipped"])), ..any() },
        Criteria { statuses: Some(texts(&["BackOrdered", "Canceled"])), ..any() },
        Criteria { statuses: Some(texts(&["Unheard"])), ..any() },
        Criteria { states: Some(texts(&["COMPLETED"])), ..any() },
        Criteria { states: Some(texts(&["WAITING"])), ..any() },
        Criteria { states: Some(texts(&["PAUSED", "RUNNING", "STUCK", "WAITING"])), ..any() },
        Criteria { states: Some(texts(&[])), ..any() },
        Criteria { customers: Some(texts(&["C2012"])), ..any() },
        Criteria { customers: Some(texts(&["C2012", "GUEST"])), ..any() },
        Criteria { workflow: Some(("order-fulfilment".to_owned(), None)), ..any() },
        Criteria { workflow: Some(("order-fulfilment".to_owned(), Some(1))), ..any() },
        Criteria { workflow: Some(("order-parallel".to_owned(), Some(4))), ..any() },
        Criteria { skus: Some(texts(&["S4711"])), ..any() },
        Criteria { skus: Some(texts(&["BAG"])), ..any() },
        Criteria { skus: Some(texts(&["NEW"])), ..any() },
        Criteria { total: (Some(Decimal::from(990)), None), ..any() },
        Criteria { total: (Some(Decimal::from(10)), Some(Decimal::from(12))), ..any() },
        Criteria { placed_at: week, ..any() },
        Criteria { placed_at: range(Some("2025-12-24"), None), ..any() },
        Criteria { updated_at: week, ..any() },
        Criteria { ended_at: week, ..any() },
        Criteria { ended_at: range(Some("2025-12-24"), None), ..any() },
        Criteria { step: Some(step(Some("ship"), Some(&["COMPLETED"]))), ..any() },
        Criteria { step: Some(step(Some("ship"), Some(&["RETRYING", "STUCK"]))), ..any() },
        Criteria { step: Some(step(None, Some(&["STUCK"]))), ..any() },
        Criteria { step: Some(step(Some("charge"), None)), ..any() },
        Criteria { step: Some(step(Some("unheard"), None)), ..any() },
        Criteria { stuck_reason: Some("already SETTLED".to_owned()), ..any() },
        Criteria { attributes: vec![AttributeCriteria::Holds(json!({ "channel": "web" }))], ..any() },
        Criteria { attributes: vec![AttributeCriteria::Holds(json!({ "campaign": { "code": "K1" } }))], ..any() },
        Criteria { attributes: there(&["note", "text"]), ..any() },
        Criteria { attributes: there(&["channel"]), ..any() },
    ]
}

/// Several at once.
fn mixtures() -> Vec<Criteria> {
    let any = Criteria::default;
    vec![
        Criteria { states: Some(texts(&["COMPLETED"])), skus: Some(texts(&["S4711"])), ..any() },
        Criteria { states: Some(texts(&["RUNNING", "WAITING"])), customers: Some(texts(&["GUEST"])), ..any() },
        Criteria {
            statuses: Some(texts(&["Shipped"])),
            workflow: Some(("order-fulfilment".to_owned(), Some(1))),
            attributes: vec![AttributeCriteria::Holds(json!({ "channel": "app" }))],
            ..any()
        },
        Criteria {
            states: Some(texts(&["COMPLETED"])),
            workflow: Some(("order-fulfilment".to_owned(), Some(1))),
            skus: Some(texts(&["BAG"])),
            ..any()
        },
        Criteria {
            customers: Some(texts(&["GUEST"])),
            placed_at: range(Some("2025-06-01"), Some("2025-07-01")),
            total: (Some(Decimal::from(500)), None),
            ..any()
        },
        Criteria {
            states: Some(texts(&["STUCK"])),
            stuck_reason: Some("undo of charge".to_owned()),
            step: Some(step(Some("ship"), Some(&["STUCK"]))),
            ..any()
        },
        Criteria { skus: Some(texts(&["BAG"])), attributes: there(&["note"]), ..any() },
    ]
}

fn page(size: u16, from_end: bool) -> Page<Place> {
    Page { size, from_end, after: None, before: None }
}

async fn found(search: &Search<'_>, way: Way, db: &mut PgConnection) -> Vec<String> {
    let mut query = search.statement(way, "");
    let rows: Vec<OrderRow> = query.build_query_as().persistent(false).fetch_all(db).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

/// All that meet a filter, by the plainest statement.
async fn expected(criteria: &Criteria, sort: Sort, db: &mut PgConnection) -> Vec<String> {
    let direction = if sort.is_descending { "DESC" } else { "ASC" };
    let mut query = QueryBuilder::new("SELECT id FROM orders WHERE true");
    push_criteria(&mut query, criteria, Purpose::Check);
    let column = sort.by.column();
    query.push(format_args!(" AND {column} IS NOT NULL ORDER BY {column} {direction}, id {direction}"));
    query.build_query_scalar().persistent(false).fetch_all(db).await.unwrap()
}

#[tokio::test]
async fn both_ways_find_the_same_from_both_ends() {
    const ORDERS: u32 = 3_000;
    let (pool, _database) = shop(ORDERS).await;
    let mut connection = pool.acquire().await.unwrap();
    let db = &mut *connection;
    for criteria in filters().into_iter().chain(mixtures()) {
        for sort in SORTS {
            let mut all = expected(&criteria, sort, db).await;
            for from_end in [false, true] {
                let page = page(20, from_end);
                let search = Search { criteria: &criteria, sort, page: &page };
                let first = &all[..all.len().min(21)];
                let walks = search.streams().into_iter().map(|streams| Way::Walk(streams, ORDERS.into()));
                for way in walks.chain([Way::Collect]) {
                    assert_eq!(found(&search, way, db).await, first, "{way:?} by {sort:?}: {criteria:?}");
                }
                let rows = search.rows(db).await.unwrap();
                assert_eq!(rows.iter().map(|row| &row.id).collect::<Vec<_>>(), first.iter().collect::<Vec<_>>());
                all.reverse();
            }
        }
    }
}

/// Every node of a plan.
fn nodes<'a>(plan: &'a Value, into: &mut Vec<&'a Value>) {
    into.push(plan);
    for below in plan["Plans"].as_array().into_iter().flatten() {
        nodes(below, into);
    }
}

/// How many rows a node gave on or threw away.
fn rows(node: &Value) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let each = ["Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"].map(number);
    each.iter().sum::<f64>() * number("Actual Loops")
}

#[tokio::test]
async fn no_search_among_a_million_orders_scans_a_table_or_looks_at_a_tenth_of_them() {
    const ORDERS: u32 = 1_000_000;
    const PART: f64 = 100_000.0;
    let (pool, _database) = shop(ORDERS).await;
    let mut connection = pool.acquire().await.unwrap();
    let db = &mut *connection;
    let mut wrong = Vec::new();
    for criteria in filters().into_iter().chain(mixtures()) {
        for (sort, from_end) in SORTS.into_iter().flat_map(|sort| [(sort, false), (sort, true)]) {
            let page = page(50, from_end);
            let search = Search { criteria: &criteria, sort, page: &page };
            for way in search.ways(db).await.unwrap() {
                let mut query = search.statement(way, "EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) ");
                let Json(plan): Json<Value> =
                    query.build_query_scalar().persistent(false).fetch_one(&mut *db).await.unwrap();
                let mut all = Vec::new();
                nodes(&plan[0]["Plan"], &mut all);
                let scans = all.iter().any(|node| node["Node Type"] == "Seq Scan");
                let most = all.iter().map(|node| rows(node)).fold(0.0, f64::max);
                if scans || most > PART {
                    wrong.push(format!("{way:?} by {sort:?}, from end {from_end}: {most} rows: {criteria:?}"));
                }
                if all[0]["Actual Rows"].as_f64().is_some_and(|rows| rows > 50.0) {
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} look at too much:\n{}", wrong.len(), wrong.join("\n"));
}

//! Searches in a large table: both ways find the same orders, and neither reads more than it needs.

use chrono::{DateTime, Utc};
use domain::filter::{AmountRange, AttributeFilter, OrderFilter, StepFilter, TimeRange, WorkflowFilter};
use domain::order::{State, StepStatus};
use postgres_cluster::testing::{TestDatabase, database};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, QueryBuilder};

use super::calls::CallsOf;
use super::conditions::{Purpose, push_filter};
use super::ends::EndsOf;
use super::past_counts::past_counts;
use super::search::{Search, Way};
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

/// A database with this number of orders.
async fn shop(orders: u32) -> (PgPool, TestDatabase) {
    let database = database().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    crate::migrate(&pool).await.unwrap();
    let fill = include_str!("../../tests/synthetic.sql").replace("$1", &orders.to_string());
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&pool).await.unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE) orders, steps, expectations").execute(&pool).await.unwrap();
    (pool, database)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn range(from: Option<&str>, to: Option<&str>) -> TimeRange {
    let at = |day: &str| format!("{day}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
    TimeRange { from: from.map(at), to: to.map(at) }
}

fn workflow(name: String, version: Option<i32>) -> WorkflowFilter {
    WorkflowFilter { name, version }
}

fn step(name: Option<&str>, statuses: Option<&[StepStatus]>) -> StepFilter {
    StepFilter {
        name: name.map(str::to_owned),
        statuses: statuses.map(<[StepStatus]>::to_vec),
        ..StepFilter::default()
    }
}

fn of(participant: &str) -> StepFilter {
    StepFilter { participants: Some(texts(&[participant])), ..StepFilter::default() }
}

fn there(path: &[&str]) -> Vec<AttributeFilter> {
    vec![AttributeFilter { path: texts(path), value: None }]
}

fn is(key: &str, value: Value) -> Vec<AttributeFilter> {
    vec![AttributeFilter { path: texts(&[key]), value: Some(value) }]
}

/// Each filter alone, rare and frequent, early and late.
fn filters() -> Vec<OrderFilter> {
    let week = range(Some("2025-03-03"), Some("2025-03-10"));
    let any = OrderFilter::default;
    let waiting = Some(&[StepStatus::Waiting][..]);
    vec![
        any(),
        OrderFilter { statuses: Some(texts(&["Placed"])), ..any() },
        OrderFilter { statuses: Some(texts(&["Shipped"])), ..any() },
        OrderFilter { statuses: Some(texts(&["BackOrdered", "Canceled"])), ..any() },
        OrderFilter { statuses: Some(texts(&["Unheard"])), ..any() },
        OrderFilter { states: Some(vec![State::Completed]), ..any() },
        OrderFilter { states: Some(vec![State::Waiting]), ..any() },
        OrderFilter { states: Some(vec![State::Paused, State::Running, State::Stuck, State::Waiting]), ..any() },
        OrderFilter { states: Some(vec![]), ..any() },
        OrderFilter { customers: Some(texts(&["C2012"])), ..any() },
        OrderFilter { customers: Some(texts(&["C2012", "GUEST"])), ..any() },
        OrderFilter { workflow: Some(workflow("order-fulfilment".to_owned(), None)), ..any() },
        OrderFilter { workflow: Some(workflow("order-fulfilment".to_owned(), Some(1))), ..any() },
        OrderFilter { workflow: Some(workflow("order-parallel".to_owned(), Some(4))), ..any() },
        OrderFilter { skus: Some(texts(&["S4711"])), ..any() },
        OrderFilter { skus: Some(texts(&["BAG"])), ..any() },
        OrderFilter { skus: Some(texts(&["NEW"])), ..any() },
        OrderFilter { total: AmountRange { at_least: Some(Decimal::from(990)), at_most: None }, ..any() },
        OrderFilter {
            total: AmountRange { at_least: Some(Decimal::from(10)), at_most: Some(Decimal::from(12)) },
            ..any()
        },
        OrderFilter { placed_at: week, ..any() },
        OrderFilter { placed_at: range(Some("2025-12-24"), None), ..any() },
        OrderFilter { updated_at: week, ..any() },
        OrderFilter { ended_at: week, ..any() },
        OrderFilter { ended_at: range(Some("2025-12-24"), None), ..any() },
        OrderFilter { step: Some(step(Some("ship"), Some(&[StepStatus::Completed]))), ..any() },
        OrderFilter { step: Some(step(Some("ship"), Some(&[StepStatus::Retrying, StepStatus::Stuck]))), ..any() },
        OrderFilter { step: Some(step(None, Some(&[StepStatus::Stuck]))), ..any() },
        OrderFilter { step: Some(step(Some("charge"), None)), ..any() },
        OrderFilter { step: Some(step(Some("unheard"), None)), ..any() },
        OrderFilter { step: Some(StepFilter { since: week, ..step(Some("ship"), waiting) }), ..any() },
        OrderFilter { step: Some(StepFilter { due: range(None, Some("2025-03-03")), ..step(None, None) }), ..any() },
        OrderFilter { step: Some(of("shipping")), ..any() },
        OrderFilter { step: Some(of("courier")), ..any() },
        OrderFilter { step: Some(of("old-payments")), ..any() },
        OrderFilter { step: Some(of("unheard")), ..any() },
        OrderFilter { late: Some(true), ..any() },
        OrderFilter { late: Some(false), ..any() },
        OrderFilter { stuck_reason: Some("already SETTLED".to_owned()), ..any() },
        OrderFilter { attributes: is("channel", json!("web")), ..any() },
        OrderFilter { attributes: is("campaign", json!({ "code": "K1" })), ..any() },
        OrderFilter { attributes: there(&["note", "text"]), ..any() },
        OrderFilter { attributes: there(&["channel"]), ..any() },
    ]
}

/// Several at once.
fn mixtures() -> Vec<OrderFilter> {
    let any = OrderFilter::default;
    vec![
        OrderFilter { states: Some(vec![State::Completed]), skus: Some(texts(&["S4711"])), ..any() },
        OrderFilter { states: Some(vec![State::Running, State::Waiting]), customers: Some(texts(&["GUEST"])), ..any() },
        OrderFilter {
            statuses: Some(texts(&["Shipped"])),
            workflow: Some(workflow("order-fulfilment".to_owned(), Some(1))),
            attributes: is("channel", json!("app")),
            ..any()
        },
        OrderFilter {
            states: Some(vec![State::Completed]),
            workflow: Some(workflow("order-fulfilment".to_owned(), Some(1))),
            skus: Some(texts(&["BAG"])),
            ..any()
        },
        OrderFilter {
            customers: Some(texts(&["GUEST"])),
            placed_at: range(Some("2025-06-01"), Some("2025-07-01")),
            total: AmountRange { at_least: Some(Decimal::from(500)), at_most: None },
            ..any()
        },
        OrderFilter {
            states: Some(vec![State::Stuck]),
            stuck_reason: Some("undo of charge".to_owned()),
            step: Some(step(Some("ship"), Some(&[StepStatus::Stuck]))),
            ..any()
        },
        OrderFilter { skus: Some(texts(&["BAG"])), attributes: there(&["note"]), ..any() },
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

/// All orders that match a filter, by the simplest statement.
async fn expected(criteria: &OrderFilter, sort: Sort, db: &mut PgConnection) -> Vec<String> {
    let direction = if sort.is_descending { "DESC" } else { "ASC" };
    let mut query = QueryBuilder::new("SELECT id FROM orders WHERE true");
    push_filter(&mut query, criteria, Purpose::Check);
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
                let search = Search { filter: &criteria, sort, page: &page };
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

/// How many rows a node returned or discarded.
///
/// A collection may read the index of the sort to its end, without the table, to join it with many
/// found orders: looking up each of these takes longer.
fn rows(node: &Value, way: Way) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    if way == Way::Collect && node["Node Type"] == "Index Only Scan" {
        return number("Heap Fetches");
    }
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
            let search = Search { filter: &criteria, sort, page: &page };
            for way in search.ways(db).await.unwrap() {
                let mut query = search.statement(way, "EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) ");
                let Json(plan): Json<Value> =
                    query.build_query_scalar().persistent(false).fetch_one(&mut *db).await.unwrap();
                let mut all = Vec::new();
                nodes(&plan[0]["Plan"], &mut all);
                let scans = all.iter().any(|node| node["Node Type"] == "Seq Scan");
                let most = all.iter().map(|node| rows(node, way)).fold(0.0, f64::max);
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

/// A timeline for each order: placed, and a call that ended when the order last changed.
const TIMELINE: &str =
    "INSERT INTO timeline (order_id, revision, event_id, position, type, recorded_at, summary, step, data, hash,
                                              state, status, participant, action, took_ms)
    SELECT id, n, gen_random_uuid(), position, CASE n WHEN 0 THEN 'OrderPlaced' ELSE 'StepCompleted' END,
           CASE n WHEN 0 THEN placed_at ELSE updated_at END, '', 'charge', '{}', '', state, status,
           CASE n WHEN 1 THEN 'payments' END, CASE n WHEN 1 THEN 'charge' END, CASE n WHEN 1 THEN position % 977 END
    FROM orders CROSS JOIN generate_series(0, 1) AS n";

#[tokio::test]
async fn figures_read_only_indexes_whatever_the_number_of_orders() {
    let (pool, _database) = shop(100_000).await;
    sqlx::raw_sql(TIMELINE).execute(&pool).await.unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE) timeline").execute(&pool).await.unwrap();
    let TimeRange { from, to } = range(Some("2025-03-03"), Some("2025-03-10"));
    let (from, to) = (from.unwrap(), to.unwrap());
    let explain = "EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) ";
    let mut read = Vec::new();
    for placed_by in [None, Some("web")] {
        let ends = EndsOf { from, to, placed_by, most: 200_000 };
        let statements = [ends.by_workflow(explain), ends.by_hour(explain), past_counts(to, placed_by, explain)];
        for mut query in statements.into_iter().chain([CallsOf { from, to, most: 200_000 }.statement(explain)]) {
            let Json(plan): Json<Value> = query.build_query_scalar().fetch_one(&pool).await.unwrap();
            let mut all = Vec::new();
            nodes(&plan[0]["Plan"], &mut all);
            let scans = all.iter().filter(|node| node["Relation Name"].is_string());
            read.push(scans.map(|node| format!("{} {}", node["Node Type"], node["Index Name"])).collect::<Vec<_>>());
        }
    }
    let by_end = r#""Index Only Scan" "orders_by_end""#;
    assert_eq!([&read[0], &read[1]], [&[by_end], &[by_end]]);
    assert_eq!(read[3], [r#""Index Only Scan" "timeline_of_calls""#]);
    let seq_scans = read.iter().flatten().filter(|scan| scan.contains("Seq Scan"));
    assert_eq!(seq_scans.count(), 0, "{read:?}");
}

//! Views are compared with what the log says of them.

use projector::compare::{Compared, Difference, everything};
use sqlx::AssertSqlSafe;

use crate::histories::all_ways;
use crate::poison::poisoned;
use crate::support::{Log, Running, Views, batches_of};

/// Every view whose rows follow from one stream each, or count other rows, with the columns of its
/// key. What is expected follows from all orders: a rebuild compares it.
const TABLES: [(&str, &[&str]); 8] = [
    ("orders", &["id"]),
    ("steps", &["order_id", "step"]),
    ("timeline", &["order_id", "revision"]),
    ("todo", &["order_id"]),
    ("order_counts", &["hour", "state", "status"]),
    ("workflow_counts", &["workflow", "version", "state"]),
    ("workflows", &["name", "version"]),
    ("parked", &["stream", "revision"]),
];

async fn differences(log: &Log, views: &Views) -> Vec<Difference> {
    let Compared { differences, unreadable } = everything(&log.store, &views.pool).await.unwrap();
    assert_eq!(unreadable, []);
    differences
}

/// Another value of a column, whatever it is now.
fn another(column: &str, data_type: &str) -> String {
    match data_type {
        "text" => format!("coalesce({column}, '') || 'x'"),
        "bigint" | "integer" | "numeric" => format!("coalesce({column}, 0) + 1"),
        "timestamp with time zone" => format!("coalesce({column}, now()) + interval '1 ms'"),
        "jsonb" => "'\"x\"'".to_owned(),
        "boolean" => format!("NOT {column}"),
        "uuid" => "gen_random_uuid()".to_owned(),
        "bytea" => "'x'".to_owned(),
        other => panic!("a column of type {other}"),
    }
}

#[tokio::test]
async fn views_of_good_and_bad_events_are_what_the_log_says() {
    let (log, last) = poisoned().await;
    for batch in [1, 1_000] {
        let views = Views::of(&log, last, batches_of(batch)).await;
        assert_eq!(differences(&log, &views).await, []);
    }
}

#[tokio::test]
async fn every_column_of_every_view_is_compared() {
    let (log, last) = poisoned().await;
    let views = Views::of(&log, last, batches_of(1_000)).await;
    let execute = async |sql: String| sqlx::raw_sql(AssertSqlSafe(sql)).execute(&views.pool).await.unwrap();
    let mut compared = 0;
    for (table, keys) in TABLES {
        execute(format!("CREATE TABLE saved_{table} AS TABLE {table}")).await;
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = $1",
        )
        .bind(table)
        .fetch_all(&views.pool)
        .await
        .unwrap();
        // Events of streams that are no order's are set aside too, and are not compared.
        let some = if table == "parked" { "stream = 'order-late'" } else { "true" };
        for (column, data_type) in columns.iter().filter(|(column, _)| !keys.contains(&column.as_str())) {
            let value = another(column, data_type);
            execute(format!(
                "UPDATE {table} SET {column} = {value} WHERE ctid = (SELECT ctid FROM {table} WHERE {some} LIMIT 1)"
            ))
            .await;
            let found = differences(&log, &views).await;
            let named: Vec<_> = found.iter().map(|found| (found.table, found.column.as_deref())).collect();
            assert_eq!(named, [(table, Some(column.as_str()))], "{found:#?}");
            assert_ne!(found[0].log, found[0].view);
            execute(format!("TRUNCATE {table}; INSERT INTO {table} TABLE saved_{table}")).await;
            compared += 1;
        }
        execute(format!("DELETE FROM {table} WHERE ctid = (SELECT ctid FROM {table} WHERE {some} LIMIT 1)")).await;
        let found = differences(&log, &views).await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!((found[0].log.as_deref(), &found[0].view), (Some("a row"), &None));
        execute(format!("TRUNCATE {table}; INSERT INTO {table} TABLE saved_{table}")).await;
    }
    assert!(compared > 50, "{compared}");
    assert_eq!(differences(&log, &views).await, []);
}

#[tokio::test]
async fn views_may_move_on_while_they_are_compared() {
    let views = Views::empty().await;
    let log = Log::empty().await;
    let projector = Running::start(&log, &views, batches_of(3));
    let writing = async {
        let mut last = None;
        for history in all_ways() {
            for event in history.events {
                last = Some(log.append(&history.id.stream(), vec![event]).await);
            }
        }
        last.unwrap()
    };
    let comparing = async {
        loop {
            assert_eq!(differences(&log, &views).await, []);
            tokio::task::yield_now().await;
        }
    };
    let last = tokio::select! {
        last = writing => last,
        () = comparing => unreachable!("it goes on"),
    };
    projector.reach(last).await;
    assert_eq!(differences(&log, &views).await, []);
    projector.stop().await;
}

//! Compares the views with the log, row for row.

use event_store::EventStore;
use projector::compare;
use sqlx::PgPool;

/// Compares the views in a database with the log, after they have reached its end.
pub async fn equal_the_log(log: &str, views: &str) {
    let log = EventStore::connect(log).unwrap();
    let views = PgPool::connect(views).await.unwrap();
    let events = events_of_orders(&log).await;
    crate::process::until("the views have come to the end of the log", async || {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM timeline").fetch_one(&views).await.unwrap();
        rows == events
    })
    .await;
    let compared = compare::everything(&log, &views).await.unwrap();
    assert!(compared.differences.is_empty() && compared.unreadable.is_empty(), "{compared:#?}");
}

async fn events_of_orders(log: &EventStore) -> i64 {
    let (mut history, mut count) = (log.history(None), 0);
    while let Some(record) = history.next().await.unwrap() {
        count += i64::from(record.event.stream.starts_with("order-"));
    }
    count
}

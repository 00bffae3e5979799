//! Two versions side by side on one log and one database, as far as one binary can show it: a role
//! that starts brings the schema up to date while others serve, and an event of a later version
//! stops its own order only. `tests/upgrade/run` tries it with two binaries.

use bytes::Bytes;
use event_store::{EventStore, Expected, NewEvent};
use serde_json::json;
use uuid::Uuid;

use crate::parts::{Parts, SERVICES};
use crate::process::{binary, ends, tenuto, until};
use crate::world::{World, order};

/// Orders that are placed while the schema changes.
const ORDERS: usize = 20;
/// Puts the schema back to where an earlier version left it: before two indexes of large tables.
const EARLIER: &str = "DROP INDEX timeline_of_notes, timeline_of_calls;
                       DELETE FROM _sqlx_migrations WHERE version IN (30, 31)";
const MIGRATES: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                        AND query LIKE '%CREATE INDEX CONCURRENTLY%timeline_of_calls%' AND wait_event_type = 'Lock'
                        AND pid <> pg_backend_pid()";
const MADE: &str = "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid IN
                    (SELECT to_regclass(name) FROM unnest(ARRAY['timeline_of_notes', 'timeline_of_calls']) AS name)";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_brings_the_schema_up_to_date_holds_up_no_running_one() {
    let parts = Parts::new().await;
    let ((_handler, orders), (_queries, queries)) = (parts.handler(), parts.queries());
    let _services = parts.participants();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    sqlx::raw_sql(EARLIER).execute(&parts.pool).await.unwrap();
    // The index waits for each older snapshot.
    let mut report = parts.pool.begin().await.unwrap();
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM timeline")
        .execute(&mut *report)
        .await
        .unwrap();

    let starting = parts.start_in(&["command-handler", "--listen", "127.0.0.1:0"], &[]);
    until("the new instance changes the schema", async || parts.count(MIGRATES).await == 1).await;
    for number in 0..ORDERS {
        let id = format!("meanwhile-{number}");
        let placed = client.post(&orders).json(&order(&id, "order-parallel", "11", 1)).send().await.unwrap();
        assert_eq!(placed.status(), 202, "{id}");
        until(&format!("order {id} is completed"), async || {
            let answer = client.get(format!("{queries}/orders/{id}?wait=10")).send().await.unwrap();
            assert!([200, 404].contains(&answer.status().as_u16()), "{id}: {}", answer.status());
            answer.text().await.unwrap().contains("COMPLETED")
        })
        .await;
    }
    assert_eq!(parts.count(MIGRATES).await, 1, "the schema was changed before the orders ended");
    report.commit().await.unwrap();
    starting.line_after("commands at ");
    assert_eq!(parts.count(MADE).await, 2);
    for arguments in [&["audit", "verify", "--all"][..], &["rebuild", "--check"]] {
        ends(&tenuto(parts.postgres(), &parts.log, arguments), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_an_earlier_version_is_refused_with_the_reason_once_the_schema_is_later() {
    let parts = Parts::new().await;
    let later = "INSERT INTO _sqlx_migrations VALUES (9999, 'of a later version', now(), true, '', 0)";
    sqlx::raw_sql(later).execute(&parts.pool).await.unwrap();
    let servers = [("TENUTO_POSTGRES", parts.postgres()), ("TENUTO_EVENTSTORE", parts.log.as_str())];
    for role in ["command-handler", "projector", "query-api"] {
        let mut command = binary();
        command.args([role, "--listen", "127.0.0.1:0"]).envs(servers).envs(SERVICES);
        let ended = command.output().unwrap();
        let reported = ends(&ended, 2);
        assert!(reported.contains("a later version of Tenuto has made migration 9999"), "{role}: {reported}");
    }
}

/// An event that only a later version knows.
fn of_a_later_version(metadata: &Bytes) -> NewEvent {
    NewEvent { id: Uuid::new_v4(), event_type: "OrderDanced".to_owned(), data: "{}".into(), metadata: metadata.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_later_version_stops_its_order_with_the_reason_and_nothing_else() {
    let world = World::new().await;
    world.stock(&json!([{ "sku": "11", "quantity": 5 }])).await;
    world.place(&order("newer", "order-fulfilment", "12", 1)).await;
    world.comes_to("newer", "BackOrdered", "WAITING").await;
    let log = EventStore::connect(&world.log).unwrap();
    let ours = log.read_stream("order-newer", 0, 1).await.unwrap()[0].metadata.clone();
    log.append("order-newer", Expected::Any, vec![of_a_later_version(&ours)]).await.unwrap();
    let known = log.read_stream("order-newer", 0, 1_000).await.unwrap();

    let cancel = json!({ "actor": "ann", "reason": "the shop asks" });
    let (status, refused) = world.post("/orders/newer/cancel", &cancel).await;
    assert!(status == 503 && refused["detail"].as_str().unwrap().contains("OrderDanced"), "{status} {refused}");
    world.until("it is marked", async || world.order("newer", "parked").await["parked"] == true).await;
    assert_eq!(log.read_stream("order-newer", 0, 1_000).await.unwrap(), known, "an instance wrote after it");

    world.place(&order("other", "order-fulfilment", "11", 1)).await;
    world.comes_to("other", "Shipped", "COMPLETED").await;
}

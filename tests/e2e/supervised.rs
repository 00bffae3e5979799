//! When a task of the process ends unexpectedly, the process ends too, with the reason.

use std::fs::{self, File};

use postgres_cluster::testing::database;
use sqlx::PgPool;

use crate::process::{Process, until};
use crate::world::order;

#[tokio::test(flavor = "multi_thread")]
async fn dev_ends_with_its_projector_and_states_the_reason() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let (data, errors) = (folder.path().join("data"), folder.path().join("errors"));
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--no-samples"];
    let servers = [("TENUTO_POSTGRES", database.url())];
    let mut process = Process::with_errors_to(&arguments, &servers, File::create(&errors).unwrap().into());
    let orders = process.line_after("commands   POST ");
    let ready = orders.replace("/orders", "/readyz");
    until("it is ready and projects", async || {
        let reported = reqwest::get(&ready).await.unwrap().text().await.unwrap();
        reported.starts_with("ready") && reported.contains("projector: active")
    })
    .await;

    let pool = PgPool::connect(database.url()).await.unwrap();
    sqlx::query("ALTER TABLE orders RENAME TO orders_of_before").execute(&pool).await.unwrap();
    let placed = reqwest::Client::new().post(&orders).json(&order("1", "order-fulfilment", "11", 1)).send().await;
    assert_eq!(placed.unwrap().status().as_u16(), 202);
    tokio::task::spawn_blocking(move || {
        assert_eq!(process.ended().code(), Some(2));
    })
    .await
    .unwrap();
    let reported = fs::read_to_string(&errors).unwrap();
    assert!(
        reported.contains("the projector ended unexpectedly: the database has not the views' schema"),
        "{reported}"
    );
    assert!(reported.contains("\"orders\" does not exist"), "the cause is named: {reported}");
}

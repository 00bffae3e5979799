//! A task of the process that ends where it should not: the process ends too, with the reason.

use std::fs::{self, File};

use postgres_cluster::testing::database;
use sqlx::PgPool;

use crate::process::{Process, until};
use crate::world::order;

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_one_process_ends_with_its_projector_and_says_why() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let (data, errors) = (folder.path().join("data"), folder.path().join("errors"));
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--no-samples"];
    let servers = [("TENUTO_POSTGRES", database.url())];
    let mut process = Process::with_errors_to(&arguments, &servers, File::create(&errors).unwrap().into());
    let orders = process.told("commands   POST ");
    let ready = orders.replace("/orders", "/readyz");
    until("it is ready and projects", async || {
        let told = reqwest::get(&ready).await.unwrap().text().await.unwrap();
        told.starts_with("ready") && told.contains("projector: active")
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
    let told = fs::read_to_string(&errors).unwrap();
    assert!(told.contains("the projector ended unexpectedly: the database has not the views' schema"), "{told}");
    assert!(told.contains("\"orders\" does not exist"), "the cause is named: {told}");
}

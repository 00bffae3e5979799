//! A master key wraps the keys of personal data: a copy of the database opens nothing without it,
//! and a rotation rewraps.

use postgres_cluster::testing::{TestDatabase, database};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::process::{Address, Process, binary, ends, until};
use crate::world::order;

/// 32 bytes in Base64.
const FIRST: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const SECOND: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

struct Dev {
    process: Process,
    address: Address,
    http: reqwest::Client,
}

impl Dev {
    /// `tenuto dev` with the master keys of this file's content.
    async fn start(database: &TestDatabase, folder: &std::path::Path, keys: Option<&str>) -> Self {
        let (address, data, file) = (Address::new(), folder.join("data"), folder.join("master-key"));
        let arguments = ["dev", "--listen", address.as_str(), "--data", data.to_str().unwrap(), "--no-samples"];
        let mut environment = vec![("TENUTO_POSTGRES", database.url())];
        if let Some(keys) = keys {
            std::fs::write(&file, format!("{keys}\n")).unwrap();
            environment.push(("TENUTO_MASTER_KEY_FILE", file.to_str().unwrap()));
        }
        let process = Process::start(&arguments, &environment);
        process.line_after("commands   POST ");
        let dev = Self { process, address, http: reqwest::Client::new() };
        let ready = async || {
            let answer = dev.http.get(format!("{}/readyz", dev.address.url())).send().await.unwrap();
            answer.status() == StatusCode::OK
        };
        until("it is ready", ready).await;
        dev
    }

    async fn place(&self, id: &str) {
        let url = format!("{}/orders", self.address.url());
        let placed = self.http.post(url).json(&order(id, "order-fulfilment", "11", 1)).send().await.unwrap();
        assert_eq!(placed.status(), StatusCode::ACCEPTED, "{}", placed.text().await.unwrap());
    }

    /// The name of the customer as the views show it.
    async fn name(&self, id: &str) -> Value {
        let query = json!({ "query": format!("{{ order(id: {id:?}) {{ customer {{ name }} }} }}") });
        let url = format!("{}/graphql", self.address.url());
        let answer: Value = self.http.post(url).json(&query).send().await.unwrap().json().await.unwrap();
        answer["data"]["order"]["customer"]["name"].clone()
    }

    async fn shows(&self, id: &str) {
        until("the views have the name", async || self.name(id).await == "Vins et alcools Chevalier").await;
    }

    fn stop(self) {
        assert!(self.process.stop().success());
    }
}

async fn lengths(pool: &PgPool) -> Vec<i32> {
    sqlx::query_scalar("SELECT length(secret) FROM customer_keys ORDER BY 1").fetch_all(pool).await.unwrap()
}

fn rewrap(database: &TestDatabase, keys: &str) -> String {
    let mut run = binary();
    run.args(["keys", "rewrap"]).env("TENUTO_POSTGRES", database.url());
    if !keys.is_empty() {
        run.env("TENUTO_MASTER_KEY", keys);
    }
    ends(&run.output().unwrap(), if keys.is_empty() { 2 } else { 0 })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_alone_opens_nothing_and_a_rotation_rewraps() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let pool = PgPool::connect(database.url()).await.unwrap();
    let start = async |keys: Option<&str>| Dev::start(&database, folder.path(), keys).await;

    // Before a master key is configured, the key is stored as it is.
    let dev = start(None).await;
    dev.place("m-1").await;
    dev.shows("m-1").await;
    dev.stop();
    assert_eq!(lengths(&pool).await, [32]);
    assert!(rewrap(&database, "").contains("TENUTO_MASTER_KEY_FILE"));
    assert!(rewrap(&database, FIRST).contains("1 keys rewrapped; 0 were wrapped"));
    assert_eq!(lengths(&pool).await, [69]);

    let dev = start(Some(FIRST)).await;
    dev.place("m-2").await;
    dev.shows("m-1").await;
    dev.shows("m-2").await;
    dev.stop();

    for keys in [None, Some(SECOND)] {
        let dev = start(keys).await;
        assert_eq!(dev.name("m-1").await, Value::Null, "{keys:?}");
        dev.stop();
    }

    let both = format!("{SECOND},{FIRST}");
    let dev = start(Some(&both)).await;
    dev.shows("m-1").await;
    assert!(rewrap(&database, &both).contains("1 keys rewrapped; 0 were wrapped"));
    assert!(rewrap(&database, &both).contains("0 keys rewrapped; 1 were wrapped"));
    dev.stop();
    let dev = start(Some(SECOND)).await;
    dev.shows("m-2").await;
    dev.stop();
}

#[test]
fn a_master_key_that_is_none_is_refused_at_the_start_and_not_shown() {
    let run = binary().args(["keys", "rewrap"]).env("TENUTO_MASTER_KEY", "s3cret").output().unwrap();
    let refused = ends(&run, 2);
    assert!(refused.contains("TENUTO_MASTER_KEY") && refused.contains("openssl rand"), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
}

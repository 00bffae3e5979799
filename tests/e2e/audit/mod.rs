//! `tenuto audit`: an unchanged log is reported as such, and every kind of tampering is found and
//! named.

mod bundles;
mod http;
mod operators;
mod scavenged;
mod storage;
mod tampering;

use std::path::Path;
use std::process::Output;

use event_store::{EventStore, Expected, NewEvent};
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::process::{binary, ends};
use crate::world::{World, order};

/// `tenuto audit` with these arguments.
fn audit(arguments: &[&str]) -> Output {
    binary().arg("audit").args(arguments).output().unwrap()
}

/// The metadata of a stream that was deleted.
const DELETED: &str = r#"{"$tb":9223372036854775807}"#;

/// Appends an event as an operator of the log would.
async fn put(log: &EventStore, stream: &str, event_type: &str, data: &'static str) {
    let (id, event_type) = (Uuid::new_v4(), event_type.to_owned());
    let event = NewEvent { id, event_type, data: data.into(), metadata: "{}".into() };
    log.append(stream, Expected::Any, vec![event]).await.unwrap();
}

/// A sealed log at rest, with orders that ended in different ways. Its folder also has the seal and
/// the keys.
struct Audited {
    world: World,
    pool: PgPool,
}

/// The orders and their ends.
const ORDERS: [(&str, &str, &str, u32, &str, &str); 5] = [
    ("A", "order-fulfilment", "11", 2, "Shipped", "COMPLETED"),
    ("B", "order-fulfilment", "11", 1, "Shipped", "COMPLETED"),
    ("C", "order-fulfilment-without-backorder", "none", 1, "Canceled", "CANCELED"),
    ("D", "order-fulfilment", "none", 8, "BackOrdered", "WAITING"),
    ("E", "order-parallel", "11", 1, "", "COMPLETED"),
];

impl Audited {
    async fn sealed() -> Self {
        let world = World::new().await;
        world.stock(&json!([{ "sku": "11", "quantity": 50 }])).await;
        for (id, workflow, sku, quantity, ..) in ORDERS {
            world.place(&order(id, workflow, sku, quantity)).await;
        }
        for (id, .., state) in ORDERS {
            world.until(&format!("{id} is {state}"), async || world.order(id, "state").await["state"] == state).await;
        }
        let pool = PgPool::connect(world.database.url()).await.unwrap();
        let audited = Self { world, pool };
        audited.views_have_come_to_the_end().await;
        ends(&audit(&["keygen", &audited.file("key")]), 0);
        let (key, seal) = (audited.file("key"), audited.file("seal.json"));
        let heads = audited.file("heads");
        let log = audited.world.log.as_str();
        ends(&audit(&["seal", "--key", &key, "--out", &seal, "--heads", &heads, "--event-store", log]), 0);
        audited
    }

    /// A file in its folder.
    fn file(&self, name: &str) -> String {
        self.world.data().join(name).to_str().unwrap().to_owned()
    }

    async fn views_have_come_to_the_end(&self) {
        self.world
            .until("the views have every event", async || {
                let query =
                    "SELECT count(*) FROM orders WHERE state IN ('COMPLETED', 'CANCELED', 'WAITING') AND revision =
                             (SELECT max(revision) FROM timeline WHERE order_id = id)";
                let rest: i64 = sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap();
                rest == 5
            })
            .await;
    }

    /// Stops the processes. The log and the views stay.
    fn stop(&mut self) {
        self.world.process.signal(Signal::TERM);
        self.world.process.ended();
    }

    /// `tenuto audit verify --all` on a stopped log.
    fn verify(&self, data: &str, more: &[&str]) -> Output {
        let postgres = self.world.database.url();
        audit(&[&["verify", "--all", "--data", data, "--postgres", postgres], more].concat())
    }

    /// The findings, from the JSON report.
    fn findings(&self, data: &str, more: &[&str]) -> Vec<Value> {
        let output = self.verify(data, &[more, &["--json"]].concat());
        ends(&output, 1);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["findings"].as_array().unwrap().clone()
    }

    async fn execute(&self, statement: &'static str) {
        let done = sqlx::query(statement).execute(&self.pool).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_log_is_reported_as_such_and_keys_and_seals_are_never_overwritten() {
    let mut audited = Audited::sealed().await;
    let (log, postgres) = (audited.world.log.clone(), audited.world.database.url().to_owned());
    let both = ["--event-store", &log, "--postgres", &postgres];

    // While everything runs.
    let all = audit(&[["verify", "--all"].as_slice(), &both].concat());
    let reported = ends(&all, 0);
    assert!(reported.contains("everything is as it was written") && reported.contains("of 5 orders"), "{reported}");
    assert!(reported.contains("seals: 1 in the log"), "{reported}");
    let (seal, public) = (audited.file("seal.json"), audited.file("key.pub"));
    let known = audit(&[["verify", "--all", "--public-key", &public, "--seal", &seal].as_slice(), &both].concat());
    let reported = ends(&known, 0);
    assert!(!reported.contains("key: none"), "{reported}");
    ends(&audit(&[["verify", "A"].as_slice(), &both].concat()), 0);
    ends(&audit(&["verify", "A", "--event-store", &log]), 0);

    let key = audited.file("key");
    let private = std::fs::read(&key).unwrap();
    assert!(ends(&audit(&["keygen", &key]), 2).contains("exists"));
    assert_eq!(std::fs::read(&key).unwrap(), private);
    let permissions = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key).unwrap().permissions());
    assert_eq!(permissions & 0o777, 0o600);
    assert!(ends(&audit(&["verify", "--all", "--event-store", &log, "--views"]), 2).contains("--postgres"));
    assert!(ends(&audit(&["verify", "unknown", "--event-store", &log]), 2).contains("no order unknown"));

    let reported = ends(&audit(&["seal", "--key", &key, "--out", &seal, "--event-store", &log]), 2);
    assert!(reported.contains("exists"), "{reported}");
    assert!(ends(&audit(&["verify", "--all", "--event-store", &log]), 0).contains("seals: 1 in the log"));
    // A second seal follows the first. A seal that must have another key is a finding.
    ends(&audit(&["seal", "--key", &key, "--event-store", &log]), 0);
    ends(&audit(&["keygen", &audited.file("other")]), 0);
    let other = audited.file("other.pub");
    let reported = ends(&audit(&["verify", "--all", "--public-key", &other, "--event-store", &log]), 1);
    assert!(reported.contains("signed with another key"), "{reported}");
    let reported = ends(&audit(&["seal", "--key", &key, "--to", "1", "--event-store", &log]), 2);
    assert!(reported.contains("covers the log up to position"), "{reported}");

    // After everything has stopped.
    audited.stop();
    let data = audited.world.data();
    ends(&audited.verify(data.to_str().unwrap(), &["--public-key", &public, "--seal", &seal]), 0);
}

/// Whether a tool other than Tenuto accepts the signature.
#[tokio::test(flavor = "multi_thread")]
async fn openssl_and_jq_check_a_seal_by_themselves() {
    let has = |tool: &str| std::process::Command::new(tool).arg("--version").output().is_ok();
    if !(has("openssl") && has("jq")) {
        eprintln!("openssl or jq is not here");
        return;
    }
    let audited = Audited::sealed().await;
    let folder = audited.world.data();
    assert!(signature_holds(&folder, "seal.json"));
    let seal = std::fs::read_to_string(folder.join("seal.json")).unwrap();
    std::fs::write(folder.join("altered.json"), seal.replacen("\"orders\":5", "\"orders\":6", 1)).unwrap();
    assert!(!signature_holds(&folder, "altered.json"));
}

fn signature_holds(folder: &Path, seal: &str) -> bool {
    let script = format!(
        "jq -cjS 'del(.signature)' {seal} > text && jq -r .signature {seal} | base64 -d > signature &&
         openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in text -sigfile signature"
    );
    std::process::Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap().status.success()
}

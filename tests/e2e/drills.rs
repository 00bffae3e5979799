//! Disaster drills: what every role reports when the log, the keys or everything is lost, and what
//! an operator does next.

use std::fs;
use std::path::Path;
use std::process::Output;

use postgres_cluster::testing::{TestDatabase, database};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;

use crate::process::{Address, Process, binary, ends, tenuto, until};
use crate::world::order;

/// An installation whose parts can be lost.
struct Drill {
    database: TestDatabase,
    folder: TempDir,
    http: Address,
    node: Address,
    client: reqwest::Client,
}

impl Drill {
    async fn new() -> Self {
        Self {
            database: database().await,
            folder: tempfile::tempdir().unwrap(),
            http: Address::new(),
            node: Address::new(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn start(&self) -> Process {
        let port = self.node.as_str().rsplit(':').next().unwrap();
        let data = self.folder.path().to_str().unwrap();
        let arguments =
            ["dev", "--data", data, "--listen", self.http.as_str(), "--event-store-port", port, "--no-samples"];
        Process::start(&arguments, &[("TENUTO_POSTGRES", self.database.url())])
    }

    fn log(&self) -> String {
        format!("esdb://{}?tls=false", self.node.as_str())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        match self.client.get(format!("{}{path}", self.http.url())).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(_) => (0, String::new()),
        }
    }

    async fn ready(&self) {
        until("it is ready", async || self.get("/readyz").await.0 == 200).await;
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let answer = self.client.post(format!("{}{path}", self.http.url())).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn completes(&self, id: &str) {
        let (status, body) = self.post("/participants/shipping/stock", &json!([{ "sku": "11", "quantity": 5 }])).await;
        assert!((200..300).contains(&status), "{body}");
        let (status, body) = self.post("/orders", &order(id, "order-fulfilment", "11", 1)).await;
        assert_eq!(status, 202, "{body}");
        until(&format!("order {id} is completed"), async || {
            self.get(&format!("/orders/{id}?wait=10")).await.1.contains("COMPLETED")
        })
        .await;
    }

    /// What the views show of an order's customer.
    async fn customer(&self, id: &str) -> Value {
        let query = format!("{{ order(id: {id:?}) {{ customer {{ name keyMissing }} }} }}");
        let (_, text) = self.post("/graphql", &json!({ "query": query })).await;
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["data"]["order"]["customer"].take()
    }

    fn tenuto(&self, arguments: &[&str]) -> Output {
        tenuto(self.database.url(), &self.log(), arguments)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_log_was_lost_no_order_is_accepted_until_an_operator_confirms() {
    let drill = Drill::new().await;
    let process = drill.start();
    drill.ready().await;
    drill.completes("before").await;
    process.stop();
    fs::remove_dir_all(drill.folder.path().join("event-store")).unwrap();

    let process = drill.start();
    until("it says what is wrong", async || drill.get("/readyz").await.1.contains("tenuto rebuild --yes")).await;
    let printed = process.line_after("Not ready: ");
    assert!(printed.contains("tenuto rebuild --yes"), "{printed}");
    assert_eq!(drill.get("/readyz").await.0, 503);
    assert_eq!(drill.get("/livez").await.0, 200);
    assert!(drill.get("/metrics").await.1.contains("tenuto_log_mismatch 1"));
    let (status, reported) = drill.post("/orders", &order("after", "order-fulfilment", "11", 1)).await;
    assert_eq!(status, 503, "{reported}");

    let (status, reported) = drill.post("/graphql", &json!({ "query": "{ order(id: \"before\") { id } }" })).await;
    assert_eq!(status, 503, "{reported}");
    assert_eq!(drill.get("/orders/before").await.0, 503, "the views are not of this log");

    let audit = ends(&drill.tenuto(&["audit", "verify", "--all"]), 1);
    assert!(audit.contains("is not the one that the views were made from") && audit.lines().count() < 12, "{audit}");
    assert!(ends(&drill.tenuto(&["rebuild", "--check"]), 2).contains("nothing was compared"));
    assert!(ends(&drill.tenuto(&["rebuild"]), 2).contains("--yes"), "no operator is there to confirm");
    ends(&drill.tenuto(&["rebuild", "--yes"]), 0);
    process.line_after("Ready.");
    drill.ready().await;
    drill.completes("after").await;
    assert_eq!(drill.get("/orders/before").await.0, 404);
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_another_installation_is_refused_and_the_right_one_is_accepted_again() {
    let (drill, other) = (Drill::new().await, Drill::new().await);
    for drill in [&drill, &other] {
        let process = drill.start();
        drill.ready().await;
        drill.completes("one").await;
        process.stop();
    }
    let log = drill.folder.path().join("event-store");
    let (kept, foreign) = (drill.folder.path().join("kept"), other.folder.path().join("event-store"));
    fs::rename(&log, &kept).unwrap();
    fs::rename(&foreign, &log).unwrap();
    let process = drill.start();
    until("it says what is wrong", async || drill.get("/readyz").await.1.contains("this is another log")).await;
    let (status, reported) = drill.post("/orders", &order("after", "order-fulfilment", "11", 1)).await;
    assert_eq!(status, 503, "{reported}");
    process.stop();

    fs::rename(&log, &foreign).unwrap();
    fs::rename(&kept, &log).unwrap();
    let process = drill.start();
    drill.ready().await;
    drill.completes("after").await;
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_rebuilt_from_the_log_and_the_copy_of_the_keys() {
    let mut drill = Drill::new().await;
    let process = drill.start();
    drill.ready().await;
    drill.completes("one").await;
    let copy = drill.folder.path().join("keys");
    ends(&drill.tenuto(&["keys", "export", "--to", text(&copy)]), 0);
    process.stop();

    drill.database = database().await;
    let process = drill.start();
    drill.ready().await;
    until("the views are made", async || drill.get("/orders/one").await.0 == 200).await;
    until("the missing keys are counted", async || drill.get("/readyz").await.1.contains("degraded")).await;
    assert_eq!(drill.customer("one").await, json!({ "name": null, "keyMissing": true }));
    ends(&drill.tenuto(&["keys", "import", "--from", text(&copy)]), 0);
    assert_eq!(drill.customer("one").await, json!({ "name": "Vins et alcools Chevalier", "keyMissing": false }));
    ends(&drill.tenuto(&["audit", "verify", "--all"]), 0);
    drill.completes("two").await;
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_without_views_of_a_log_without_orders_reports_that_it_saw_nothing() {
    let drill = Drill::new().await;
    let process = drill.start();
    drill.ready().await;
    let empty = binary().args(["audit", "verify", "--all", "--event-store", &drill.log()]).output().unwrap();
    assert!(ends(&empty, 2).contains("nothing was verified"));
    assert!(ends(&drill.tenuto(&["rebuild", "--check"]), 2).contains("nothing was compared"));
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_keys_are_counted_and_restored_from_their_copy() {
    let drill = Drill::new().await;
    let process = drill.start();
    drill.ready().await;
    drill.completes("one").await;
    let copy = drill.folder.path().join("keys");
    assert!(ends(&drill.tenuto(&["keys", "export", "--to", text(&copy)]), 0).contains("1 keys exported"));
    let pool = PgPool::connect(drill.database.url()).await.unwrap();
    sqlx::query("DELETE FROM customer_keys").execute(&pool).await.unwrap();
    process.stop();

    let process = drill.start();
    drill.ready().await;
    until("the missing keys are counted", async || drill.get("/readyz").await.1.contains("degraded")).await;
    let printed = process.line_after("Degraded: ");
    assert!(printed.contains("tenuto keys import"), "{printed}");
    assert!(drill.get("/metrics").await.1.contains("tenuto_keyless_orders 1"));
    assert_eq!(drill.customer("one").await, json!({ "name": null, "keyMissing": true }));
    assert!(ends(&drill.tenuto(&["audit", "verify", "--all"]), 1).contains("tenuto keys import"));
    assert!(ends(&drill.tenuto(&["rebuild", "--check"]), 1).contains("are missing"));

    // The customer gets a new key meanwhile, and keeps it.
    drill.completes("two").await;
    let import = ["keys", "import", "--from", text(&copy)];
    assert!(ends(&drill.tenuto(&import), 0).contains("1 keys added"));
    assert!(ends(&drill.tenuto(&import), 0).contains("0 keys added; 1 were there already"));
    for id in ["one", "two"] {
        let shown = json!({ "name": "Vins et alcools Chevalier", "keyMissing": false });
        assert_eq!(drill.customer(id).await, shown, "{id}");
    }
    ends(&drill.tenuto(&["audit", "verify", "--all"]), 0);
    // A customer who was forgotten after the copy was made stays forgotten.
    ends(
        &drill.tenuto(&["forget", "VINET", "--reason", "asked for", "--actor", "ann", "--server", &drill.http.url()]),
        0,
    );
    assert!(ends(&drill.tenuto(&import), 0).contains("1 were destroyed since the export"));
    process.stop();
}

/// Orders that are open when the log is saved.
const OPEN: usize = 10;

/// Each order has its own customer, so that each needs its own key.
fn order_of(id: &str) -> Value {
    let mut order = order(id, "order-fulfilment", "11", 1);
    order["customer"]["id"] = json!(format!("C-{id}"));
    order
}

/// What the views have of an order.
async fn state_in(views: &PgPool, id: &str) -> Option<String> {
    sqlx::query_scalar("SELECT state FROM orders WHERE id = $1").bind(id).fetch_optional(views).await.unwrap()
}

/// The book has the same commands: docs/platform/backup.md.
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_lost_under_load_is_restored_from_its_log_and_its_keys_and_its_open_orders_end() {
    let drill = Drill::new().await;
    let mut process = drill.start();
    drill.ready().await;
    drill.completes("one").await;
    let down = json!([{ "participant": "payments", "action": "charge", "respond": { "status": 503 } }]);
    let (status, body) = drill.post("/participants/faults", &down).await;
    assert!((200..300).contains(&status), "{body}");
    let place = async |id: &str| {
        let (status, body) = drill.post("/orders", &order_of(id)).await;
        assert_eq!(status, 202, "{body}");
    };
    for number in 0..OPEN {
        place(&format!("open-{number}")).await;
    }
    let saved = tempfile::tempdir().unwrap();
    let (log, keys) = (saved.path().join("log"), saved.path().join("keys"));
    let saving = async {
        let (node, to, postgres) = (drill.log(), text(&log).to_owned(), drill.database.url().to_owned());
        let backup = move || tenuto(&postgres, &node, &["event-store", "backup", "--from", &node, "--to", &to]);
        let saved = tokio::task::spawn_blocking(backup).await.unwrap();
        ends(&saved, 0);
    };
    let placing = async {
        for number in 0.. {
            place(&format!("later-{number}")).await;
        }
    };
    tokio::select! {
        () = saving => {}
        () = placing => unreachable!("orders are placed until the log is saved"),
    }
    // The keys come second: an order in the saved log has its key by then.
    ends(&drill.tenuto(&["keys", "export", "--to", text(&keys)]), 0);
    process.kill();

    let fresh = Drill::new().await;
    fs::rename(log.join("event-store"), fresh.folder.path().join("event-store")).unwrap();
    ends(&fresh.tenuto(&["keys", "import", "--from", text(&keys)]), 0);
    let process = fresh.start();
    fresh.ready().await;
    let stock = json!([{ "sku": "11", "quantity": 100_000 }]);
    let (status, body) = fresh.post("/participants/shipping/stock", &stock).await;
    assert!((200..300).contains(&status), "{body}");
    let views = PgPool::connect(fresh.database.url()).await.unwrap();
    for number in 0..OPEN {
        let id = format!("open-{number}");
        until(&format!("order {id} is completed"), async || {
            state_in(&views, &id).await.as_deref() == Some("COMPLETED")
        })
        .await;
    }
    until("every saved order is completed", async || {
        let open = "SELECT count(*) FROM orders WHERE state <> 'COMPLETED'";
        sqlx::query_scalar::<_, i64>(open).fetch_one(&views).await.unwrap() == 0
    })
    .await;
    let shown = json!({ "name": "Vins et alcools Chevalier", "keyMissing": false });
    let all: Vec<String> = sqlx::query_scalar("SELECT id FROM orders").fetch_all(&views).await.unwrap();
    assert!(all.len() > OPEN, "{all:?}");
    for id in &all {
        assert_eq!(fresh.customer(id).await, shown, "{id}");
    }
    ends(&fresh.tenuto(&["audit", "verify", "--all"]), 0);
    ends(&fresh.tenuto(&["rebuild", "--check"]), 0);
    fresh.completes("two").await;
    process.stop();
}

//! Disaster drills of an installation whose roles are separate processes: what each role reports,
//! and what an operator does next.

use serde_json::{Value, json};

use crate::parts::Parts;
use crate::process::{Address, Process, output_text, tenuto, until};
use crate::world::order;

/// The parts of an installation, with a command handler that keeps its address.
struct Site {
    parts: Parts,
    handler: Address,
    client: reqwest::Client,
}

impl Site {
    async fn new() -> Self {
        Self {
            parts: Parts::without_projector().await,
            handler: Address::new(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn handler(&self) -> Process {
        self.parts.handler_at(self.handler.as_str(), &[]).0
    }

    async fn get(&self, url: &str) -> (u16, String) {
        match self.client.get(url).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(_) => (0, String::new()),
        }
    }

    async fn post(&self, url: &str, body: &Value) -> (u16, String) {
        match self.client.post(url).json(body).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(_) => (0, String::new()),
        }
    }

    /// Places an order whose services are all reached by events.
    async fn place(&self, id: &str) {
        let url = format!("{}/orders", self.handler.url());
        let (status, body) = self.post(&url, &order(id, "order-parallel", "11", 1)).await;
        assert_eq!(status, 202, "{body}");
    }

    async fn completes(&self, queries: &str, id: &str) {
        until(&format!("order {id} is completed"), async || {
            self.get(&format!("{queries}/orders/{id}?wait=10")).await.1.contains("COMPLETED")
        })
        .await;
    }

    #[track_caller]
    fn runs(&self, arguments: &[&str]) -> String {
        let output = tenuto(self.parts.postgres(), &self.parts.log, arguments);
        let reported = output_text(&output);
        assert!(output.status.success(), "{arguments:?}: {reported}");
        reported
    }
}

/// The roles run during the restore, and notice it by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn every_role_refuses_a_log_restored_from_an_older_backup_until_an_operator_accepts_it() {
    let mut site = Site::new().await;
    let (_handler, (_projector, projector)) = (site.handler(), site.parts.projector());
    let ((_queries, queries), (services, participants)) = (site.parts.queries(), site.parts.participants());
    site.place("kept").await;
    site.completes(&queries, "kept").await;
    let backup = site.parts.folder.path().join("backup");
    site.runs(&["event-store", "backup", "--from", &site.parts.log, "--to", backup.to_str().unwrap()]);
    site.place("lost").await;
    site.completes(&queries, "lost").await;
    site.parts.restart_node(|data| {
        std::fs::remove_dir_all(data).unwrap();
        std::fs::rename(&backup, data).unwrap();
    });

    for role in [site.handler.url(), projector.clone(), queries.clone(), participants.clone()] {
        until(&format!("{role} says that the log is an older one"), async || {
            let (status, reported) = site.get(&format!("{role}/readyz")).await;
            status == 503 && reported.contains("ahead of the log")
        })
        .await;
        assert_eq!(site.get(&format!("{role}/livez")).await.0, 200, "{role}");
        assert!(site.get(&format!("{role}/metrics")).await.1.contains("tenuto_log_mismatch 1"), "{role}");
    }
    let placed = site.post(&format!("{}/orders", site.handler.url()), &order("x", "order-parallel", "11", 1)).await;
    assert_eq!(placed.0, 503, "{placed:?}");
    let asked = site.post(&format!("{queries}/graphql"), &json!({ "query": "{ order(id: \"lost\") { id } }" })).await;
    assert!(asked.0 == 503 && asked.1.contains("LOG_MISMATCH") && asked.1.contains("tenuto rebuild"), "{asked:?}");
    let asked = site.get(&format!("{queries}/orders/lost")).await;
    assert!(asked.0 == 503 && asked.1.contains("tenuto rebuild"), "{asked:?}");

    site.runs(&["rebuild", "--yes"]);
    services.stop();
    let (_services, participants) = site.parts.participants_with(&["--read-again"]);
    for role in [site.handler.url(), projector, queries.clone(), participants] {
        until(&format!("{role} is ready"), async || site.get(&format!("{role}/readyz")).await.0 == 200).await;
    }
    assert_eq!(site.get(&format!("{queries}/orders/kept")).await.0, 200);
    assert_eq!(site.get(&format!("{queries}/orders/lost")).await.0, 404);
    site.place("after").await;
    site.completes(&queries, "after").await;
    site.runs(&["audit", "verify", "--all"]);
}

/// More orders than the number of requests that a service handles in parallel.
const KEYLESS: i64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn orders_whose_key_is_missing_are_stuck_with_that_reason_and_do_not_delay_new_ones() {
    let site = Site::new().await;
    let handler = site.handler();
    let _projector = site.parts.projector();
    let (_queries, queries) = site.parts.queries();
    for number in 0..KEYLESS {
        site.place(&format!("old-{number}")).await;
    }
    let copy = site.parts.folder.path().join("keys");
    site.runs(&["keys", "export", "--to", copy.to_str().unwrap()]);
    handler.stop();
    let pool = &site.parts.pool;
    sqlx::query("DELETE FROM customer_keys").execute(pool).await.unwrap();

    let _handler = site.handler();
    let _services = site.parts.participants();
    let stuck = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM orders WHERE state = 'STUCK' AND stuck_reason LIKE '%is missing%'")
            .fetch_one(pool)
            .await
            .unwrap()
    };
    until("each order is stuck because its key is missing", async || stuck().await == KEYLESS).await;
    // A role counts them when it starts. A running role notices within five minutes.
    until("the command handler says that keys are missing", async || {
        let (status, reported) = site.get(&format!("{}/readyz", site.handler.url())).await;
        status == 200 && reported.contains("degraded")
    })
    .await;
    site.place("new").await;
    site.completes(&queries, "new").await;

    let at_handler = ["--server", &site.handler.url(), "--actor", "ann", "--reason", "the keys are gone"];
    let shown = site.runs(&["show", "old-1", "--server", &queries]);
    assert!(shown.contains("STUCK") && shown.contains("tenuto keys import") && !shown.contains("Chevalier"), "{shown}");
    site.runs(&[&["cancel", "old-0"], &at_handler[..]].concat());
    until("a canceled order is undone without personal data", async || {
        site.get(&format!("{queries}/orders/old-0?wait=10")).await.1.contains("CANCELED")
    })
    .await;
    site.runs(&["keys", "import", "--from", copy.to_str().unwrap()]);
    site.runs(&[&["retry", "--where", "state=STUCK"], &at_handler[..]].concat());
    for number in 1..KEYLESS {
        site.completes(&queries, &format!("old-{number}")).await;
    }
}

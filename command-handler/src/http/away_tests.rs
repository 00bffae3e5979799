//! While the log or Postgres is away, commands are answered within five seconds. The answer says
//! what was done.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use access::{Caller, SecondPerson};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::{Extension, Router};
use domain::filter::OrderFilter;
use domain::ids::OrderId;
use domain::order::NewOrder;
use event_store::Expected;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;
use views::Unknown;

use super::router;
use crate::admission::Admission;
use crate::clock::{Clock, SystemClock};
use crate::erasure::CustomerOrders;
use crate::fakes::keys::SimulatedKeys;
use crate::fakes::log::SimulatedLog;
use crate::fakes::world::registration;
use crate::orchestrator::{Orchestrator, OrchestratorOptions};
use crate::participants::{AllParticipants, HttpParticipants, Settings};
use crate::selection::Selection;

const WORKFLOW: &str = "workflow: w\nversion: 1\nparticipants: { p: { events: true } }\nsteps:\n  a: { wait: 30d }\n  b: { after: [a], request: p.b }\n";

/// Views of a customer without orders. While they are away, no call is answered.
#[derive(Debug, Clone)]
struct Views {
    is_away: bool,
}

impl Views {
    async fn answer<T>(&self, answer: T) -> Result<T, Infallible> {
        if self.is_away {
            std::future::pending::<()>().await;
        }
        Ok(answer)
    }
}

impl Selection for Views {
    type Error = Infallible;

    async fn count(&self, _: &OrderFilter, _: Option<&str>) -> Result<u64, Infallible> {
        self.answer(3).await
    }

    async fn unknown(&self, _: &OrderFilter) -> Result<Option<Unknown>, Infallible> {
        self.answer(None).await
    }

    async fn page(&self, _: &OrderFilter, _: Option<&str>, _: usize) -> Result<Vec<String>, Infallible> {
        self.answer(["1", "2", "3"].map(str::to_owned).to_vec()).await
    }
}

impl CustomerOrders for Views {
    type Error = Infallible;

    async fn position(&self) -> Result<Option<u64>, Infallible> {
        self.answer(Some(u64::MAX)).await
    }

    async fn open(&self, _: &str, _: usize) -> Result<Vec<String>, Infallible> {
        self.answer(Vec::new()).await
    }

    async fn ended(&self, _: &str, _: Option<&OrderId>, _: usize) -> Result<Vec<OrderId>, Infallible> {
        self.answer(Vec::new()).await
    }

    async fn not_ended(&self, _: &str, _: usize) -> Result<Vec<String>, Infallible> {
        self.answer(Vec::new()).await
    }

    async fn in_the_clear(&self, _: &str) -> Result<u64, Infallible> {
        self.answer(0).await
    }
}

/// A command endpoint with three orders that wait.
struct Site {
    log: SimulatedLog,
    router: Router,
}

impl Site {
    async fn new(views: Views) -> Self {
        let log = SimulatedLog::new();
        let (stream, event) = registration(WORKFLOW, SystemClock.now().at, Uuid::now_v7());
        log.put(&stream, Expected::NoStream, &[event]).unwrap();
        let http = HttpParticipants::new(Settings::default(), "http://127.0.0.1:1", 4).unwrap();
        let participants = AllParticipants::new(http, log.clone(), "http://127.0.0.1:1");
        let keys = Arc::new(SimulatedKeys::default());
        // No order is kept in memory, so that each command reads the log.
        let options = OrchestratorOptions {
            max_idle: NonZeroUsize::MIN,
            patience: Duration::ZERO,
            ..OrchestratorOptions::default()
        };
        let orchestrator = Orchestrator::new(log.clone(), participants, keys.clone(), SystemClock, options);
        for id in ["1", "2", "3"] {
            let order = NewOrder { workflow: "w".to_owned(), ..domain::testing::order() };
            orchestrator.place(OrderId::new(id).unwrap(), order, None).await.unwrap();
        }
        let leaving = CancellationToken::new();
        let router =
            router(orchestrator, log.clone(), keys, views, SecondPerson::default(), leaving, Admission::default());
        let router = router.layer(Extension(Caller::Anyone));
        Self { log, router }
    }

    /// The status and the body of an answer, which comes within five seconds.
    async fn post(&self, path: &str, body: &Value) -> (StatusCode, String) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let begun = Instant::now();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "{path}: {:?}", begun.elapsed());
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20);
        let bytes = timeout(Duration::from_secs(5), bytes).await.expect("the answer ends in time").unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

fn assert_later((status, body): (StatusCode, String), parts: &[&str]) {
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(parts.iter().all(|part| body.contains(part)), "{parts:?}: {body}");
}

fn named() -> Value {
    json!({ "operation": "cancel", "reason": "so", "orders": ["1", "2", "3"] })
}

fn matching() -> Value {
    json!({ "operation": "cancel", "reason": "so", "where": { "state": ["WAITING"] } })
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_refused_as_a_whole_while_the_log_is_silent() {
    for batch in [named(), matching()] {
        let site = Site::new(Views { is_away: false }).await;
        site.log.freeze("");
        let parts = ["the log has not answered", "order 1", "no order was decided", "send the same request again"];
        assert_later(site.post("/orders/batch", &batch).await, &parts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_refused_as_a_whole_while_the_log_is_down() {
    let site = Site::new(Views { is_away: false }).await;
    site.log.set_down(true);
    assert_later(site.post("/orders/batch", &named()).await, &["as the test has it", "send the same request again"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_and_a_command_that_cannot_be_recorded_are_answered_with_the_cause() {
    let site = Site::new(Views { is_away: false }).await;
    site.log.set_down(true);
    let order = json!({
        "workflow": "w", "customer": { "id": "VINET" }, "currency": "EUR",
        "lines": [{ "sku": "11", "name": "Queso", "quantity": 1, "unitPrice": "14.00" }]
    });
    for (path, body) in [("/orders", order), ("/orders/1/cancel", json!({ "reason": "so" }))] {
        assert_later(site.post(path, &body).await, &["as the test has it", "send the same request again"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_the_log_leaves_halfway_says_how_far_it_came() {
    let site = Site::new(Views { is_away: false }).await;
    site.log.freeze("order-2");
    let (status, body) = site.post("/orders/batch", &named()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{body}");
    assert_eq!((&lines[1]["orderId"], &lines[1]["status"]), (&json!("1"), &json!(202)));
    let stopped = lines[2]["stopped"].as_str().unwrap();
    assert!(stopped.contains("about order 2") && stopped.contains("1 order was decided"), "{stopped}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_by_a_filter_says_that_postgres_is_silent() {
    let site = Site::new(Views { is_away: true }).await;
    assert_later(site.post("/orders/batch", &matching()).await, &["Postgres has not answered", "nothing was done"]);
}

#[tokio::test(start_paused = true)]
async fn a_customer_is_not_forgotten_while_the_log_or_postgres_is_silent_and_the_answer_says_what_was_done() {
    let forget = json!({ "reason": "asked for" });
    let path = format!("/customers/{}/forget", domain::testing::order().customer.id);
    let site = Site::new(Views { is_away: true }).await;
    assert_later(site.post(&path, &forget).await, &["Postgres does not answer", "nothing was done"]);
    let site = Site::new(Views { is_away: false }).await;
    site.log.freeze("");
    assert_later(site.post(&path, &forget).await, &["the log does not answer", "are destroyed", "again"]);
}

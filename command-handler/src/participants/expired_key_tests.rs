//! An API key expires, over real HTTP: no order is undone for it, each is held, and an operator has
//! them finished.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::ids::OrderId;
use domain::order::{self, NewOrder, Now, Operate, Operation};
use domain::testing;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::{HttpParticipants, Settings};
use crate::clock::{Clock, SystemClock};
use crate::fakes::world::World;
use crate::orchestrator::{Orchestrator, OrchestratorOptions};

const ORDERS: usize = 20;
const ATTEMPTS: usize = 2;

/// A participant whose callers have a key, which may have expired.
#[derive(Debug, Default)]
struct Service {
    expired: AtomicBool,
    charged: AtomicUsize,
    turned_away: AtomicUsize,
    undone: AtomicUsize,
}

async fn act(State(service): State<Arc<Service>>, Path(action): Path<String>) -> StatusCode {
    let (counter, status) = match action.as_str() {
        "reserve" => return StatusCode::OK,
        "charge" if service.expired.load(Ordering::SeqCst) => (&service.turned_away, StatusCode::UNAUTHORIZED),
        "charge" => (&service.charged, StatusCode::OK),
        _ => (&service.undone, StatusCode::OK),
    };
    counter.fetch_add(1, Ordering::SeqCst);
    status
}

async fn serve(service: Arc<Service>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().route("/{action}", axum::routing::post(act)).with_state(service);
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_mins(2), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn an_expired_key_undoes_no_order_and_operators_finish_them_once_it_is_back() {
    let service = Arc::new(Service::default());
    service.expired.store(true, Ordering::SeqCst);
    let port = serve(service.clone()).await;
    let world = World::new();
    world.register(&format!(
        "workflow: w
version: 1
participants: {{ p: {{ url: 'http://127.0.0.1:{port}' }} }}
steps:
  reserve: {{ call: p.reserve, undo: p.release }}
  charge:
    after: [reserve]
    call: p.charge
    undo: p.refund
    timeout: 500ms
    retry: {{ attempts: {ATTEMPTS}, initial: 10ms, max: 100ms }}
"
    ));
    let participants = HttpParticipants::new(Settings::default(), "http://127.0.0.1:1", 48).unwrap();
    let options = OrchestratorOptions { patience: Duration::from_mins(5), ..OrchestratorOptions::default() };
    let orchestrator =
        Orchestrator::new(world.log.clone(), participants.clone(), world.keys.clone(), SystemClock, options);
    let ids: Vec<OrderId> = (0..ORDERS).map(|number| OrderId::new(format!("E{number}")).unwrap()).collect();
    for id in &ids {
        let order = NewOrder { workflow: "w".to_owned(), ..testing::order() };
        orchestrator.place(id.clone(), order, None).await.unwrap();
    }
    let all = |state: order::State| ids.iter().all(|id| world.state(id).state() == state);
    until("all orders are held", || all(order::State::Stuck)).await;

    let circuits = serde_json::to_value(participants.states()).unwrap();
    assert_eq!(circuits[0]["cause"], "misconfigured", "{circuits}");
    assert!(circuits[0]["lastError"].as_str().unwrap().contains("401"), "{circuits}");
    for id in &ids {
        let state = world.state(id);
        let reason = state.stuck_reason().unwrap();
        assert!(reason.starts_with("p.charge is held for an operator") && reason.contains("401"), "{reason}");
        assert_eq!(world.count(id, "CompensationStarted"), 0);
    }
    let turned_away = service.turned_away.load(Ordering::SeqCst);
    assert!((1..ORDERS * ATTEMPTS).contains(&turned_away), "the circuit holds requests back: {turned_away}");

    service.expired.store(false, Ordering::SeqCst);
    for id in &ids {
        let now: Now = SystemClock.now();
        let (actor, reason) = ("ann".to_owned(), "the key is renewed".to_owned());
        let operate = Operate { operation: Operation::Retry { step: None }, actor, reason, now };
        orchestrator.operate(id.clone(), operate).await.unwrap();
    }
    until("all orders are completed", || all(order::State::Completed)).await;
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!((count(&service.charged), count(&service.undone)), (ORDERS, 0));
    let circuits = serde_json::to_value(participants.states()).unwrap();
    assert_eq!((&circuits[0]["circuit"], &circuits[0]["cause"]), (&"closed".into(), &serde_json::Value::Null));
}

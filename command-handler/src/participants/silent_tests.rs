//! Real HTTP to a participant that takes requests and never answers, while other orders and operators go on.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use domain::ids::OrderId;
use domain::order::{NewOrder, Operate, Operation};
use domain::testing::order;
use event_store::client::Expected;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{HttpParticipants, Settings};
use crate::clock::{Clock, SystemClock};
use crate::orchestrator::{Orchestrator, OrchestratorOptions};
use crate::simulated::keys::SimulatedKeys;
use crate::simulated::log::SimulatedLog;
use crate::simulated::world::registration;

/// How many orders are at the silent participant; `TENUTO_SILENT_ORDERS` says otherwise.
const SILENT_ORDERS: u32 = 2_000;
/// Calls to one participant at once.
const MOST_CALLS: usize = 48;
/// How many of the others there are.
const PROMPT_ORDERS: u32 = 100;
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// Takes connections, and holds them.
async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    format!("http://{address}")
}

/// Does whatever it is asked for.
async fn prompt() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Router::new().route("/{action}", post(|| async { "{}" }));
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

/// Registers a workflow that asks this participant for one thing.
fn register(log: &SimulatedLog, workflow: &str, url: &str) {
    let step = "go: { call: p.go, undo: p.back, timeout: 1h }";
    let source =
        format!("workflow: {workflow}\nversion: 1\nparticipants: {{ p: {{ url: '{url}' }} }}\nsteps:\n  {step}\n");
    let (stream, event) = registration(&source, SystemClock.now().at, Uuid::now_v7());
    log.put(&stream, Expected::NoStream, &[event]).unwrap();
}

fn id(workflow: &str, number: u32) -> OrderId {
    OrderId::new(format!("{workflow}-{number}")).unwrap()
}

fn last_event(log: &SimulatedLog, order_id: &OrderId) -> String {
    log.stream(&order_id.stream()).last().map(|event| event.event_type.clone()).unwrap_or_default()
}

/// Waits until the last event of each of these orders is of that type.
async fn until_all(log: &SimulatedLog, orders: &[OrderId], event_type: &str) {
    let all = async {
        while !orders.iter().all(|order_id| last_event(log, order_id) == event_type) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    let other = orders.iter().find(|order_id| last_event(log, order_id) != event_type);
    in_time.unwrap_or_else(|_| panic!("{other:?} has no {event_type}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_at_a_silent_participant_hold_up_neither_other_orders_nor_operators() {
    let count = env::var("TENUTO_SILENT_ORDERS").map_or(SILENT_ORDERS, |text| text.parse().expect("a number"));
    let log = SimulatedLog::new();
    register(&log, "silent", &silent().await);
    register(&log, "prompt", &prompt().await);
    let participants = HttpParticipants::new(Settings::default(), "http://127.0.0.1:9", MOST_CALLS).unwrap();
    let keys = Arc::new(SimulatedKeys::default());
    let options = OrchestratorOptions::default();
    let orchestrator = Orchestrator::new(log.clone(), participants, keys, SystemClock, options.clone());
    let place = async |workflow: &str, number: u32| {
        let content = NewOrder { workflow: workflow.to_owned(), ..order() };
        orchestrator.place(id(workflow, number), content, None).await
    };
    for number in 0..count {
        place("silent", number).await.unwrap_or_else(|error| panic!("silent order {number}: {error}"));
    }
    // A quarter of the drivers is left at least, whatever the silent participant holds.
    assert!(orchestrator.free() >= options.most_active / 4, "{} drivers are free", orchestrator.free());

    let prompt: Vec<OrderId> = (0..PROMPT_ORDERS).map(|number| id("prompt", number)).collect();
    for number in 0..PROMPT_ORDERS {
        place("prompt", number).await.unwrap_or_else(|error| panic!("prompt order {number}: {error}"));
    }
    until_all(&log, &prompt, "OrderCompleted").await;

    // Some of these are being asked, some wait for their turns, and some rest until there is a place to wait in.
    let canceled: Vec<OrderId> =
        (0..count).step_by(usize::try_from(count / 50).unwrap().max(1)).map(|number| id("silent", number)).collect();
    for order_id in &canceled {
        let (actor, reason, now) = ("ann".to_owned(), "it takes too long".to_owned(), SystemClock.now());
        let operate = Operate { operation: Operation::Cancel, actor, reason, now };
        let accepted = orchestrator.operate(order_id.clone(), operate).await;
        accepted.unwrap_or_else(|error| panic!("cancel of {order_id}: {error}"));
        let events = log.stream(&order_id.stream());
        assert!(events.iter().any(|event| event.event_type == "CompensationStarted"), "{order_id}");
    }
    // An order that was never asked for anything ends at once.
    let rest: Vec<OrderId> = canceled.into_iter().filter(|order_id| never_sent(&log, order_id)).collect();
    assert!(count < 1_500 || rest.len() > 10, "{}", rest.len());
    until_all(&log, &rest, "OrderCanceled").await;
    orchestrator.shutdown(Duration::ZERO).await;
}

/// Whether the request of an order was recorded as not sent.
fn never_sent(log: &SimulatedLog, order_id: &OrderId) -> bool {
    let events = log.stream(&order_id.stream());
    events.iter().any(|event| event.event_type == "StepAttemptFailed")
}

//! Real HTTP to a participant that takes requests and never answers, while other orders and
//! operators go on.

use std::collections::HashSet;
use std::env;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use domain::ids::OrderId;
use domain::order::{NewOrder, Operate, Operation};
use domain::testing::order;
use event_store::Expected;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::timeout;
use uuid::Uuid;

use super::{HttpParticipants, Settings};
use crate::clock::{Clock, SystemClock};
use crate::fakes::keys::SimulatedKeys;
use crate::fakes::log::SimulatedLog;
use crate::fakes::world::registration;
use crate::lock::lock;
use crate::orchestrator::{Orchestrator, OrchestratorOptions};

/// How many orders are at the silent participant; `TENUTO_SILENT_ORDERS` says otherwise.
const SILENT_ORDERS: u32 = 2_000;
/// Calls to one participant at once.
const MAX_CALLS: usize = 48;
/// How many of the others there are.
const PROMPT_ORDERS: u32 = 100;
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// The orders that the silent participant was asked about.
type Asked = Arc<Mutex<HashSet<String>>>;

/// Takes requests, and answers none.
async fn silent(asked: Asked) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let takes = move |Json(request): Json<Value>| async move {
        lock(&asked).insert(request["orderId"].as_str().unwrap().to_owned());
        std::future::pending::<()>().await;
    };
    let service = Router::new().route("/{action}", post(takes));
    tokio::spawn(async move { axum::serve(listener, service).await });
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
    let in_time = timeout(PATIENCE, all).await;
    let other = orders.iter().find(|order_id| last_event(log, order_id) != event_type);
    in_time.unwrap_or_else(|_| panic!("{other:?} has no {event_type}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_at_a_silent_participant_hold_up_neither_other_orders_nor_operators() {
    let count = env::var("TENUTO_SILENT_ORDERS").map_or(SILENT_ORDERS, |text| text.parse().expect("a number"));
    let log = SimulatedLog::new();
    let asked = Asked::default();
    register(&log, "silent", &silent(asked.clone()).await);
    register(&log, "prompt", &prompt().await);
    let participants = HttpParticipants::new(Settings::default(), "http://127.0.0.1:9", MAX_CALLS).unwrap();
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
    assert!(orchestrator.free() >= options.max_active / 4, "{} drivers are free", orchestrator.free());

    let prompt: Vec<OrderId> = (0..PROMPT_ORDERS).map(|number| id("prompt", number)).collect();
    for number in 0..PROMPT_ORDERS {
        place("prompt", number).await.unwrap_or_else(|error| panic!("prompt order {number}: {error}"));
    }
    until_all(&log, &prompt, "OrderCompleted").await;

    // Some of these are being asked, some wait for their turns, and some rest until there is a
    // place to wait in.
    let canceled: Vec<OrderId> =
        (0..count).step_by(usize::try_from(count / 50).unwrap().max(1)).map(|number| id("silent", number)).collect();
    for order_id in &canceled {
        let (actor, reason, now) = ("ann".to_owned(), "it takes too long".to_owned(), SystemClock.now());
        let operate = Operate { operation: Operation::Cancel, actor, reason, now };
        // An operator's command is on record within five seconds.
        let accepted = timeout(Duration::from_secs(5), orchestrator.operate(order_id.clone(), operate)).await;
        accepted
            .expect("the cancel is answered in time")
            .unwrap_or_else(|error| panic!("cancel of {order_id}: {error}"));
        let events = log.stream(&order_id.stream());
        assert!(events.iter().any(|event| event.event_type == "CompensationStarted"), "{order_id}");
    }
    // An order that the participant was never asked about ends at once, whether it waits for a turn
    // or for a place to wait in.
    let (at_participant, rest): (Vec<_>, Vec<_>) =
        canceled.into_iter().partition(|order_id| lock(&asked).contains(order_id.as_str()));
    assert!(count < 1_500 || (!at_participant.is_empty() && rest.len() > 40), "{at_participant:?}");
    until_all(&log, &rest, "OrderCanceled").await;
    // The others are undone once their exchanges have ended.
    until_all(&log, &at_participant, "CompensationStarted").await;
    orchestrator.shutdown(Duration::ZERO).await;
}

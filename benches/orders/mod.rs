//! Orders that have ended, decided by the real decider under `order-fulfilment`. Their events are
//! interleaved like those of concurrent orders. Of ten, seven are shipped at once, two after a
//! back-order, and one is canceled.

use std::ops::Range;

use domain::ids::OrderId;
use domain::order::{Event, NewOrder, Operation, Reply};
use domain::testing::{Story, answered, done};
use domain::wire::{self, CHAIN_START, Context};
use domain::workflow::Workflow;
use event_store::{EventStore, Expected, NewEvent};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

/// Their workflow.
pub const WORKFLOW: &str = include_str!("../../workflows/order-fulfilment.yaml");
/// Concurrent orders.
const WAVE: u64 = 512;

/// Decides these orders and appends their events. Returns the number of events.
pub async fn fill(store: &EventStore, numbers: Range<u64>) -> usize {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut events = 0;
    for wave in 0..(numbers.end - numbers.start).div_ceil(WAVE) {
        let first = numbers.start + wave * WAVE;
        let numbers = first..numbers.end.min(first + WAVE);
        let mut lives: Vec<Life> = numbers.map(|number| Life::lived(&workflow, number)).collect();
        loop {
            let next: Vec<_> = lives.iter_mut().filter_map(Life::next).collect();
            if next.is_empty() {
                break;
            }
            events += next.iter().map(|(_, _, events)| events.len()).sum::<usize>();
            let appends = next.into_iter().map(|(stream, expected, events)| {
                let store = store.clone();
                async move { store.append(&stream, expected, events).await.unwrap() }
            });
            join_all(appends).await;
        }
    }
    events
}

/// The life of an order, decision by decision.
struct Life {
    stream: String,
    decisions: std::vec::IntoIter<Vec<Event>>,
    written: u64,
    hash: String,
}

impl Life {
    fn lived(workflow: &Workflow, number: u64) -> Self {
        let decisions = decisions(workflow, number);
        Self {
            stream: OrderId::new(id(number)).unwrap().stream(),
            decisions: decisions.into_iter(),
            written: 0,
            hash: CHAIN_START.to_owned(),
        }
    }

    fn next(&mut self) -> Option<(String, Expected, Vec<NewEvent>)> {
        let decided = self.decisions.next()?;
        let expected = self.written.checked_sub(1).map_or(Expected::NoStream, Expected::Revision);
        let context = Context { correlation_id: self.stream.clone(), ..Context::default() };
        let mut events = Vec::new();
        for event in &decided {
            let id = Uuid::now_v7();
            let encoded = wire::encode(event, id, &self.hash, &context).unwrap();
            self.hash = encoded.hash;
            self.written += 1;
            events.push(NewEvent {
                id,
                event_type: encoded.event_type.to_owned(),
                data: encoded.data.into(),
                metadata: encoded.metadata.into(),
            });
        }
        Some((self.stream.clone(), expected, events))
    }
}

fn decisions(workflow: &Workflow, number: u64) -> Vec<Vec<Event>> {
    let mut story = Story::given(workflow);
    let mut decisions = vec![story.place(order(number)).events()];
    for step in ["create-order", "charge"] {
        decisions.push(story.answer(step, done()).events());
    }
    decisions.push(story.answer("ship", Reply::Accepted).events());
    let kind = number % 10;
    if kind == 9 {
        decisions.push(story.operate(Operation::Cancel).events());
        for undo in ["ship", "charge", "create-order"] {
            decisions.push(story.answer(undo, done()).events());
        }
        for step in ["record-canceled", "notify-canceled"] {
            decisions.push(story.answer(step, done()).events());
        }
        return decisions;
    }
    if kind > 6 {
        decisions.push(story.signal("ship", "backordered").events());
        for step in ["record-backorder", "notify-backorder"] {
            decisions.push(story.answer(step, done()).events());
        }
    }
    let tracking = json!({ "tracking": format!("T{number}") });
    decisions.push(story.signal_with("ship", "shipped", tracking, None).events());
    for step in ["record-shipped", "notify-shipped"] {
        decisions.push(story.answer(step, answered("done")).events());
    }
    assert!(story.state().ended());
    decisions
}

fn order(number: u64) -> NewOrder {
    let lines: Vec<Value> = (0..=number % 4)
        .map(|line| json!({ "sku": format!("{}", 10 + line), "name": "Queso Cabrales", "quantity": 1 + number % 20, "unitPrice": "14.00" }))
        .collect();
    let order = json!({
        "orderId": id(number),
        "workflow": "order-fulfilment",
        "customer": { "id": format!("C{}", number % 91), "name": "Vins et alcools Chevalier", "email": "orders@vinet.example" },
        "currency": "EUR",
        "lines": lines,
        "shipTo": { "street": "59 rue de l'Abbaye", "city": "Reims", "postalCode": "51100", "country": "France" },
    });
    domain::order::request::check(&order).unwrap()
}

/// The id of the order with this number.
pub fn id(number: u64) -> String {
    format!("B{number:07}")
}

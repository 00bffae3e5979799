//! Orders that went each way there is, as their events stand in the log.

use std::time::Duration;

use bytes::Bytes;
use domain::ids::OrderId;
use domain::order::{Event, NewOrder, Operation, Order};
use domain::testing::{Story, answered, done, held, misconfigured, order, refused, unclear};
use domain::wire::{self, CHAIN_START, Context};
use domain::workflow::Workflow;
use event_store::NewEvent;
use uuid::Uuid;

pub const WORKFLOW: &str = include_str!("../../../workflows/order-fulfilment.yaml");

/// One order's life.
pub struct History {
    pub id: OrderId,
    pub events: Vec<NewEvent>,
    /// What it came to, by the domain's own fold.
    pub state: Order,
}

/// An order each way: shipped, back-ordered and waiting, back-ordered and shipped later, undone,
/// backing off, held meanwhile, stuck, held by a mistake, just placed.
pub fn all_ways() -> Vec<History> {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut histories = Vec::new();
    let mut tell = |id: &str, life: &dyn Fn(&mut Story)| {
        let mut story = Story::given(&workflow);
        story.place(NewOrder { order_id: Some(OrderId::new(id).unwrap()), ..order() }).whatever();
        life(&mut story);
        histories.push(history(id, story.history(), story.state()));
    };
    let until_ship = |story: &mut Story| {
        story.answer("create-order", done()).whatever();
        story.answer("charge", done()).whatever();
    };
    tell("placed", &|_| {});
    tell("shipped", &|story| {
        until_ship(story);
        story.answer("ship", answered("shipped")).whatever();
        story.answer("record-shipped", done()).whatever();
        story.answer("notify-shipped", done()).whatever();
    });
    tell("waiting", &|story| {
        until_ship(story);
        story.answer("ship", answered("backordered")).whatever();
        story.answer("record-backorder", done()).whatever();
        story.answer("notify-backorder", done()).whatever();
    });
    tell("shipped-late", &|story| {
        until_ship(story);
        story.answer("ship", answered("backordered")).whatever();
        story.answer("record-backorder", done()).whatever();
        story.answer("notify-backorder", done()).whatever();
        story.signal("ship", "shipped").whatever();
        story.answer("record-shipped", done()).whatever();
        story.answer("notify-shipped", done()).whatever();
    });
    tell("undone", &|story| {
        until_ship(story);
        story.answer("ship", answered("out_of_stock")).whatever();
        for step in ["ship", "charge", "create-order", "record-canceled", "notify-canceled"] {
            if story.state().steps.contains_key(step) {
                story.answer(step, done()).whatever();
            }
        }
    });
    tell("retrying", &|story| {
        story.answer("create-order", done()).whatever();
        story.answer("charge", unclear("503 Service Unavailable")).whatever();
        story.tick_after(Duration::from_secs(1)).whatever();
        story.answer("charge", unclear("503 Service Unavailable")).whatever();
    });
    tell("resumed", &|story| {
        story.answer("create-order", done()).whatever();
        story.answer("charge", unclear("503 Service Unavailable")).whatever();
        story.operate(Operation::Pause).whatever();
        story.pass(Duration::from_mins(1));
        story.operate(Operation::Resume).whatever();
    });
    tell("stuck", &|story| {
        until_ship(story);
        story.answer("ship", refused("no such address")).whatever();
        story.answer("charge", refused("the account is closed")).whatever();
    });
    tell("canceled-while-held", &|story| {
        story.answer("create-order", done()).whatever();
        story.answer("charge", held("the key of the customer is missing")).whatever();
        story.operate(Operation::Cancel).whatever();
    });
    tell("held", &|story| {
        story.answer("create-order", done()).whatever();
        story.answer("charge", held("the key of the customer is missing")).whatever();
    });
    tell("misconfigured", &|story| {
        story.answer("create-order", done()).whatever();
        while story.state().stuck_reason().is_none() {
            story.answer("charge", misconfigured("401 Unauthorized: the key has expired")).whatever();
            story.tick_after(Duration::from_hours(1)).whatever();
        }
    });
    histories
}

/// An order that was placed, and nothing else.
pub fn just_placed(id: &str) -> History {
    let workflow = Workflow::parse(WORKFLOW).unwrap();
    let mut story = Story::given(&workflow);
    story.place(NewOrder { order_id: Some(OrderId::new(id).unwrap()), ..order() }).whatever();
    history(id, story.history(), story.state())
}

/// The events of an order as the command handler writes them.
pub fn history(id: &str, events: &[Event], state: &Order) -> History {
    let mut hash = CHAIN_START.to_owned();
    let events = events.iter().map(|event| {
        let event_id = Uuid::now_v7();
        let context = Context { correlation_id: id.to_owned(), ..Context::default() };
        let encoded = wire::encode(event, event_id, &hash, &context).unwrap();
        hash.clone_from(&encoded.hash);
        NewEvent {
            id: event_id,
            event_type: encoded.event_type.to_owned(),
            data: encoded.data.into(),
            metadata: encoded.metadata.into(),
        }
    });
    History { id: OrderId::new(id).unwrap(), events: events.collect(), state: state.clone() }
}

/// An event of any kind.
pub fn raw(event_type: &str, data: &str, metadata: &str) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        data: Bytes::copy_from_slice(data.as_bytes()),
        metadata: Bytes::copy_from_slice(metadata.as_bytes()),
    }
}

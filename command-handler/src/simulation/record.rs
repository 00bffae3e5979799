//! What is known of a run when it is over, and what the invariants are checked against: the log as
//! it was written, and what those outside saw. Nothing of it comes from inside the orchestrator.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Timestamp;
use domain::ids::{OrderId, StepId};
use domain::order::{Direction, Event, NewOrder, Operation, Order, Settlement, WorkflowRef, evolve};
use domain::wire::{self, Metadata};
use domain::workflow::{Step, Workflow};
use event_store::RecordedEvent;
use serde_json::Value;

use super::letters::Letter;
use crate::orchestrator::Accepted;
use crate::participants::ActionRequest;

/// One event of an order, as it was written.
#[derive(Debug, Clone)]
pub struct Entry {
    pub recorded: RecordedEvent,
    pub event: Event,
    pub metadata: Metadata,
    /// Events of one append have the same number.
    pub append: u64,
    /// By the true time.
    pub written_at: Timestamp,
}

/// One order's events, and where they lead.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub entries: Vec<Entry>,
    pub state: Option<Order>,
}

/// An attempt whose request an instance sent.
#[derive(Debug, Clone)]
pub struct Asked {
    pub ask: ActionRequest,
    pub key: String,
    /// The input that the participant received.
    pub told: Value,
    pub by: String,
    /// The events that the order had then.
    pub events_before: usize,
    /// By the true time.
    pub at: Timestamp,
}

/// Something that a participant did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub order_id: OrderId,
    pub step: StepId,
    pub direction: Direction,
    pub at: Timestamp,
}

/// What became of a request, as it was acknowledged.
#[derive(Debug, Clone)]
pub struct SettlementTaken {
    pub order_id: OrderId,
    pub request: u32,
    pub how: Settlement,
}

/// An operator's wish that was acknowledged.
#[derive(Debug, Clone)]
pub struct OperationTaken {
    pub order_id: OrderId,
    pub operation: Operation,
    pub revision: u64,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Record {
    pub orders: BTreeMap<OrderId, History>,
    pub definitions: BTreeMap<WorkflowRef, Arc<Workflow>>,
    /// What clients ordered.
    pub ordered: BTreeMap<OrderId, NewOrder>,
    /// The orders whose key was lost, and whether it still is.
    pub lost_keys: BTreeMap<OrderId, bool>,
    pub asks: Vec<Asked>,
    pub effects: Vec<Effect>,
    /// The answers to those who placed an order.
    pub acknowledged: Vec<Accepted>,
    /// The later answers that were acknowledged.
    pub answers_taken: Vec<Letter>,
    pub operations_taken: Vec<OperationTaken>,
    pub settlements_taken: Vec<SettlementTaken>,
    /// An instance was frozen, or its clock was wrong by seconds.
    pub somebody_was_out_of_time: bool,
    /// What was wrong the moment that it was seen: the name of the invariant, and how it was
    /// broken.
    pub wrong: Vec<(&'static str, String)>,
    appends: u64,
}

impl Record {
    /// Reads what has just been written.
    pub fn written(&mut self, order_id: &OrderId, events: &[RecordedEvent], now: Timestamp) {
        self.appends += 1;
        let history = self.orders.entry(order_id.clone()).or_default();
        for recorded in events {
            let decoded = match wire::decode(&recorded.event_type, &recorded.data, &recorded.metadata) {
                Ok(decoded) => decoded,
                Err(error) => {
                    self.wrong.push(("the_log_is_the_only_truth", format!("{recorded:?} cannot be read: {error}")));
                    continue;
                }
            };
            match evolve(history.state.take(), &decoded.event) {
                Ok(state) => history.state = Some(state),
                Err(misfit) => self.wrong.push(("the_log_is_the_only_truth", format!("{order_id}: {misfit}"))),
            }
            history.entries.push(Entry {
                recorded: recorded.clone(),
                event: decoded.event,
                metadata: decoded.metadata,
                append: self.appends,
                written_at: now,
            });
        }
    }

    /// Whether the key of an order's personal data is lost.
    pub fn is_key_lost(&self, order_id: &OrderId) -> bool {
        self.lost_keys.get(order_id).copied().unwrap_or_default()
    }

    /// The definition that an order began on.
    pub fn definition(&self, order_id: &OrderId) -> Option<Arc<Workflow>> {
        self.definitions.get(&self.orders.get(order_id)?.placed()?.workflow).cloned()
    }

    /// A step of that definition.
    pub fn step(&self, order_id: &OrderId, step: &str) -> Option<Step> {
        self.definition(order_id)?.step(step).cloned()
    }
}

impl History {
    fn placed(&self) -> Option<&domain::order::OrderPlaced> {
        self.entries.iter().find_map(|entry| match &entry.event {
            Event::OrderPlaced(placed) => Some(&**placed),
            _ => None,
        })
    }

    /// Where it stands; nowhere: its first event could not be folded.
    pub fn state(&self) -> Option<&Order> {
        self.state.as_ref()
    }

    /// Nothing will happen to it any more by itself.
    pub fn is_settled(&self) -> bool {
        self.state().is_some_and(|state| state.due_at().is_none())
    }
}

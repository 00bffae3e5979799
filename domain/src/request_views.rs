//! What users see of operations that a second person has to approve: one row each, whether for one
//! order or for many.

use serde_json::Value;
use uuid::Uuid;

use crate::Timestamp;
use crate::batch_request::{BatchEvent, BatchRequested, BatchSettled};
use crate::ids::{OrderId, RequestId};
use crate::order::{Event, OperationRequested, Order, RequestSettled};
use crate::wire::Decoded;

/// The state of a request that waits.
pub const WAITING: &str = "WAITING";
/// The state of a request whose order ended first.
const VOID: &str = "VOID";

/// What an event changes about requests.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestChange {
    /// There is a new one.
    Opened(Box<RequestView>),
    /// It waits no more.
    Settled(SettledView),
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestView {
    /// Its id.
    pub id: RequestId,
    /// Its order; `None`: it is for a batch.
    pub order_id: Option<OrderId>,
    /// The operation.
    pub operation: &'static str,
    /// The step, if the operation names one.
    pub step: Option<String>,
    /// The operation with all that it names; for a batch, with the selection of its orders.
    pub details: Value,
    /// For a batch: how many orders matched.
    pub matches: Option<u64>,
    /// Who asks for it.
    pub requested_by: String,
    /// The principal that sent it.
    pub principal: String,
    /// The reason.
    pub reason: String,
    /// The role of those who may approve it.
    pub approver: String,
    /// The revision of the order at which it was asked for.
    pub previewed_at: Option<u64>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Until when it can be approved.
    pub expires_at: Timestamp,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledView {
    /// Its id.
    pub id: RequestId,
    /// What became of it, with GraphQL's name.
    pub state: String,
    /// Who settled it, if a person did.
    pub by: Option<String>,
    /// That person's reason.
    pub reason: Option<String>,
    /// When it was decided.
    pub at: Timestamp,
}

/// What an event of an order changes about its requests. `before`: the order before it.
pub fn changes_of_order(decoded: &Decoded, before: Option<&Order>) -> Vec<RequestChange> {
    let Some(before) = before else { return Vec::new() };
    let order_id = &before.placed.order_id;
    let settled = |number: u32, state: String| SettledView {
        id: RequestId::of_order(order_id, number),
        state,
        by: decoded.metadata.actor.clone(),
        reason: decoded.metadata.reason.clone(),
        at: decoded.event.at(),
    };
    match &decoded.event {
        Event::OperationRequested(e) => vec![RequestChange::Opened(Box::new(opened(order_id, e)))],
        Event::RequestSettled(RequestSettled { request, how, .. }) => {
            vec![RequestChange::Settled(settled(*request, how.as_str().to_uppercase()))]
        }
        Event::OrderCompleted(_) | Event::OrderCanceled(_) => {
            let void = |number: &u32| RequestChange::Settled(settled(*number, VOID.to_owned()));
            before.requests.keys().map(void).collect()
        }
        Event::OrderPlaced(_)
        | Event::StepStarted(_)
        | Event::WaitStarted(_)
        | Event::StepAccepted(_)
        | Event::StepCompleted(_)
        | Event::StepAttemptFailed(_)
        | Event::StepFailed(_)
        | Event::StepSkipped(_)
        | Event::StatusChanged(_)
        | Event::OrderNoted(_)
        | Event::OrderPaused(_)
        | Event::OrderResumed(_)
        | Event::CompensationStarted(_)
        | Event::CompensationCompleted(_)
        | Event::OrderStuck(_)
        | Event::DecisionSplit(_) => Vec::new(),
    }
}

/// The requests of an order that wait, from its state.
pub fn open_of_order(order: &Order) -> Vec<RequestView> {
    order.requests.values().map(|request| opened(&order.placed.order_id, request)).collect()
}

/// What an event of a batch's stream changes.
pub fn change_of_batch(batch: Uuid, event: &BatchEvent) -> RequestChange {
    match event {
        BatchEvent::BatchRequested(e) => RequestChange::Opened(Box::new(asked(batch, e))),
        BatchEvent::BatchSettled(BatchSettled { how, by, reason, at }) => RequestChange::Settled(SettledView {
            id: RequestId::Batch(batch),
            state: how.as_str().to_uppercase(),
            by: by.clone(),
            reason: reason.clone(),
            at: *at,
        }),
    }
}

fn opened(order_id: &OrderId, e: &OperationRequested) -> RequestView {
    RequestView {
        id: RequestId::of_order(order_id, e.request),
        order_id: Some(order_id.clone()),
        operation: e.operation.as_str(),
        step: e.operation.step().cloned(),
        details: serde_json::to_value(&e.operation).unwrap_or_default(),
        matches: None,
        requested_by: e.requested_by.clone(),
        principal: e.principal.clone(),
        reason: e.reason.clone(),
        approver: e.approver.clone(),
        previewed_at: Some(e.previewed_at),
        requested_at: e.at,
        expires_at: e.expires_at,
    }
}

fn asked(batch: Uuid, e: &BatchRequested) -> RequestView {
    let mut details = serde_json::to_value(&e.operation).unwrap_or_default();
    if let (Value::Object(details), Value::Object(selection)) = (&mut details, &e.selection) {
        details.extend(selection.clone());
    }
    RequestView {
        id: RequestId::Batch(batch),
        order_id: None,
        operation: e.operation.as_str(),
        step: e.operation.step().cloned(),
        details,
        matches: Some(e.matches),
        requested_by: e.requested_by.clone(),
        principal: e.principal.clone(),
        reason: e.reason.clone(),
        approver: e.approver.clone(),
        previewed_at: None,
        requested_at: e.at,
        expires_at: e.expires_at,
    }
}

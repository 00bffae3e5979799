//! Folds a batch of events into changes of the views. An event that cannot be projected is set
//! aside.
//!
//! The metadata of orders' streams (`$$order-…`) count too. While an operator of the log hides
//! events of an order, the metadata event is set aside, and the order is marked. Only the last
//! metadata count, so that a rebuild has the same result. A stream belongs to another application
//! if its first event lacks the metadata that Tenuto always writes: it is counted once.

use std::collections::{BTreeSet, HashMap};

use domain::batch_request::{BATCH_STREAM_PREFIX, BatchEvent};
use domain::expectation::Expected;
use domain::ids::{OrderId, StepId};
use domain::replay::Recorded;
use domain::request_views::{RequestChange, change_of_batch, changes_of_order};
use domain::stream_prefix;
use domain::views::{CallView, steps_moved_by};
use domain::webhook::WebhookId;
use domain::wire::webhooks::decode_webhook;
use domain::wire::{self, Decoded, WORKFLOW_STREAM_PREFIX};
use domain::workflow::{Step, Workflow};
use error_causes::with_causes;
use event_store::{RecordedEvent, StreamLimits};
use order_stream::{FoldedOrder, OrderFault, is_foreign};
use sqlx::PgConnection;
use uuid::Uuid;
use views::OutlineStep;
use views::parked::Parked;
use views::writer::{EstimateColumns, TimelineColumns, WebhookChange, WorkflowColumns};

use crate::error::Interruption;
use crate::observer::ObservedEvent;
use crate::states::{Known, States};

/// Why an event of an order is set aside after an earlier one of the same order.
const EARLIER_PARKED: &str = "an earlier event of this order is parked";

/// A batch of events, folded.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub orders: HashMap<OrderId, Work>,
    pub timeline: TimelineColumns,
    /// The histograms that got samples.
    pub estimates: EstimateColumns,
    pub workflows: WorkflowColumns,
    pub webhooks: Vec<WebhookChange>,
    pub requests: Vec<RequestChange>,
    pub parked: Vec<Parked>,
    /// The events of orders, for an observer.
    pub observed: Vec<ObservedEvent>,
    /// The orders whose streams' metadata changed, each with the reason why a part of it is hidden
    /// now; `None`: nothing is hidden.
    pub limits: HashMap<OrderId, Option<Parked>>,
    /// Streams that begin in this batch, are named like orders', and belong to another application.
    pub foreign: Vec<String>,
}

/// One order in a batch.
#[derive(Debug)]
pub(crate) struct Work {
    pub known: Known,
    /// The steps that changed; `None`: nothing of the order changed.
    pub changed_steps: Option<BTreeSet<StepId>>,
    /// What is expected of it after its last event, by the samples up to that event.
    pub expected: Expected,
    /// The state before the event that had to be parked.
    pub before_parked: Option<Box<FoldedOrder>>,
}

impl Work {
    /// The order after its last event in this batch.
    pub fn applied(&self) -> Option<&FoldedOrder> {
        match &self.known {
            Known::Folded(applied) => Some(applied),
            Known::Nothing | Known::Parked | Known::Unreadable(_) | Known::Foreign => self.before_parked.as_deref(),
        }
    }

    /// Whether an event of it is set aside.
    pub fn is_parked(&self) -> bool {
        matches!(self.known, Known::Parked)
    }

    fn park(&mut self) {
        if let Known::Folded(applied) = std::mem::replace(&mut self.known, Known::Parked) {
            self.before_parked = Some(applied);
        }
    }
}

impl Batch {
    /// Folds events, in their order.
    pub async fn fold(
        states: &mut States,
        db: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> Result<Self, Interruption> {
        let mut batch = Self::default();
        states.estimates.begin(db).await?;
        for event in events {
            if let Some(order) = OrderId::from_stream(&event.stream) {
                batch.fold_order_event(states, db, order, event).await?;
            } else if event.stream.starts_with("$$") {
                batch.fold_metadata(event);
            } else if event.stream.starts_with(stream_prefix::get()) && !wire::is_ours(&event.metadata) {
                batch.pass_over(event);
            } else if let Err(reason) = batch.fold_other_event(event) {
                batch.park(event, reason);
            }
        }
        batch.estimates = states.estimates.changed();
        Ok(batch)
    }

    /// A batch that only sets one event aside.
    pub fn setting_aside(event: &RecordedEvent, reason: String) -> Self {
        let mut batch = Self::default();
        batch.park(event, reason);
        if let Some(order) = OrderId::from_stream(&event.stream) {
            batch.orders.insert(
                order,
                Work { known: Known::Parked, changed_steps: None, expected: Expected::default(), before_parked: None },
            );
        }
        batch
    }

    /// Returns the orders to memory, after the batch is committed.
    pub fn keep(self, states: &mut States) {
        states.estimates.keep(&self.estimates);
        for (order, work) in self.orders {
            states.keep(order, work.known);
        }
    }

    async fn fold_order_event(
        &mut self,
        states: &mut States,
        db: &mut PgConnection,
        order: OrderId,
        event: &RecordedEvent,
    ) -> Result<(), Interruption> {
        let work = self.orders.entry(order).or_insert_with_key(|order| Work {
            known: states.recall(order),
            changed_steps: None,
            expected: Expected::default(),
            before_parked: None,
        });
        if work.known.includes(event.revision) {
            return Ok(());
        }
        if !work.known.leads_to(event.revision) {
            work.known = states.look_up(db, event).await?;
        }
        match std::mem::replace(&mut work.known, Known::Nothing) {
            Known::Parked => {
                work.known = Known::Parked;
                self.park(event, EARLIER_PARKED.to_owned());
            }
            Known::Foreign => work.known = Known::Foreign,
            Known::Nothing if is_foreign(event) => {
                work.known = Known::Foreign;
                self.pass_over(event);
            }
            Known::Unreadable(reason) => {
                work.known = Known::Parked;
                self.park(event, format!("what comes before it cannot be folded: {reason}"));
            }
            known @ (Known::Nothing | Known::Folded(_)) => match apply(known, event) {
                Ok(Applied { folded, decoded, call, requests }) => {
                    self.requests.extend(requests);
                    let steps = work.changed_steps.get_or_insert_default();
                    steps.extend(steps_moved_by(&decoded.event, &folded.state));
                    work.expected = states.estimates.add(&decoded.event, &folded);
                    self.timeline.push(event, &decoded, &folded.state, call);
                    if states.observed {
                        self.observed.push(observed(event, &folded, decoded));
                    }
                    work.known = Known::Folded(Box::new(folded));
                }
                Err(reason) => {
                    // The failed fold consumed the state, so it is read from the log again.
                    work.known = states.fold_before(event).await?;
                    work.park();
                    self.park(event, reason);
                }
            },
        }
        Ok(())
    }

    /// Only the last metadata of a stream count.
    fn fold_metadata(&mut self, event: &RecordedEvent) {
        let Some(order) = OrderId::from_metadata_stream(&event.stream) else { return };
        let limits = StreamLimits::in_metadata(&event.data);
        let reason = (!limits.is_none()).then(|| format!("the history of the order is incomplete: {limits}"));
        self.limits.insert(order, reason.map(|reason| Parked { event: event.clone(), reason }));
    }

    fn fold_other_event(&mut self, event: &RecordedEvent) -> Result<(), String> {
        if let Some(id) = WebhookId::from_stream(&event.stream) {
            return self.fold_webhook_event(id, event);
        }
        match event.stream.strip_prefix(BATCH_STREAM_PREFIX) {
            Some(batch) => self.fold_batch_event(batch, event),
            None => self.fold_workflow_event(event),
        }
    }

    fn fold_webhook_event(&mut self, id: WebhookId, event: &RecordedEvent) -> Result<(), String> {
        let decoded = decode_webhook(&event.event_type, &event.data, &event.metadata);
        let decoded = decoded.map_err(|error| with_causes(&error))?;
        self.webhooks.push(WebhookChange { id, event: decoded, revision: event.revision, position: event.position });
        Ok(())
    }

    fn fold_workflow_event(&mut self, event: &RecordedEvent) -> Result<(), String> {
        if !event.stream.starts_with(WORKFLOW_STREAM_PREFIX) {
            return Err("the name of its stream holds no id".to_owned());
        }
        let registered = wire::decode_workflow(&event.event_type, &event.data).map_err(|error| with_causes(&error))?;
        let workflow = Workflow::registered(&registered.source).map_err(|error| with_causes(&error))?;
        self.workflows.push(event, registered, &outline(&workflow)).map_err(|error| with_causes(&error))
    }

    fn fold_batch_event(&mut self, batch: &str, event: &RecordedEvent) -> Result<(), String> {
        let batch = Uuid::parse_str(batch).map_err(|_| "the name of its stream holds no batch's id".to_owned())?;
        let decoded = BatchEvent::decode(&event.event_type, &event.data).map_err(|error| with_causes(&error))?;
        self.requests.push(change_of_batch(batch, &decoded));
        Ok(())
    }

    /// Leaves out an event of another application. Its stream is counted by its first event.
    fn pass_over(&mut self, event: &RecordedEvent) {
        if event.revision == 0 {
            self.foreign.push(event.stream.clone());
        }
    }

    fn park(&mut self, event: &RecordedEvent, reason: String) {
        self.parked.push(Parked { event: event.clone(), reason });
    }
}

fn observed(event: &RecordedEvent, folded: &FoldedOrder, decoded: Decoded) -> ObservedEvent {
    let Decoded { event: decoded, metadata } = decoded;
    let recorded = Recorded { id: event.id, revision: event.revision, event: decoded, metadata };
    ObservedEvent { order: folded.state.placed.order_id.clone(), position: event.position, recorded }
}

/// An event, and the order after it.
struct Applied {
    folded: FoldedOrder,
    decoded: Decoded,
    /// The call to a participant that it ended.
    call: Option<CallView>,
    requests: Vec<RequestChange>,
}

fn apply(known: Known, event: &RecordedEvent) -> Result<Applied, String> {
    let state = match known {
        Known::Folded(applied) => Some(applied.state),
        Known::Nothing | Known::Parked | Known::Unreadable(_) | Known::Foreign => None,
    };
    let reason = |fault: OrderFault| with_causes(fault.reason());
    let decoded = order_stream::decode(event).map_err(reason)?;
    let call = state.as_ref().and_then(|before| CallView::ended_by(&decoded.event, before));
    let requests = changes_of_order(&decoded, state.as_ref());
    let folded = FoldedOrder::after(state, event, &decoded).map_err(reason)?;
    Ok(Applied { folded, decoded, call, requests })
}

/// The steps of a definition: first those forward, then those after compensation.
fn outline(workflow: &Workflow) -> Vec<OutlineStep> {
    let forward = workflow.steps.iter().map(|step| outlined(step, false));
    forward.chain(workflow.compensated.iter().map(|step| outlined(step, true))).collect()
}

fn outlined(step: &Step, compensated: bool) -> OutlineStep {
    OutlineStep {
        id: step.id.clone(),
        participant: step.action.as_ref().map(|action| action.participant.clone()),
        action: step.action.as_ref().map(|action| action.action.clone()),
        mode: step.mode.as_str().to_owned(),
        after: step.after.clone(),
        compensated,
    }
}

//! Turns a batch of events into rows of the views. An event that cannot be projected is set aside.
//!
//! The metadata of orders' streams (`$$order-…`) count too. While an operator of the log hides
//! events of an order, the metadata event is set aside, and the order is marked. Only the last
//! metadata count, so that a rebuild has the same result. A stream belongs to another application if
//! its first event lacks the metadata that Tenuto always writes: it is counted once.

use std::collections::{BTreeSet, HashMap};

use domain::ids::{OrderId, StepId};
use domain::order::evolve;
use domain::stream_prefix;
use domain::views::steps_moved_by;
use domain::wire::{self, Decoded, WORKFLOW_STREAM_PREFIX};
use domain::workflow::Workflow;
use event_store::{RecordedEvent, StreamLimits};
use sqlx::PgConnection;

use crate::columns::{TimelineColumns, WorkflowColumns};
use crate::error::Interruption;
use crate::outline::outline;
use crate::parked::{EARLIER_PARKED, Parked};
use crate::states::{Applied, Known, States, is_foreign};

/// What a batch of events makes of the views.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub orders: HashMap<OrderId, Work>,
    pub timeline: TimelineColumns,
    pub workflows: WorkflowColumns,
    pub parked: Vec<Parked>,
    /// The orders whose streams' metadata were set, each with why events of it are hidden now; none: all are shown.
    pub limits: HashMap<OrderId, Option<Parked>>,
    /// Streams that begin here and are named like orders', and are another application's.
    pub foreign: Vec<String>,
}

/// One order in a batch.
#[derive(Debug)]
pub(crate) struct Work {
    pub known: Known,
    /// What to write of it: as it stands, and the steps that something happened to. None: nothing of it moved.
    pub moved: Option<BTreeSet<StepId>>,
    /// The state as it was before the event that had to be parked.
    pub left_at: Option<Box<Applied>>,
}

impl Work {
    /// The order as its last event in this batch left it.
    pub fn applied(&self) -> Option<&Applied> {
        match &self.known {
            Known::Folded(applied) => Some(applied),
            Known::Nothing | Known::Parked | Known::Unreadable(_) | Known::Foreign => self.left_at.as_deref(),
        }
    }

    /// Whether an event of it is set aside.
    pub fn is_parked(&self) -> bool {
        matches!(self.known, Known::Parked)
    }

    fn park(&mut self) {
        if let Known::Folded(applied) = std::mem::replace(&mut self.known, Known::Parked) {
            self.left_at = Some(applied);
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
        for event in events {
            if let Some(order) = OrderId::from_stream(&event.stream) {
                batch.fold_order_event(states, db, order, event).await?;
            } else if event.stream.starts_with("$$") {
                batch.fold_metadata(event);
            } else if event.stream.starts_with(stream_prefix::get()) && !wire::is_ours(&event.metadata) {
                batch.pass_over(event);
            } else if let Err(reason) = batch.fold_workflow_event(event) {
                batch.park(event, reason);
            }
        }
        Ok(batch)
    }

    /// A batch that only sets one event aside.
    pub fn setting_aside(event: &RecordedEvent, reason: String) -> Self {
        let mut batch = Self::default();
        batch.park(event, reason);
        if let Some(order) = OrderId::from_stream(&event.stream) {
            batch.orders.insert(order, Work { known: Known::Parked, moved: None, left_at: None });
        }
        batch
    }

    /// Gives back to memory what is committed.
    pub fn keep(self, states: &mut States) {
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
        let work = self.orders.entry(order.clone()).or_insert_with_key(|order| Work {
            known: states.recall(order),
            moved: None,
            left_at: None,
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
                Ok((applied, decoded)) => {
                    let steps = work.moved.get_or_insert_default();
                    steps.extend(steps_moved_by(&decoded.event, &applied.state));
                    work.known = Known::Folded(Box::new(applied));
                    self.timeline.push(order.as_str(), event, &decoded);
                }
                Err(reason) => {
                    // The fold took the state with it; the log still has what led to it.
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

    fn fold_workflow_event(&mut self, event: &RecordedEvent) -> Result<(), String> {
        if !event.stream.starts_with(WORKFLOW_STREAM_PREFIX) {
            return Err("the name of its stream holds no order's id".to_owned());
        }
        let registered = wire::decode_workflow(&event.event_type, &event.data).map_err(|error| because(&error))?;
        let workflow = Workflow::registered(&registered.source).map_err(|error| because(&error))?;
        let outline = serde_json::to_string(&outline(&workflow)).map_err(|error| because(&error))?;
        self.workflows.push(event, registered, outline);
        Ok(())
    }

    /// Leaves an event out that is another application's. Its stream is counted by its first event.
    fn pass_over(&mut self, event: &RecordedEvent) {
        if event.revision == 0 {
            self.foreign.push(event.stream.clone());
        }
    }

    fn park(&mut self, event: &RecordedEvent, reason: String) {
        self.parked.push(Parked { event: event.clone(), reason });
    }
}

fn apply(known: Known, event: &RecordedEvent) -> Result<(Applied, Decoded), String> {
    let state = match known {
        Known::Folded(applied) => Some(applied.state),
        Known::Nothing | Known::Parked | Known::Unreadable(_) | Known::Foreign => None,
    };
    let decoded = wire::decode(&event.event_type, &event.data, &event.metadata).map_err(|error| because(&error))?;
    let state = evolve(state, &decoded.event).map_err(|misfit| because(&misfit))?;
    Ok((Applied { state, revision: event.revision, position: event.position }, decoded))
}

/// An error with what lies under it, in one line.
fn because(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut under = error.source();
    while let Some(source) = under {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        under = source.source();
    }
    text
}

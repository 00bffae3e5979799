//! An order as it was, folded from its events in the log. Nothing else in this crate reads an
//! order's events.
//!
//! The fold is the one that decides, and the fields are those that the projector writes
//! (`domain::views`). An event counts from the time that it carries, and never before the one that
//! it follows. A revision that does not exist is an error that names the last one, since null means
//! that the order does not exist.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::OrderId;
use domain::order::Order;
use domain::views::{EntryView, OrderView, StepView};
use domain::wire::Decoded;
use event_store::{EventStore, ReadError, RecordedEvent};
use order_stream::{FoldedOrder, OrderEvent, OrderFault, OrderStream, StreamError};
use serde_json::Value;
use sqlx::types::Json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use views::{Head, OrderRow, Page, StepRow, TimelineRow, ViewsError};

use crate::error::QueryError;

/// How many reads run at once. Further ones wait.
const READS: usize = 16;
/// How long the log has to answer a read, with the wait before it: a query has an answer within
/// five seconds, also during an outage.
const READING: Duration = Duration::from_secs(4);

/// The events of orders.
#[derive(Clone)]
pub struct History {
    log: EventStore,
    turns: Arc<Semaphore>,
}

/// A past moment of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After the event of this index.
    Revision(u64),
    /// After the events that were decided by then. An event counts from the time that it carries,
    /// which the order's own times come from (`placedAt`, `updatedAt`, a step's `startedAt`), but
    /// never before the event that it follows.
    Moment(DateTime<Utc>),
}

/// What is wrong with the arguments for the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AsOfError {
    #[error("`atRevision` and `asOf` cannot be used together")]
    Both,
    #[error("`atRevision` must not be negative")]
    Negative,
}

/// Why an order cannot be shown as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("the order has no revision {wanted} (yet): its last is {last}")]
    NoSuchRevision { wanted: u64, last: u64 },
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// An order as it was, as the views would have had it.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub row: OrderRow,
    /// The steps that had begun or were skipped.
    pub steps: Vec<StepRow>,
}

impl AsOf {
    /// After every event that there is.
    pub const NOW: Self = Self::Revision(u64::MAX);

    /// Reads the arguments; `None`: now.
    pub fn of(revision: Option<i64>, moment: Option<DateTime<Utc>>) -> Result<Option<Self>, AsOfError> {
        match (revision, moment) {
            (Some(_), Some(_)) => Err(AsOfError::Both),
            (Some(revision), None) => {
                u64::try_from(revision).map(|revision| Some(Self::Revision(revision))).map_err(|_| AsOfError::Negative)
            }
            (None, moment) => Ok(moment.map(Self::Moment)),
        }
    }

    /// The first revision that never counts.
    fn end(self) -> u64 {
        match self {
            Self::Revision(wanted) => wanted.saturating_add(1),
            Self::Moment(_) => u64::MAX,
        }
    }

    fn is_before(self, decoded: &Decoded) -> bool {
        matches!(self, Self::Moment(moment) if decoded.event.at() > moment)
    }
}

impl History {
    /// The events in this log.
    pub fn new(log: EventStore) -> Self {
        Self { log, turns: Arc::new(Semaphore::new(READS)) }
    }

    /// The order as it was; `None`: it was not placed by then, or does not exist.
    pub async fn order(&self, id: &OrderId, as_of: AsOf) -> Result<Option<Earlier>, HistoryError> {
        let folded = self.fold(id, as_of).await?;
        match (folded, as_of) {
            (Some(FoldedOrder { revision: last, .. }), AsOf::Revision(wanted)) if last < wanted => {
                Err(HistoryError::NoSuchRevision { wanted, last })
            }
            (folded, _) => Ok(folded.as_ref().map(earlier)),
        }
    }

    /// The state of an order at a moment; `None`: it was not placed by then, or does not exist.
    pub async fn state(&self, id: &OrderId, moment: AsOf) -> Result<Option<Order>, QueryError> {
        Ok(self.fold(id, moment).await?.map(|folded| folded.state))
    }

    async fn fold(&self, id: &OrderId, as_of: AsOf) -> Result<Option<FoldedOrder>, QueryError> {
        let mut folded: Option<FoldedOrder> = None;
        let mut events = OrderStream::new(|from, most| self.read(id, from, most)).before(as_of.end());
        while let Some(OrderEvent { recorded, decoded }) = events.next().await? {
            if as_of.is_before(&decoded) {
                break;
            }
            folded = Some(FoldedOrder::after(folded.map(|folded| folded.state), &recorded, &decoded)?);
        }
        Ok(folded)
    }

    /// A page of the timeline of each of these orders, up to the revision of its row.
    pub async fn timelines(
        &self,
        orders: &[Head],
        page: &Page<i64>,
    ) -> Result<HashMap<String, Vec<TimelineRow>>, QueryError> {
        let mut timelines = HashMap::with_capacity(orders.len());
        for Head { id, revision } in orders {
            let order = OrderId::new(id.as_str()).map_err(|_| ViewsError::Internal)?;
            timelines.insert(id.clone(), self.timeline(&order, *revision, page).await?);
        }
        Ok(timelines)
    }

    /// Revisions follow one another without a gap, so that a page is a range of them.
    async fn timeline(&self, order: &OrderId, last: i64, page: &Page<i64>) -> Result<Vec<TimelineRow>, QueryError> {
        let lowest = page.after.map_or(0, |after| after.saturating_add(1)).max(0);
        let end = page.before.map_or(i64::MAX, |before| before).min(last.saturating_add(1));
        let from = if page.from_end { lowest.max(end.saturating_sub(page.rows_to_read())) } else { lowest };
        let most = page.rows_to_read().min(end.saturating_sub(from));
        let (Ok(from), Ok(most @ 1..)) = (u64::try_from(from), usize::try_from(most)) else { return Ok(Vec::new()) };
        let events = self.read(order, from, most).await?;
        let mut rows: Vec<TimelineRow> = events.iter().map(|event| entry(order, event)).collect::<Result<_, _>>()?;
        if page.from_end {
            rows.reverse();
        }
        Ok(rows)
    }

    /// The position of the first event of an order; `None`: the log has no event of it.
    pub async fn begun_at(&self, order: &OrderId) -> Result<Option<u64>, QueryError> {
        Ok(self.read(order, 0, 1).await?.first().map(|first| first.position.commit))
    }

    async fn read(&self, order: &OrderId, from: u64, most: usize) -> Result<Vec<RecordedEvent>, QueryError> {
        let read = timeout(READING, self.read_in_turn(order, from, most)).await;
        read.unwrap_or_else(|_| {
            tracing::warn!(stream = %order.stream(), "the log does not answer a read within {READING:?}");
            Err(ViewsError::LogUnavailable.into())
        })
    }

    async fn read_in_turn(&self, order: &OrderId, from: u64, most: usize) -> Result<Vec<RecordedEvent>, QueryError> {
        let _turn = self.turns.acquire().await.map_err(|_| ViewsError::Internal)?;
        match self.log.read_stream(&order.stream(), from, most).await {
            // A deleted stream has no events.
            Err(ReadError::StreamDeleted(_)) => Ok(Vec::new()),
            read => Ok(read?),
        }
    }
}

fn earlier(folded: &FoldedOrder) -> Earlier {
    let order = OrderView::of(&folded.state);
    let personal = order.personal.into_owned();
    let row = OrderRow {
        id: order.id.to_string(),
        workflow: order.workflow.to_owned(),
        workflow_version: order.workflow_version.cast_signed(),
        status: order.status.to_owned(),
        state: order.state.to_owned(),
        customer_id: order.customer_id.to_owned(),
        placed_by: order.placed_by.map(str::to_owned),
        customer_name: personal.name,
        customer_email: personal.email,
        currency: order.currency.to_owned(),
        total: order.total,
        lines: Json(order.lines.to_vec()),
        ship_to: personal.ship_to.map(Json),
        attributes: Json(Value::Object(order.attributes.clone())),
        result: order.result.cloned().map(Json),
        result_placeholders: order.result_placeholders.cloned().map(Json),
        result_error: order.result_error.map(str::to_owned),
        stuck_reason: order.stuck_reason.map(str::to_owned),
        placed_at: order.placed_at,
        updated_at: order.updated_at,
        ended_at: order.ended_at,
        revision: folded.revision.cast_signed(),
        position: folded.position.commit.cast_signed(),
        parked: false,
        sealed: order.sealed.cloned().map(Json),
    };
    let steps = folded.state.steps.iter().map(|(id, step)| step_row(&row.id, &StepView::of(id, step)));
    let mut steps: Vec<StepRow> = steps.collect();
    // In the order of the views.
    steps.sort_by(|a, b| (a.started_at, &a.step).cmp(&(b.started_at, &b.step)));
    Earlier { row, steps }
}

fn step_row(order: &str, step: &StepView<'_>) -> StepRow {
    StepRow {
        order_id: order.to_owned(),
        step: step.id.clone(),
        participant: step.participant.map(str::to_owned),
        action: step.action.map(str::to_owned),
        mode: step.mode.map(str::to_owned),
        status: step.status.as_str().to_owned(),
        outcome: step.outcome.map(str::to_owned),
        data: step.data.cloned().map(Json),
        attempts: step.attempts.cast_signed(),
        last_error: step.last_error.map(str::to_owned),
        since: Some(step.since),
        due_at: step.due_at,
        started_at: Some(step.started_at),
        ended_at: step.ended_at,
        next_attempt_at: step.next_attempt_at,
    }
}

fn entry(order: &OrderId, event: &RecordedEvent) -> Result<TimelineRow, QueryError> {
    let decoded = order_stream::decode(event)?;
    let entry = EntryView::of(&decoded);
    Ok(TimelineRow {
        order_id: order.to_string(),
        revision: event.revision.cast_signed(),
        event_type: event.event_type.clone(),
        recorded_at: event.created,
        step: entry.step.cloned(),
        actor: entry.actor.map(str::to_owned),
        approved_by: entry.approved_by.map(str::to_owned),
        reason: entry.reason.map(str::to_owned),
        data: Json(serde_json::from_slice(&event.data).map_err(|error| not_json(event, &error))?),
        correlation_id: Some(entry.correlation_id.to_owned()),
        causation_id: entry.causation_id,
        hash: entry.hash.to_owned(),
        summary: entry.summary,
    })
}

fn not_json(event: &RecordedEvent, error: &serde_json::Error) -> QueryError {
    tracing::error!(stream = %event.stream, revision = event.revision, %error, "an event of the log cannot be read");
    QueryError::Unreadable
}

impl From<OrderFault> for QueryError {
    fn from(fault: OrderFault) -> Self {
        tracing::error!(%fault, "an event of the log cannot be read");
        Self::Unreadable
    }
}

impl From<StreamError<Self>> for QueryError {
    fn from(error: StreamError<Self>) -> Self {
        match error {
            StreamError::Log(error) => error,
            StreamError::Order(fault) => fault.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_state_is_named_in_one_way_only() {
        let moment = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(AsOf::of(None, None), Ok(None));
        assert_eq!(AsOf::of(Some(0), None), Ok(Some(AsOf::Revision(0))));
        assert_eq!(AsOf::of(None, Some(moment)), Ok(Some(AsOf::Moment(moment))));
        assert_eq!(AsOf::of(Some(0), Some(moment)), Err(AsOfError::Both));
        assert_eq!(AsOf::of(Some(-1), None), Err(AsOfError::Negative));
    }

    #[test]
    fn no_more_is_read_than_counts() {
        assert_eq!(AsOf::Revision(7).end(), 8);
        assert_eq!(AsOf::Revision(u64::MAX).end(), u64::MAX);
        assert_eq!(AsOf::Moment(DateTime::UNIX_EPOCH).end(), u64::MAX);
    }
}

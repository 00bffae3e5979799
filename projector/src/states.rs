//! The folded states of orders: from memory if the order changed recently, otherwise from the log.

use std::num::NonZeroUsize;

use domain::ids::OrderId;
use event_store::{EventStore, ReadError, RecordedEvent};
use lru::LruCache;
use order_stream::{FoldedOrder, OrderEvent, OrderFault, OrderStream, StreamError, is_foreign};
use sqlx::PgConnection;
use views::parked;

use crate::error::Interruption;
use crate::estimates::KnownEstimates;

/// What is known of an order before its next event.
#[derive(Debug)]
pub(crate) enum Known {
    /// It has no events yet.
    Nothing,
    /// Its events up to here are folded.
    Folded(Box<FoldedOrder>),
    /// An event of it is set aside, and so are all that follow.
    Parked,
    /// Its events before the next one cannot be folded, for this reason.
    Unreadable(String),
    /// Tenuto did not write its first event: the stream belongs to another application, and only
    /// its name is like an order's.
    Foreign,
}

/// A bounded memory of the open orders, in front of the log.
pub(crate) struct States {
    log: EventStore,
    recent: LruCache<OrderId, Known>,
    /// How long steps and orders took.
    pub estimates: KnownEstimates,
    /// Whether an observer wants the decoded events.
    pub observed: bool,
}

impl States {
    pub fn new(log: EventStore, capacity: NonZeroUsize) -> Self {
        Self { log, recent: LruCache::new(capacity), estimates: KnownEstimates::default(), observed: false }
    }

    /// Whether an observer wants the decoded events.
    pub fn observed(self, observed: bool) -> Self {
        Self { observed, ..self }
    }

    /// Takes an order out of memory. If the batch is not committed, the order is read from the log
    /// again.
    pub fn recall(&mut self, order: &OrderId) -> Known {
        self.recent.pop(order).unwrap_or(Known::Nothing)
    }

    /// Keeps an order whose batch was committed. One that has ended does not change any more, and
    /// makes room for others.
    pub fn keep(&mut self, order: OrderId, known: Known) {
        let worth_it = match &known {
            Known::Folded(applied) => !applied.state.ended(),
            Known::Parked | Known::Foreign => true,
            Known::Nothing | Known::Unreadable(_) => false,
        };
        if worth_it {
            self.recent.put(order, known);
        }
    }

    /// Reads an order as it was before this event of it, from the database and the log.
    pub async fn look_up(&self, db: &mut PgConnection, event: &RecordedEvent) -> Result<Known, Interruption> {
        if event.revision == 0 {
            return Ok(Known::Nothing);
        }
        if parked::any_before(db, event).await? {
            return Ok(Known::Parked);
        }
        Ok(self.fold_before(event).await?)
    }

    /// Folds the events of an order that the log has before this one.
    pub async fn fold_before(&self, event: &RecordedEvent) -> Result<Known, ReadError> {
        match self.known_before(event).await {
            Ok(known) => Ok(known),
            Err(StreamError::Log(error @ ReadError::StreamDeleted(_))) => Ok(Known::Unreadable(error.to_string())),
            Err(StreamError::Log(error)) => Err(error),
            Err(StreamError::Order(OrderFault::Foreign { revision: 0, .. })) => Ok(Known::Foreign),
            Err(StreamError::Order(OrderFault::Missing { from, .. })) => Ok(no_longer(from)),
            Err(StreamError::Order(fault)) => {
                Ok(Known::Unreadable(format!("revision {}: {}", fault.revision(), fault.reason())))
            }
        }
    }

    async fn known_before(&self, event: &RecordedEvent) -> Result<Known, StreamError<ReadError>> {
        let mut folded: Option<FoldedOrder> = None;
        let read = |from, most| self.log.read_stream(&event.stream, from, most);
        let mut events = OrderStream::new(read).before(event.revision);
        while let Some(OrderEvent { recorded, decoded }) = events.next().await? {
            if is_foreign(&recorded) {
                return Ok(Known::Foreign);
            }
            folded = Some(FoldedOrder::after(folded.map(|folded| folded.state), &recorded, &decoded)?);
        }
        let next = folded.as_ref().map_or(0, |folded| folded.revision + 1);
        if next < event.revision {
            return Ok(no_longer(next));
        }
        Ok(folded.map_or(Known::Nothing, |folded| Known::Folded(Box::new(folded))))
    }
}

fn no_longer(revision: u64) -> Known {
    Known::Unreadable(format!("the log no longer has revision {revision} of it"))
}

impl Known {
    /// Whether an event of this revision is the next one.
    pub fn leads_to(&self, revision: u64) -> bool {
        match self {
            Known::Nothing => revision == 0,
            Known::Folded(applied) => applied.revision + 1 == revision,
            Known::Parked | Known::Unreadable(_) | Known::Foreign => true,
        }
    }

    /// Whether an event of this revision is folded already.
    pub fn includes(&self, revision: u64) -> bool {
        matches!(self, Known::Folded(applied) if applied.revision >= revision)
    }
}

//! The folded states of orders: from memory if the order changed recently, otherwise from the log.

use std::num::NonZeroUsize;

use domain::ids::OrderId;
use domain::order::{Order, evolve};
use domain::wire;
use event_store::{EventStore, Position, ReadError, RecordedEvent};
use lru::LruCache;
use sqlx::PgConnection;
use views::parked;

use crate::error::Interruption;

/// Events read from the log at a time.
const PAGE: u16 = 500;

/// An order folded up to some event.
#[derive(Debug)]
pub(crate) struct Applied {
    pub state: Order,
    pub revision: u64,
    pub position: Position,
}

/// What is known of an order before its next event.
#[derive(Debug)]
pub(crate) enum Known {
    /// It has no events yet.
    Nothing,
    /// Its events up to here are folded.
    Folded(Box<Applied>),
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
}

impl States {
    pub fn new(log: EventStore, capacity: NonZeroUsize) -> Self {
        Self { log, recent: LruCache::new(capacity) }
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
        let mut applied: Option<Applied> = None;
        loop {
            let from = applied.as_ref().map_or(0, |applied| applied.revision + 1);
            if from >= event.revision {
                return Ok(applied.map_or(Known::Nothing, |applied| Known::Folded(Box::new(applied))));
            }
            let most = usize::try_from(event.revision - from).unwrap_or(usize::MAX).min(usize::from(PAGE));
            let page = match self.log.read_stream(&event.stream, from, most).await {
                Ok(page) => page,
                Err(error @ ReadError::StreamDeleted(_)) => return Ok(Known::Unreadable(error.to_string())),
                Err(error) => return Err(error),
            };
            if page.first().map(|first| first.revision) != Some(from) {
                return Ok(Known::Unreadable(format!("the log no longer has revision {from} of it")));
            }
            for earlier in page {
                if is_foreign(&earlier) {
                    return Ok(Known::Foreign);
                }
                match fold_one(applied.take(), &earlier) {
                    Ok(next) => applied = Some(next),
                    Err(reason) => return Ok(Known::Unreadable(format!("revision {}: {reason}", earlier.revision))),
                }
            }
        }
    }
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

/// Whether an event begins a stream of another application.
pub(crate) fn is_foreign(event: &RecordedEvent) -> bool {
    event.revision == 0 && !wire::is_ours(&event.metadata)
}

fn fold_one(before: Option<Applied>, event: &RecordedEvent) -> Result<Applied, String> {
    let decoded = wire::decode(&event.event_type, &event.data, &event.metadata).map_err(|error| error.to_string())?;
    let state = evolve(before.map(|before| before.state), &decoded.event).map_err(|illegal| illegal.to_string())?;
    Ok(Applied { state, revision: event.revision, position: event.position })
}
